"""Failure rates by width of a study, and what laws take from its experiments."""

from __future__ import annotations

from escapedim.comparison.counted import pooled, share
from escapedim.comparison.escapes import splits, way
from escapedim.comparison.study import Study
from escapedim.records.comparison import Failures
from escapedim.records.experiments import Isolation, Share
from escapedim.records.results import WidenResult


def failures(study: Study) -> list[Failures]:
    """Return the failures of every width, over all sources that have it."""
    counts: dict[int, list[int]] = {}
    for _, result in study.of(WidenResult):
        for entry in result.widths:
            found = counts.setdefault(entry.width, [0, 0])
            found[0] += entry.members - entry.successes
            found[1] += entry.members
    made = []
    for width, (failed, members) in sorted(counts.items()):
        found_share = share(failed, members)
        if found_share.rate is not None and found_share.interval is not None:
            made.append(
                Failures(width=width, failed=failed, members=members, rate=found_share.rate,
                         interval=found_share.interval)
            )  # fmt: skip
    return made


def exhaustive(study: Study) -> dict[int, list[Isolation]]:
    """Return isolation entries by width where all subnetworks were trained, so that q_lit is known."""
    found: dict[int, list[Isolation]] = {}
    for _, entry in study.entries("isolation"):
        if is_whole(study, entry) and entry.members:
            found.setdefault(entry.width, []).append(entry)
    return found


def is_whole(study: Study, entry: Isolation) -> bool:
    """Say whether all subnetworks of all sizes from R to n - 1 were trained, so that "none wins" is known.

    R is the base width, since no smaller network was scaled, or without one the least size that was trained.
    """
    sizes = {one.units for one in entry.sizes}
    least = min(sizes, default=1) if study.base_width is None else study.base_width
    return not entry.sampled and sizes.issuperset(range(least, entry.width))


def stays(study: Study) -> dict[int, Share]:
    """Return the share of failed networks that fail again after one unit is added by the default split, by width."""
    entries: dict[int, list[Share]] = {}
    for _, entry in splits(study):
        if way(entry).is_default(study):
            stayed = share(entry.reached_global.of - entry.reached_global.count, entry.reached_global.of)
            entries.setdefault(entry.from_width, []).append(stayed)
    return {width: pooled(shares) for width, shares in sorted(entries.items())}
