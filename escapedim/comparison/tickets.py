"""Rates and their ratio where networks come in clusters: those that share a ticket are no independent ones.

What was observed of a ticket is one number, the share of its networks that succeed, and the spread between tickets is
the only one that enters an interval (as in cluster sampling, Cochran 1977, chapter 9). Where all tickets agree, their
spread is 0 but is not known to be: then a ticket counts as one network, which is the least it can tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.comparison.statistics import LEVEL, wilson
from escapedim.records.experiments import Estimated, Surrounded, Ticket, Tickets

MOST_FRESH = 0.95
"""Rate of fresh networks above which the index is undecided (design)."""
EQUAL = 1e-12  # spread of shares that differ by rounding only

TOO_FEW = "there are fewer than two tickets"
NO_FRESH = "there are no fresh networks"
NOTHING_TO_ADD = "fresh networks succeed in more than 95 %, so that there is nothing for a ticket to add"
NO_ADVANTAGE = "tickets alone do not succeed significantly more often than fresh networks"
DISADVANTAGE = "tickets alone succeed less often than fresh networks"


@dataclass(frozen=True)
class Index:
    """An estimate with its 95 % interval; both are None where it is undecided, and `reason` is a clause on why."""

    value: float | None
    interval: tuple[float, float] | None
    reason: str = ""


def complement_index(tickets: Sequence[tuple[float, float | None]], fresh: tuple[int, int]) -> Index:
    """Return A = (P_winner - P_fresh) / (P_retest - P_fresh): 1 where tickets decide, 0 where their surroundings do.

    Parameters
    ----------
    tickets
        Of each ticket the share of its networks with redrawn surroundings that succeed, and the share of its retests
        that do: None where training is deterministic, so that a retest succeeds by definition.
    fresh
        Successes and number of fresh wide networks, which are independent of each other and of the tickets.

    Notes
    -----
    The interval is Fieller's (1954) with variances and the covariance over tickets and the t quantile of their number
    less 1. It would have no end where the denominator is not significantly above 0: then the index is undecided.
    """
    reason = _undecidable(len(tickets), fresh)
    if reason:
        return Index(None, None, reason)
    from scipy import stats

    quantile = float(stats.t.ppf((1 + LEVEL) / 2, len(tickets) - 1))
    winner, retest, covariance = _moments(tickets)
    rate, variance = fresh[0] / fresh[1], adjusted_variance(fresh[0], fresh[1])
    above, alone = winner - rate, retest - rate
    covariance = covariance + variance  # the fresh rate is in the numerator and in the denominator
    interval = fieller(above, alone, covariance, quantile)
    if interval is None or alone < 0:
        significant = interval is not None
        return Index(None, None, DISADVANTAGE if significant else NO_ADVANTAGE)
    return Index(above / alone, interval)


def index_above(tickets: Sequence[tuple[float, float | None]], fresh: tuple[int, int], value: float) -> float:
    """P-value of A ≤ `value`: a one-sided t test of the contrast numerator - value · denominator over tickets.

    `complement_index` must have an estimate: then the denominator is above 0. The test is stricter than its interval.
    """
    from scipy import stats

    return float(stats.t.sf(_index_score(tickets, fresh, value), len(tickets) - 1))


def index_below(tickets: Sequence[tuple[float, float | None]], fresh: tuple[int, int], value: float) -> float:
    """P-value of A ≥ `value`, as `index_above`."""
    from scipy import stats

    return float(stats.t.cdf(_index_score(tickets, fresh, value), len(tickets) - 1))


def _index_score(tickets: Sequence[tuple[float, float | None]], fresh: tuple[int, int], value: float) -> float:
    winner, retest, covariance = _moments(tickets)
    # Shares near 0 and 1 are skewed, and a lucky sample of them has too small a spread: it is not taken for less than
    # that of tickets that are one network each.
    for column, mean in ((0, winner), (1, retest)):
        if column == 0 or any(again is not None for _, again in tickets):
            least = adjusted_variance(mean * len(tickets), len(tickets))
            covariance[column, column] = max(covariance[column, column], least)
    rate, variance = fresh[0] / fresh[1], adjusted_variance(fresh[0], fresh[1])
    contrast = np.array([1.0, -value])
    spread = float(contrast @ (covariance + variance) @ contrast)
    return (winner - rate - value * (retest - rate)) / math.sqrt(spread)


def _undecidable(tickets: int, fresh: tuple[int, int]) -> str:
    """Return what is missing before anything is computed, or nothing."""
    successes, members = fresh
    if tickets < 2:
        return TOO_FEW
    if not members:
        return NO_FRESH
    return NOTHING_TO_ADD if successes > MOST_FRESH * members else ""


def _moments(tickets: Sequence[tuple[float, float | None]]) -> tuple[float, float, np.ndarray]:
    """Return the means over tickets, and the covariance matrix of these means `(2, 2)`."""
    exact = all(retest is None for _, retest in tickets)
    shares = np.array([(winner, 1.0 if retest is None else retest) for winner, retest in tickets])
    means, covariance = shares.mean(0), np.cov(shares.T) / len(shares)
    for column in range(2):
        if np.ptp(shares[:, column]) <= EQUAL and not (column == 1 and exact):
            covariance[column, column] = adjusted_variance(float(shares[:, column].sum()), len(shares))
    return float(means[0]), float(means[1]), covariance


def adjusted_variance(successes: float, count: int) -> float:
    """Variance of a rate that is never 0: from z²/2 more successes and as many more failures (Agresti & Coull 1998)."""
    from scipy import stats

    more = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    rate = (successes + more / 2) / (count + more)
    return rate * (1 - rate) / (count + more)


def fieller(
    numerator: float, denominator: float, covariance: np.ndarray, quantile: float
) -> tuple[float, float] | None:
    """Return Fieller's interval of a ratio of means with that `covariance` `(2, 2)`; None where it has no end.

    The ratios a whose difference numerator - a · denominator is within `quantile` standard errors of 0 (Fieller 1954)
    are those between the roots of a quadratic, if the denominator is further than that from 0.
    """
    square = quantile * quantile
    (v_numerator, shared), (_, v_denominator) = covariance.tolist()
    a = denominator * denominator - square * v_denominator
    if a <= 0:
        return None
    b = numerator * denominator - square * shared
    c = numerator * numerator - square * v_numerator
    half = math.sqrt(max(0.0, b * b - a * c))
    return (b - half) / a, (b + half) / a


def clustered_rate(shares: Sequence[float]) -> tuple[float, tuple[float, float]] | None:
    """Return the mean share over tickets with its t interval within 0 and 1; None without a ticket.

    Where all tickets agree the interval is Wilson's, with a ticket for an observation; one share between 0 and 1 lies
    between a failure and a success, and so do its bounds.
    """
    if not shares:
        return None
    mean, count = float(np.mean(shares)), len(shares)
    if np.ptp(shares) <= EQUAL:
        return mean, _wilson_around(mean * count, count)
    from scipy import stats

    half = float(stats.t.ppf((1 + LEVEL) / 2, count - 1)) * float(np.std(shares, ddof=1)) / math.sqrt(count)
    return mean, (max(0.0, mean - half), min(1.0, mean + half))


def _wilson_around(successes: float, count: int) -> tuple[float, float]:
    """Return Wilson's bounds of a number of successes that need not be whole, from the whole ones around it."""
    low = wilson(math.floor(successes + EQUAL), count)
    high = wilson(math.ceil(successes - EQUAL), count)
    assert low is not None
    assert high is not None
    return low[0], high[1]


def describe_tickets(
    tickets: Sequence[Ticket], draws: int, retests: int, scales: Sequence[float], won: bool
) -> Tickets:
    """Return the tickets with their rates, each ticket being one observation.

    `draws` are the surroundings of each at each of the `scales`, `retests` how often each was trained alone again;
    where it was not, since it would have repeated what it did, that is what it does: it `won` or not.
    """
    again = [float(won) if ticket.retest is None else ticket.retest / retests for ticket in tickets]
    return Tickets(tickets=list(tickets), retest=_estimated(again),
                   surrounded=[_surrounded(scale, tickets, draws) for scale in scales])  # fmt: skip


def _surrounded(scale: float, tickets: Sequence[Ticket], draws: int) -> Surrounded:
    counts = [ticket.successes[f"{scale:g}"] for ticket in tickets]
    return Surrounded(scale=scale, rate=_estimated([count / draws for count in counts]), networks=draws * len(counts),
                      successes=sum(counts))  # fmt: skip


def _estimated(shares: Sequence[float]) -> Estimated:
    found = clustered_rate(shares)
    return Estimated(value=None, interval=None) if found is None else Estimated(value=found[0], interval=found[1])


def entry_shares(tickets: Sequence[Ticket], draws: int, retests: int) -> list[tuple[float, float | None]]:
    """Return of each ticket the share of its networks at scale 1 that succeed, and of its retests."""
    return [
        (ticket.successes["1"] / draws, None if ticket.retest is None else ticket.retest / retests)
        for ticket in tickets
    ]
