"""Intervals and tests that reports and verdicts share; distributions come from scipy.

Missing values are None: a quantity that cannot be estimated is None too, never a number that looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

LEVEL = 0.95
"""Coverage of every interval (design)."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean of paired differences with its standard error, t interval and two-sided p-value.

    All but the mean are None with fewer than two pairs, or where all differences are equal.
    """

    mean: float
    standard_error: float | None
    interval: tuple[float, float] | None
    p: float | None


def paired_difference(left: Sequence[float], right: Sequence[float]) -> PairedDifference:
    """Paired t test of left - right (at least one pair)."""
    differences = np.subtract(left, right)
    mean = float(differences.mean())
    if len(differences) < 2 or np.ptp(differences) <= 1e-12:  # equal but for rounding: no spread to estimate
        return PairedDifference(mean, None, None, None)
    from scipy import special  # what stats.t is made of; importing scipy.stats takes as long as a round of pruning

    freedom = len(differences) - 1
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p = float(2 * special.stdtr(freedom, -abs(mean) / error))
    return PairedDifference(mean, error, (mean - half, mean + half), p)


def paired_shares(left: Sequence[float], right: Sequence[float]) -> PairedDifference:
    """Paired difference of shares between 0 and 1, with its interval inside -1 and 1 (at least one pair).

    Where all pairs differ by the same, how many of them would not is unknown: the interval is Wilson's of none of them.
    """
    found = paired_difference(left, right)
    if found.interval is None:
        rare = wilson(0, len(left))
        assert rare is not None, "there is at least one pair"
        return replace(found, interval=(max(-1.0, found.mean - rare[1]), min(1.0, found.mean + rare[1])))
    return replace(found, interval=(max(-1.0, found.interval[0]), min(1.0, found.interval[1])))


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of a mean; None with fewer than two values."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (Holm 1979)."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


@cache  # the summary of a run under way is written many times, with the same intervals
def wilson(successes: int, count: int) -> tuple[float, float] | None:
    """Wilson's score interval of a rate (Wilson 1927); None without observations."""
    if not count:
        return None
    from scipy import stats

    interval = stats.binomtest(successes, count).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first_only: int, second_only: int) -> float | None:
    """Two-sided p-value of McNemar's exact test, that either treatment alone is as likely to succeed as the other.

    Of paired members those count that succeed under one treatment only (McNemar 1947; exact: binomial with p = 1/2).
    None where no member differs.
    """
    if not first_only + second_only:
        return None
    from scipy import stats

    return float(stats.binomtest(first_only, first_only + second_only).pvalue)


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float | None:
    """Two-sided p-value of Fisher's exact test that two (successes, members) have one rate; None without members."""
    if not (first[1] and second[1]):
        return None
    from scipy import stats

    table = [[count, members - count] for count, members in (first, second)]
    return float(stats.fisher_exact(table).pvalue)


def best_of(successes: int, members: int, k: float) -> tuple[float, tuple[float, float]] | None:
    """Return the probability 1 - (1 - p)^k that the best of k members succeeds, with its interval; None of none.

    It rises with p, so that Wilson's bounds of p are carried through; k > 0 need not be whole.
    """
    bounds = wilson(successes, members)
    if bounds is None:
        return None
    value, low, high = (1 - (1 - rate) ** k for rate in (successes / members, *bounds))
    return value, (low, high)
