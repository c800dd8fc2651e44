"""Shards of one study made one: widen summaries of other seeds or other widths, counted together.

Counts and levels add up exactly. Quantiles and medians cannot be had from those of the parts: they are left out, and
the merged source says so. A member that two files share would count twice: that is refused, by root seed, width and
range of replicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from escapedim.comparison.compatibility import differences, values
from escapedim.comparison.counted import share
from escapedim.comparison.escapes import way
from escapedim.comparison.pooling import added, experiments
from escapedim.errors import BadInput
from escapedim.landscape.levels import GAP, MOST, SMALLEST_GAP
from escapedim.landscape.vocabulary import Ending
from escapedim.records.results import Level, Quantiles, Threshold, WidenResult, Width
from escapedim.records.summary import Summary

NOT_MERGED = ("loss_quantiles", "moved_quantiles", "median_steps")

Named = tuple[str, Summary]


def check_members(named: Sequence[Named]) -> None:
    """Refuse members that are in two files, and the same measurement of different tasks or recipes.

    Raises
    ------
    BadInput
        The same run twice, the same width of one root seed, failed members that were widened twice in the same way, or
        a width or an experiment of two files that differ in what was permitted.
    """
    runs: dict[tuple[str, str], str] = {}
    members: dict[tuple[Any, ...], list[tuple[str, set[int]]]] = {}
    measured: dict[tuple[Any, ...], tuple[str, Summary]] = {}
    for name, summary in named:
        other = runs.setdefault((summary.kind, summary.id), name)
        if other is not name:
            raise BadInput(f"{name} is the same run as {other} ({summary.kind} {summary.id}); name it once.")
        for key, what in _measured(summary):
            _check_alike(measured.setdefault(key, (name, summary)), (name, summary), what)
        for key, replicates, what in _members(summary):
            _check_once(members.setdefault(key, []), name, replicates, what)


def _check_once(known: list[tuple[str, set[int]]], name: str, replicates: set[int], what: str) -> None:
    for other, theirs in known:
        shared = replicates & theirs
        if shared and other is not name:
            raise BadInput(
                f"{name} has {what.format(min(shared))}, and so has {other}: they would count twice; leave one of "
                "them out."
            )
    known.append((name, replicates))


def _check_alike(first: Named, second: Named, what: str) -> None:
    differing = [key for key in differences([first, second]) if key != "version"]
    if differing:
        raise BadInput(
            f"{first[0]} and {second[0]} both have {what}, but differ in {', '.join(differing)}: they would be counted "
            "as one; compare them one at a time."
        )


def _measured(summary: Summary) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield what a widen summary measured that is counted together with the same of other files."""
    result = summary.result
    if isinstance(result, WidenResult):
        for width in result.widths:
            yield ("widths", width.width), f"networks of width {width.width}"
        for name in ("isolation", "complement", "escape", "restarts", "transient", "step_halving"):
            if getattr(result, name):
                yield (name,), f"the experiment {name}"


def _members(summary: Summary) -> Iterator[tuple[tuple[Any, ...], set[int], str]]:
    """Yield what identifies members of a summary, their replicates, and what they are, with a place for a replicate.

    Members of a width are the first replicates of their root seed, so that one stands for all.
    """
    result, config = summary.result, summary.config
    if not isinstance(result, WidenResult):
        return
    recipe = values(summary)
    seed = (config.get("seed"), *(recipe[key] for key in recipe if key != "version"))
    for width in result.widths:
        what = f"replicates 0 to {width.members - 1:,} of width {width.width}, seed {config.get('seed')}"
        yield ("width", width.width, *seed), {0}, what
    for entry in result.escape:
        what = (
            f"failed replicate {{:,}} of width {entry.from_width}, seed {config.get('seed')}, widened by "
            f"{entry.embedding}"
        )
        yield ("escape", *way(entry), entry.from_width, *seed), set(entry.replicates), what


def merged(results: Sequence[WidenResult]) -> WidenResult:
    """Return the results of several shards as one; that of one alone is itself."""
    if len(results) == 1:
        return results[0]
    widths = sorted({entry.width for result in results for entry in result.widths})
    parts = {width: [one for result in results for one in result.widths if one.width == width] for width in widths}
    return results[0].model_copy(
        update={"widths": [_width(parts[width]) for width in widths], **experiments(results), "checkpoints": {}}
    )


def is_split(results: Sequence[WidenResult]) -> bool:
    """Say whether a width is in several parts, so that its quantiles are lost."""
    counts = Counter(entry.width for result in results for entry in result.widths)
    return max(counts.values(), default=0) > 1


def _width(parts: Sequence[Width]) -> Width:
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    members, successes = sum(one.members for one in parts), sum(one.successes for one in parts)
    found = share(successes, members)
    return Width(
        width=first.width,
        parameters=first.parameters,
        members=members,
        successes=successes,
        success_rate=found.rate,
        success_interval=found.interval,
        endings=added(one.endings for one in parts),
        marginal=sum(one.marginal for one in parts),
        levels=_levels([level for one in parts for level in one.levels]),
        reasons=added(one.reasons for one in parts),
        loss_quantiles=Quantiles(),
        moved_quantiles=None,
        median_steps=None,
        restarted=sum(one.restarted for one in parts),
        lr=first.lr,
        threshold_sensitivity=_thresholds(parts),
    )


def _levels(parts: Sequence[Level]) -> list[Level]:
    """Return the levels of all parts: of one ending they are one where the gap between their losses is rounding."""
    clusters: list[list[Level]] = []
    for level in sorted(parts, key=lambda one: (one.ending, one.loss)):
        last = clusters[-1][-1] if clusters else None
        if last is not None and last.ending == level.ending and _together(last, level):
            clusters[-1].append(level)
        else:
            clusters.append([level])
    found = [_level(cluster) for cluster in clusters]
    return sorted(found, key=lambda level: (-level.members, level.loss))[:MOST]


def _together(lower: Level, higher: Level) -> bool:
    whole = lower.ending == Ending.GLOBAL_MINIMUM.value
    return whole or higher.loss - lower.loss <= max(GAP * abs(higher.loss), SMALLEST_GAP)


def _level(cluster: Sequence[Level]) -> Level:
    curved = [one.smallest_eigenvalue for one in cluster if one.smallest_eigenvalue is not None]
    most = max(cluster, key=lambda one: one.members)
    return Level(
        loss=min(one.loss for one in cluster),
        members=sum(one.members for one in cluster),
        ending=most.ending,
        marginal=any(one.marginal for one in cluster),
        smallest_eigenvalue=min(curved) if curved else None,
        negative_directions=most.negative_directions,
    )


def _thresholds(parts: Sequence[Width]) -> list[Threshold]:
    """Return failures by threshold where all parts have the same thresholds; nothing where they have not."""
    lists = [one.threshold_sensitivity for one in parts]
    if len({tuple(one.threshold for one in part) for part in lists}) != 1:
        return []
    members, found = sum(one.members for one in parts), list[Threshold]()
    for same in zip(*lists, strict=True):
        whole = share(sum(one.failures for one in same), members)
        if whole.rate is not None and whole.interval is not None:
            found.append(
                Threshold(
                    threshold=same[0].threshold,
                    failures=whole.count,
                    failure_rate=whole.rate,
                    failure_interval=whole.interval,
                )
            )
    return found
