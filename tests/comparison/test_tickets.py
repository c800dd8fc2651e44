"""The index against simulated tickets of known rates, a bootstrap, and the definition of Fieller's set."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from escapedim.comparison import tickets as module
from escapedim.comparison.statistics import wilson
from escapedim.comparison.tickets import Index, adjusted_variance, clustered_rate, complement_index, fieller

SETS, DRAWS = 2000, 40


def drawn(rates: tuple[float, float, float], tickets: int, members: int, seed: int):
    """Shares of winners and retests `(SETS, tickets)`, and successes of fresh networks `(SETS,)`.

    Tickets differ by a latent that moves both of their rates by up to 0.2 and leaves the means.
    """
    rng = np.random.default_rng(seed)
    latent = rng.uniform(-1, 1, (SETS, tickets))
    winner = rng.binomial(DRAWS, rates[0] + 0.2 * latent) / DRAWS
    retest = rng.binomial(DRAWS, rates[1] + 0.2 * latent) / DRAWS
    return winner, retest, rng.binomial(members, rates[2], SETS)


def assert_covers(intervals: list[tuple[float, float]], truth: float) -> None:
    """Fail when the share that covers is outside of 0.92 to 0.98 by more than three binomial standard errors."""
    covered = np.mean([low <= truth <= high for low, high in intervals])
    slack = 3 * math.sqrt(0.95 * 0.05 / len(intervals))
    assert 0.935 - slack <= covered <= 0.965 + slack
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize(
    ("rates", "tickets", "members", "deterministic"),
    [
        ((0.6, 0.8, 0.3), 30, 200, False),
        ((0.6, 0.8, 0.3), 6, 200, False),  # where the normal quantile would be too short
        ((0.3, 0.8, 0.3), 12, 300, False),  # surroundings decide: A = 0
        ((0.8, 0.8, 0.3), 20, 300, False),  # tickets decide: A = 1
        ((0.6, 1.0, 0.3), 20, 100, True),
    ],
)
def test_the_interval_covers_the_index_of_simulated_tickets(rates, tickets, members, deterministic):
    winner, retest, fresh = drawn((rates[0], 0.8, rates[2]), tickets, members, seed=tickets)
    found = [
        complement_index([(w, None if deterministic else r) for w, r in zip(*shares, strict=True)], (int(f), members))
        for *shares, f in zip(winner, retest, fresh, strict=True)
    ]
    intervals = [index.interval for index in found if index.interval is not None]
    assert len(intervals) > 0.99 * SETS
    assert all(index.interval is None or index.interval[0] <= index.value <= index.interval[1] for index in found)
    assert_covers(intervals, (rates[0] - rates[2]) / (rates[1] - rates[2]))


def test_the_interval_is_that_of_a_bootstrap_over_tickets():
    winner, retest, fresh = drawn((0.6, 0.8, 0.3), 60, 200, seed=1)
    pairs, rate = np.stack([winner[0], retest[0]], -1), fresh[0] / 200
    index = complement_index(pairs.tolist(), (int(fresh[0]), 200))
    rng = np.random.default_rng(2)
    means = pairs[rng.integers(60, size=(20000, 60))].mean(1)
    resampled = rng.binomial(200, rate, 20000) / 200
    ratios = (means[:, 0] - resampled) / (means[:, 1] - resampled)
    expected = np.quantile(ratios, [0.025, 0.975])
    assert index.value == pytest.approx((pairs[:, 0].mean() - rate) / (pairs[:, 1].mean() - rate))
    assert index.interval == pytest.approx(expected, abs=0.1 * np.ptp(expected))


numbers = st.floats(-2, 2)


@settings(deadline=None)
@given(numbers, numbers, st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(0.5, 5))
def test_fieller_holds_the_ratios_that_are_not_rejected(numerator, denominator, factor, quantile):
    """The covariance is that of a lower triangular `factor`, so that any three numbers give a valid one."""
    lower = np.array([[factor[0], 0], [factor[1], factor[2]]])
    covariance = lower @ lower.T

    def scaled(ratio: float) -> float:
        error = math.sqrt(np.array([1, -ratio]) @ covariance @ np.array([1, -ratio]))
        return abs(numerator - ratio * denominator) / error

    interval = fieller(numerator, denominator, covariance, quantile)
    if interval is None:
        assert abs(denominator) <= quantile * math.sqrt(covariance[1, 1]) * (1 + 1e-9)
        return
    low, high = interval
    assert low <= numerator / denominator <= high
    span = high - low
    if abs(denominator) > 1.01 * quantile * math.sqrt(covariance[1, 1]):
        assert [scaled(end) for end in interval] == pytest.approx([quantile] * 2, rel=1e-4)
        assert max(scaled(low + 0.1 * span), scaled(high - 0.1 * span)) < quantile
        assert min(scaled(low - 0.1 * span), scaled(high + 0.1 * span)) > quantile


ALL = [(1.0, 1.0)] * 20


@pytest.mark.parametrize(
    ("tickets", "fresh", "reason"),
    [
        ([], (3, 10), module.TOO_FEW),
        (ALL[:1], (3, 10), module.TOO_FEW),
        (ALL, (0, 0), module.NO_FRESH),
        (ALL, (96, 100), module.NOTHING_TO_ADD),
        ([(0.5, 0.5), (0.6, 0.3)] * 10, (450, 1000), module.NO_ADVANTAGE),
        ([(0.5, 0.5), (0.6, 0.3)] * 10, (900, 1000), module.DISADVANTAGE),
        ([(0.0, 0.0)] * 20, (0, 100), module.NO_ADVANTAGE),
    ],
)
def test_what_cannot_be_decided_has_a_reason_and_no_number(tickets, fresh, reason):
    assert complement_index(tickets, fresh) == Index(None, None, reason)


def test_95_percent_of_fresh_networks_is_not_more_than_95_percent():
    assert complement_index(ALL, (95, 100)).reason == module.NO_ADVANTAGE


@pytest.mark.parametrize("retest", [1.0, None])
def test_tickets_that_all_agree_leave_an_uncertainty_that_shrinks_with_their_number(retest):
    widths = []
    for count in (5, 20, 80):
        index = complement_index([(1.0, retest)] * count, (30, 100))
        assert index.value == 1.0
        assert index.interval is not None
        assert index.interval[0] < 1 < index.interval[1]
        widths.append(np.ptp(index.interval))
    assert widths[0] > widths[1] > widths[2] > 0


def test_a_retest_that_is_certain_makes_the_index_no_less_certain():
    fresh = (30, 100)
    certain, observed = (complement_index([(0.4, retest), (0.6, retest)] * 10, fresh) for retest in (None, 1.0))
    assert certain.value == observed.value
    assert np.ptp(certain.interval) < np.ptp(observed.interval)


def test_the_index_does_not_depend_on_the_order_of_tickets():
    pairs = [(0.2, 0.9), (0.8, 1.0), (0.5, 0.7), (0.9, 0.8)]
    one, other = complement_index(pairs, (10, 100)), complement_index(pairs[::-1], (10, 100))
    assert one.value == pytest.approx(other.value)
    assert one.interval == pytest.approx(other.interval)


def test_the_adjusted_variance_is_never_0_and_that_of_a_binomial_rate_in_the_end():
    assert adjusted_variance(0, 50) == pytest.approx(adjusted_variance(50, 50))
    assert adjusted_variance(0, 50) > 0
    assert adjusted_variance(30_000, 100_000) == pytest.approx(0.3 * 0.7 / 100_000, rel=1e-3)


def test_the_rate_over_tickets_covers_and_that_of_single_networks_would_not():
    rng = np.random.default_rng(3)
    shares = rng.binomial(DRAWS, rng.uniform(0.2, 0.8, (SETS, 15))) / DRAWS
    found = [clustered_rate(row) for row in shares.tolist()]
    assert_covers([interval for _, interval in found], 0.5)
    naive = [wilson(round(mean * 15 * DRAWS), 15 * DRAWS) for mean, _ in found]
    assert np.mean([low <= 0.5 <= high for low, high in naive]) < 0.9


def test_the_rate_over_tickets_is_the_t_interval_within_0_and_1():
    mean, interval = clustered_rate([0.3, 0.5, 0.4])
    expected = stats.ttest_1samp([0.3, 0.5, 0.4], 0).confidence_interval()
    assert mean == pytest.approx(0.4)
    assert interval == pytest.approx((expected.low, expected.high))
    assert clustered_rate([1.0, 0.2])[1] == (0.0, 1.0)
    assert clustered_rate([]) is None


@pytest.mark.parametrize(
    ("shares", "low", "high"),
    [([1.0] * 8, 8, 8), ([0.0] * 8, 0, 0), ([0.7], 0, 1), ([0.3] * 5, 1, 2), ([0.1] * 10, 1, 1)],
)
def test_tickets_that_all_agree_count_as_one_network_each(shares, low, high):
    mean, interval = clustered_rate(shares)
    assert mean == pytest.approx(shares[0])
    assert interval == pytest.approx((wilson(low, len(shares))[0], wilson(high, len(shares))[1]))
