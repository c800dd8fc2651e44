"""Shards of one study made one: widen summaries of other seeds or other widths, counted together.

Counts and levels add up exactly. Quantiles and medians cannot be had from those of the parts: they are left out, and
the merged source says so. A member that two files share would count twice: that is refused, by root seed, width and
range of replicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from escapedim.comparison.rows.parts import share
from escapedim.errors import BadInput
from escapedim.landscape.levels import GAP, MOST, SMALLEST_GAP
from escapedim.landscape.vocabulary import Ending
from escapedim.records.results import Level, Quantiles, Threshold, WidenResult, Width
from escapedim.records.summary import Summary

NOT_MERGED = ("loss_quantiles", "moved_quantiles", "median_steps")
_EXPERIMENTS = ("isolation", "complement", "escape", "restarts", "transient", "step_halving")

Named = tuple[str, Summary]


def check_members(named: Sequence[Named]) -> None:
    """Refuse members that are in two files.

    Raises
    ------
    BadInput
        The same run twice, or the same width of one root seed, or failed members that were widened twice.
    """
    runs: dict[tuple[str, str], str] = {}
    members: dict[tuple[Any, ...], str] = {}
    for name, summary in named:
        other = runs.setdefault((summary.kind, summary.id), name)
        if other is not name:
            raise BadInput(f"{name} is the same run as {other} ({summary.kind} {summary.id}); name it once.")
        for key, what in _members(summary):
            other = members.setdefault(key, name)
            if other is not name:
                raise BadInput(f"{name} has {what}, and so has {other}: they would count twice; leave one of them out.")


def _members(summary: Summary) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield what identifies the members of a summary, and what they are."""
    result, config = summary.result, summary.config
    if not isinstance(result, WidenResult):
        return
    seed = config.get("seed")
    for width in result.widths:
        yield ("width", seed, width.width), f"replicates 0 to {width.members - 1:,} of width {width.width}, seed {seed}"
    for entry in result.escape:
        how = (entry.from_width, entry.layer, entry.by, entry.embedding, entry.alpha, entry.perturbation)
        for replicate in entry.replicates:
            what = (
                f"failed replicate {replicate:,} of width {entry.from_width}, seed {seed}, widened by {entry.embedding}"
            )
            yield ("escape", seed, *how, replicate), what


def merged(named: Sequence[Named]) -> WidenResult:
    """Return the widen results of several summaries as one; that of one alone is itself."""
    results = [summary.result for _, summary in named if isinstance(summary.result, WidenResult)]
    if len(results) == 1:
        return results[0]
    widths = sorted({entry.width for result in results for entry in result.widths})
    parts = {width: [one for result in results for one in result.widths if one.width == width] for width in widths}
    experiments = {name: [one for result in results for one in getattr(result, name)] for name in _EXPERIMENTS}
    return results[0].model_copy(
        update={"widths": [_width(parts[width]) for width in widths], **experiments, "checkpoints": {}}
    )


def is_split(named: Sequence[Named]) -> bool:
    """Say whether a width is in several parts, so that its quantiles are lost."""
    results = [summary.result for _, summary in named if isinstance(summary.result, WidenResult)]
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
        endings=_added(one.endings for one in parts),
        marginal=sum(one.marginal for one in parts),
        levels=_levels([level for one in parts for level in one.levels]),
        reasons=_added(one.reasons for one in parts),
        loss_quantiles=Quantiles(),
        moved_quantiles=None,
        median_steps=None,
        restarted=sum(one.restarted for one in parts),
        lr=first.lr,
        threshold_sensitivity=_thresholds(parts),
    )


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


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
