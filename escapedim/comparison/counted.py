"""Counts that are added up: shares with Wilson's interval, and tables of pairs with McNemar's test."""

from __future__ import annotations

from collections.abc import Iterable

from escapedim.comparison.statistics import mcnemar, wilson
from escapedim.records.experiments import Paired, Share


def share(count: int, of: int) -> Share:
    """Return a share with its Wilson interval."""
    return Share(count=count, of=of, rate=count / of if of else None, interval=wilson(count, of))


def pooled(shares: Iterable[Share | None]) -> Share:
    """Return the share of all members together; what is not known adds none."""
    known = [one for one in shares if one is not None]
    return share(sum(one.count for one in known), sum(one.of for one in known))


def paired_counts(both: int, first_only: int, second_only: int, neither: int) -> Paired:
    """Return the table of members under two treatments."""
    return Paired(both=both, first_only=first_only, second_only=second_only, neither=neither,
                  p=mcnemar(first_only, second_only))  # fmt: skip


def pooled_table(tables: Iterable[Paired]) -> Paired:
    """Return the table of all members together."""
    counts = [(one.both, one.first_only, one.second_only, one.neither) for one in tables]
    return paired_counts(*(sum(column) for column in zip(*counts, strict=True)))


def pooled_pairs(tables: Iterable[Paired]) -> tuple[int, int, int]:
    """Return pairs that succeed under the first treatment only, under the second only, and all pairs.

    A prediction about the difference that holds of every table holds of their sum.
    """
    first = second = of = 0
    for table in tables:
        first, second = first + table.first_only, second + table.second_only
        of += table.both + table.first_only + table.second_only + table.neither
    return first, second, of
