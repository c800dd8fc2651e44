"""Counts of members as the summary has them: shares with their intervals, and paired tables with their test."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.comparison import counted
from escapedim.comparison.counted import paired_counts
from escapedim.records.experiments import Paired, Share


def share(holds: Sequence[bool]) -> Share:
    """Return how many of the members it holds for."""
    return counted.share(sum(holds), len(holds))


def paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Return the table of the same members under two treatments."""
    pairs = list(zip(first, second, strict=True))
    return paired_counts(*(pairs.count(one) for one in ((True, True), (True, False), (False, True), (False, False))))
