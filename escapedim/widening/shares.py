"""Counts of members as the summary has them: shares with their intervals, and paired tables with their test."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.comparison.statistics import mcnemar, wilson
from escapedim.records.experiments import Paired, Share


def share(holds: Sequence[bool]) -> Share:
    """Return how many of the members it holds for."""
    return share_of(sum(holds), len(holds))


def share_of(count: int, of: int) -> Share:
    """Return a count with its rate and Wilson's interval."""
    return Share(count=count, of=of, rate=count / of if of else None, interval=wilson(count, of))


def paired(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Return the table of the same members under two treatments."""
    pairs = list(zip(first, second, strict=True))
    one, other = pairs.count((True, False)), pairs.count((False, True))
    return Paired(
        both=pairs.count((True, True)),
        first_only=one,
        second_only=other,
        neither=pairs.count((False, False)),
        p=mcnemar(one, other),
    )
