"""Tests of predictions that hold up to a margin: rates, paired differences, and differences of independent rates.

One explanation says that a quantity is 0, the other that it is above 0, and no data could ever tell a small number
from either. So both predictions are taken at one margin that is fixed in advance: "0" is at most the margin, "above"
is more. Each test below asks one side of that border; p-values are one-sided. They are exact, since at the small levels
of a family of tests the tails of normal approximations are too light where networks are few; beyond some hundred pairs
the score test of Tango (1998) is as good, and its interval is given for any number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

NUISANCE = 1e-6  # left out of the interval of a nuisance parameter, and added to the p-value; ours
EXACT_PAIRS = 150  # beyond, by the score; ours
_GRID = 31


def rate_above(count: int, of: int, margin: float) -> float:
    """P-value that a rate is at most `margin`, exact (binomial): small where it is above."""
    from scipy import stats

    return float(stats.binom.sf(count - 1, of, margin)) if of else 1.0


def rate_below(count: int, of: int, margin: float) -> float:
    """P-value that a rate is at least `margin`, exact (binomial): small where it is below."""
    from scipy import stats

    return float(stats.binom.cdf(count, of, margin)) if of else 1.0


def paired_above(first_only: int, second_only: int, of: int, margin: float) -> float:
    """P-value that first - second is at most `margin`, of `of` pairs: small where it is above."""
    if of > EXACT_PAIRS:
        return _upper(paired_score(first_only, second_only, of, margin))
    return _exact_pairs(first_only, second_only, of, margin)


def paired_below(first_only: int, second_only: int, of: int, margin: float) -> float:
    """P-value that first - second is at least `margin`, of `of` pairs: small where it is below."""
    if of > EXACT_PAIRS:
        return _upper(-paired_score(first_only, second_only, of, margin))
    return _exact_pairs(second_only, first_only, of, -margin)


def _exact_pairs(first_only: int, second_only: int, of: int, difference: float) -> float:
    """Exact p-value that first - second is at most `difference`: of all tables with at least as large a score.

    How often pairs differ at all is a nuisance: the p-value is the largest over an interval that holds it but for
    `NUISANCE` (Berger & Boos 1994).
    """
    from scipy import special

    if not of:
        return 1.0
    first, second = (axis.ravel() for axis in np.mgrid[: of + 1, : of + 1])
    there = first + second <= of
    first, second = first[there], second[there]
    least = paired_score(first_only, second_only, of, difference)
    larger = _scores(first, second, of, difference) >= least - 1e-9
    first, second = first[larger], second[larger]
    equal = of - first - second
    ways = special.gammaln(of + 1) - sum(special.gammaln(count + 1) for count in (first, second, equal))
    low, high = _bounds(first_only + second_only, of)
    rates = np.linspace(max(low, abs(difference)), max(high, abs(difference)), _GRID)[:, None]
    chances = (
        special.xlogy(first, (rates + difference) / 2)
        + special.xlogy(second, (rates - difference) / 2)
        + special.xlogy(equal, 1 - rates)
    )
    return float(min(1.0, np.exp(ways + chances).sum(1).max() + NUISANCE))


def _scores(first: np.ndarray, second: np.ndarray, of: int, difference: float) -> np.ndarray:
    """Return `paired_score` of many tables."""
    linear = (2 * of - first + second) * difference - first - second
    root = np.sqrt(np.maximum(0.0, linear * linear + 8 * of * second * difference * (1 - difference)))
    variance = np.maximum(0.0, (root - linear) / 2 + of * difference * (1 - difference))
    distance = first - second - of * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = distance / np.sqrt(variance)
    return np.where(variance > 0, scores, np.where(np.abs(distance) < 1e-12, 0.0, np.copysign(np.inf, distance)))


def _bounds(count: int, of: int) -> tuple[float, float]:
    """Clopper & Pearson's (1934) interval of a rate that leaves out `NUISANCE`."""
    from scipy import stats

    low = float(stats.beta.ppf(NUISANCE / 2, count, of - count + 1)) if count else 0.0
    high = float(stats.beta.isf(NUISANCE / 2, count + 1, of - count)) if count < of else 1.0
    return low, high


def paired_score(first_only: int, second_only: int, of: int, difference: float) -> float:
    """Tango's (1998) score of the hypothesis that two paired rates differ by `difference`; 0 of no pairs."""
    if not of:
        return 0.0
    b, c, delta = first_only, second_only, difference
    linear = -b - c + (2 * of - b + c) * delta
    root = math.sqrt(max(0.0, linear * linear + 8 * of * c * delta * (1 - delta)))
    second = (root - linear) / (4 * of)
    variance = of * (2 * second + delta * (1 - delta))
    return _over(b - c - of * delta, variance)


Counted = tuple[int, int]
"""Successes, and members."""


def independent_above(first: Counted, second: Counted, margin: float) -> float:
    """P-value that first - second is at most `margin`: small where it is above.

    Exact (binomial) in the first rate; the second is a nuisance, as in `paired_above`.
    """
    if not (first[1] and second[1]):
        return 1.0
    return min(1.0, rate_above(*first, min(1.0, max(0.0, _bounds(*second)[1] + margin))) + NUISANCE)


def independent_below(first: Counted, second: Counted, margin: float) -> float:
    """P-value that first - second is at least `margin`: small where it is below; as `independent_above`."""
    if not (first[1] and second[1]):
        return 1.0
    return min(1.0, rate_below(*first, min(1.0, max(0.0, _bounds(*second)[0] + margin))) + NUISANCE)


def score_interval(score: Callable[[float], float], tail: float = 0.025) -> tuple[float, float]:
    """Return the differences between -1 and 1 that a falling score does not reject, `tail` on either side."""
    from scipy import optimize, stats

    quantile = float(stats.norm.isf(tail))

    def bound(target: float, end: float) -> float:
        inner = 1 - 1e-9
        low, high = score(-inner) - target, score(inner) - target
        if low <= 0 or high >= 0:
            return end
        return float(optimize.brentq(lambda at: score(at) - target, -inner, inner, xtol=1e-9))

    return bound(quantile, -1.0), bound(-quantile, 1.0)


def paired_interval(first_only: int, second_only: int, of: int, tail: float = 0.025) -> tuple[float, float] | None:
    """Tango's (1998) interval of a difference of paired rates, 95 % as it stands; None of no pairs."""
    return score_interval(lambda at: paired_score(first_only, second_only, of, at), tail) if of else None


def combined_interval(
    left: tuple[float, tuple[float, float]], right: tuple[float, tuple[float, float]]
) -> tuple[float, float]:
    """95 % interval of left - right of independent estimates with their intervals (MOVER, Zou & Donner 2008)."""
    (a, (low_a, high_a)), (b, (low_b, high_b)) = left, right
    below = math.hypot(a - low_a, high_b - b)
    above = math.hypot(high_a - a, b - low_b)
    return a - b - below, a - b + above


def _over(difference: float, variance: float) -> float:
    if variance <= 0:
        return 0.0 if abs(difference) < 1e-12 else math.copysign(math.inf, difference)
    return difference / math.sqrt(variance)


def _upper(score: float) -> float:
    """Upper tail of a standard normal distribution."""
    return 0.5 * math.erfc(score / math.sqrt(2))
