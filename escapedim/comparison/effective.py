"""Effective tickets N(n) = ln q(n) / ln q(r): as many independent networks of width r fail together as one of width n.

Both failure rates are uncertain: the interval is that of the profile likelihood, with the narrow rate as a nuisance
parameter. Where no wide network failed, or all did, there is one end only, at 95 % one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Counts = tuple[int, int]
"""Failures, and members."""

_TWO_SIDED, _ONE_SIDED = 3.841458820694124, 2.705543454095404  # chi-squared with one degree: 95 % and 90 %
_RANGE = (-30.0, 30.0)  # of the logarithm of N


@dataclass(frozen=True)
class Effective:
    """Estimate and 95 % interval; an end is None where there is none, and `reason` says why there is no estimate."""

    estimate: float | None
    low: float | None
    high: float | None
    reason: str = ""


def effective_tickets(narrow: Counts, wide: Counts) -> Effective:
    """Return N from the failures of members of the narrow and of the wide network."""
    (f_r, n_r), (f_n, n_n) = narrow, wide
    if not n_r or not n_n:
        return Effective(None, None, None, "a width has no members")
    if f_r in (0, n_r):
        which = "no narrow network" if f_r == 0 else "every narrow network"
        return Effective(None, None, None, f"{which} failed, so that ln q(r) is not known")
    profile = _profile(narrow, wide)
    if f_n == 0:
        return Effective(None, _bound(profile, _ONE_SIDED, *_RANGE), None)
    if f_n == n_n:
        return Effective(None, None, _bound(profile, _ONE_SIDED, _RANGE[1], _RANGE[0]))
    estimate = math.log(f_n / n_n) / math.log(f_r / n_r)
    middle = math.log(estimate)
    low = _bound(profile, _TWO_SIDED, _RANGE[0], middle)
    high = _bound(profile, _TWO_SIDED, _RANGE[1], middle)
    return Effective(estimate, low, high)


def _bound(deviance: Callable[[float], float], quantile: float, outer: float, inner: float) -> float:
    """Return N where the deviance falls to the quantile on the way from `outer` to `inner` (logarithms of N)."""
    from scipy import optimize

    if deviance(outer) < quantile:
        return math.exp(outer)
    return math.exp(float(optimize.brentq(lambda at: deviance(at) - quantile, outer, inner, xtol=1e-10)))


def _profile(narrow: Counts, wide: Counts) -> Callable[[float], float]:
    """Return the deviance of ln N: twice the log-likelihood that it costs, at the best narrow rate."""
    best = _saturated(*narrow) + _saturated(*wide)

    def deviance(log_tickets: float) -> float:
        return 2 * (best - _fitted(narrow, wide, math.exp(log_tickets)))

    return deviance


def _fitted(narrow: Counts, wide: Counts, tickets: float) -> float:
    """Largest log-likelihood where q(n) = q(r)^N: concave in -ln q(r), so that its derivative has one root."""
    from scipy import optimize

    def slope(log_rate: float) -> float:
        rate = math.exp(log_rate)
        return sum(_slope(counts, times, rate) for counts, times in ((narrow, 1.0), (wide, tickets)))

    low, high = -40.0, 10.0
    if slope(low) <= 0:
        root = low
    elif slope(high) >= 0:
        root = high
    else:
        root = float(optimize.brentq(slope, low, high, xtol=1e-12))
    rate = math.exp(root)
    return _likelihood(narrow, rate) + _likelihood(wide, rate * tickets)


def _slope(counts: Counts, times: float, rate: float) -> float:
    """Derivative of a log-likelihood by -ln q(r)."""
    failed, members = counts
    return times * (_over_expm1(times * rate) * (members - failed) - failed)


def _over_expm1(value: float) -> float:
    return 0.0 if value > 700 else 1 / math.expm1(max(value, 1e-300))


def _likelihood(counts: Counts, log_failure: float) -> float:
    """Log-likelihood of failures at the rate exp(-log_failure)."""
    failed, members = counts
    won = members - failed
    succeeded = -math.expm1(-log_failure)
    return -failed * log_failure + (won * math.log(max(succeeded, 1e-300)) if won else 0.0)


def _saturated(failed: int, members: int) -> float:
    rate = failed / members
    won = members - failed
    return (failed * math.log(rate) if failed else 0.0) + (won * math.log(1 - rate) if won else 0.0)
