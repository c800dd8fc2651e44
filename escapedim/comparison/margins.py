"""Tests of predictions that hold up to a margin: rates, paired differences, and differences of independent rates.

One explanation says that a quantity is 0, the other that it is above 0, and no data could ever tell a small number
from either. So both predictions are taken at one margin that is fixed in advance: "0" is at most the margin, "above"
is more. Each test below asks one side of that border; p-values are one-sided. Paired and independent differences use
the score tests of Tango (1998) and of Farrington & Manning (1990), which estimate the other rate under the hypothesis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


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
    return _upper(paired_score(first_only, second_only, of, margin))


def paired_below(first_only: int, second_only: int, of: int, margin: float) -> float:
    """P-value that first - second is at least `margin`, of `of` pairs: small where it is below."""
    return _upper(-paired_score(first_only, second_only, of, margin))


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


def stratified_above(strata: Sequence[tuple[Counted, Counted]], margin: float) -> float:
    """P-value that the mean over strata of first - second is at most `margin`: small where it is above."""
    return _upper(stratified_score(strata, margin))


def stratified_below(strata: Sequence[tuple[Counted, Counted]], margin: float) -> float:
    """P-value that the mean over strata of first - second is at least `margin`: small where it is below."""
    return _upper(-stratified_score(strata, margin))


def stratified_score(strata: Sequence[tuple[Counted, Counted]], difference: float) -> float:
    """Farrington & Manning's (1990) score of the hypothesis that rates differ by `difference`, over strata.

    Strata are weighted by the members of the first group, so that what differs between them is not taken for a
    difference between the groups; each has its own rates under the hypothesis. 0 without members.
    """
    known = [(first, second) for first, second in strata if first[1] and second[1]]
    total = sum(first[1] for first, _ in known)
    weights = [first[1] / total for first, _ in known]
    terms = [_difference(first, second, difference) for first, second in known]
    mean = sum(weight * one for weight, (one, _) in zip(weights, terms, strict=True))
    variance = sum(weight * weight * one for weight, (_, one) in zip(weights, terms, strict=True))
    return _over(mean - difference, variance) if known else 0.0


def _difference(first: Counted, second: Counted, difference: float) -> tuple[float, float]:
    """Return the difference of two rates and its variance where they differ by `difference`."""
    (x, m), (y, n) = first, second
    rate = _constrained(x / m, y / n, n / m, difference)
    other = min(1.0, max(0.0, rate - difference))
    return x / m - y / n, rate * (1 - rate) / m + other * (1 - other) / n


def _constrained(one: float, other: float, ratio: float, difference: float) -> float:
    """Most likely first rate where it exceeds the second by `difference`; `ratio` is the second sample over the first.

    The root of a cubic, by its trigonometric form (Farrington & Manning 1990, appendix).
    """
    a = 1 + ratio
    b = -(1 + ratio + one + ratio * other + difference * (ratio + 2))
    c = difference * difference + difference * (2 * one + ratio + 1) + one + ratio * other
    d = -one * difference * (1 + difference)
    v = b**3 / (27 * a**3) - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max(0.0, b * b / (9 * a * a) - c / (3 * a))), v)
    cosine = 0.0 if u == 0 else min(1.0, max(-1.0, v / u**3))
    w = (math.pi + math.acos(cosine)) / 3
    return min(1.0, max(0.0, 2 * u * math.cos(w) - b / (3 * a)))


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
