"""Laws q(n) = q(r)^m(n): failure rates that are powers of the narrow one, fitted for many data sets at once.

With λ = -ln q(r) the log-likelihood Σ -f λ m + (N - f) ln(1 - exp(-λ m)) is concave, so that its derivative has one
root; it is bisected in ln λ. The family m(n) = (n/r)^γ is a binomial regression with the complementary log-log link
(McCullagh & Nelder 1989, section 4.3), fitted by scoring.
"""

from __future__ import annotations

from math import comb

import numpy as np

_LARGEST = 1e300  # powers beyond it are all the same: no network fails
_LOG_RATE = (-60.0, 8.0)  # of λ: failure rates from 1 down to 0 in double precision
_BISECTIONS, _SCORINGS, _HALVINGS = 70, 100, 12


def disjoint(widths: np.ndarray, base: int) -> np.ndarray:
    """Return floor(n/r), the number of disjoint narrow networks `(widths,)`."""
    return np.asarray(widths // base, dtype=np.float64)


def independent(widths: np.ndarray, base: int) -> np.ndarray:
    """Return C(n, r), the number of subsets `(widths,)`."""
    return np.array([float(min(comb(int(width), base), int(_LARGEST))) for width in widths])


def fit_rate(failed: np.ndarray, members: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return the most likely ln λ `(draws,)` of failures `(draws, widths)` of members `(widths,)`."""
    low, high = np.full(len(failed), _LOG_RATE[0]), np.full(len(failed), _LOG_RATE[1])
    low -= np.log(powers.max())
    won = members - failed
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        exponent = np.exp(middle)[:, None] * powers
        slope = (powers * (won * _over_expm1(exponent) - failed)).sum(1)
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.asarray((low + high) / 2)


def fit_family(failed: np.ndarray, members: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return ln λ and γ `(draws, 2)` of the family with `ratios` n/r `(widths,)`."""
    x = np.stack([np.ones_like(ratios), np.log(ratios)], axis=1)
    rate = fit_rate(failed, members, ratios)  # γ = 1
    found = np.stack([rate, np.ones_like(rate)], axis=1)
    best, won = _likelihood(failed, members, found, x), members - failed
    for _ in range(_SCORINGS):
        exponent = _exponents(found, x)
        over = _over_expm1(exponent)
        score = (exponent * (won * over - failed)) @ x
        weight = members * exponent**2 * over
        information = np.einsum("dw,wi,wj->dij", weight, x, x) + 1e-9 * np.eye(2)
        step = np.linalg.solve(information, score[:, :, None])[:, :, 0]
        found, best, gained = _climbed(found, np.clip(step, -20, 20), best, failed, members, x)
        if gained < 1e-9:
            break
    return found


def _climbed(
    found: np.ndarray, step: np.ndarray, best: np.ndarray, failed: np.ndarray, members: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Take the step or the first of its halves that is more likely; the log-likelihood is concave."""
    gained = np.zeros(len(found))
    for halving in range(_HALVINGS):
        left = gained == 0
        tried = found[left] + step[left] / 2**halving
        likelihood = _likelihood(failed if len(failed) == 1 else failed[left], members, tried, x)
        more = np.maximum(likelihood - best[left], 0)
        better = np.flatnonzero(left)[more > 0]
        gained[better] = more[more > 0]
        found[better], best[better] = tried[more > 0], likelihood[more > 0]
        if (gained > 0).all():
            break
    return found, best, float(gained.max())


def _exponents(found: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(np.clip(found @ x.T, *_LOG_RATE)))


def _likelihood(failed: np.ndarray, members: np.ndarray, found: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Log-likelihood `(draws,)` of ln λ and γ."""
    exponent = _exponents(found, x)
    won = members - failed
    return np.asarray((won * np.log(-np.expm1(-exponent)) - failed * exponent).sum(1))


def log_failure(log_rate: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return ln q `(draws, widths)` of ln λ `(draws,)`; `powers` are `(widths,)` or `(draws, widths)`."""
    return np.asarray(-np.exp(log_rate)[:, None] * powers)


def _over_expm1(exponent: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(1 / np.expm1(np.maximum(exponent, 1e-300)))
