from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from escapedim.comparison.effective import effective_tickets


def on_a_grid(narrow: tuple[int, int], wide: tuple[int, int], tickets: float) -> float:
    """The deviance of N by brute force over the narrow failure rate."""
    rates = np.linspace(1e-6, 1 - 1e-6, 200_001)
    ll = stats.binom.logpmf(narrow[0], narrow[1], rates) + stats.binom.logpmf(wide[0], wide[1], rates**tickets)
    best = sum(stats.binom.logpmf(f, n, f / n) for f, n in (narrow, wide))
    return 2 * (best - ll.max())


@pytest.mark.parametrize(("narrow", "wide"), [((500, 1000), (120, 1000)), ((20, 40), (5, 200)), ((90, 100), (60, 100))])
def test_the_interval_ends_where_the_profile_likelihood_costs_3_84(narrow, wide):
    found = effective_tickets(narrow, wide)
    assert found.estimate == pytest.approx(math.log(wide[0] / wide[1]) / math.log(narrow[0] / narrow[1]))
    for end in (found.low, found.high):
        assert on_a_grid(narrow, wide, end) == pytest.approx(3.8415, abs=2e-3)
    assert found.low < found.estimate < found.high


def test_without_a_failure_or_without_a_success_there_is_one_end():
    least = effective_tickets((500, 1000), (0, 1000))
    assert (least.estimate, least.high) == (None, None)
    assert on_a_grid((500, 1000), (0, 1000), least.low) == pytest.approx(2.7055, abs=2e-3)
    most = effective_tickets((500, 1000), (1000, 1000))
    assert (most.estimate, most.low) == (None, None)
    assert 0 < most.high < 0.01


@pytest.mark.parametrize("narrow", [(0, 100), (100, 100)])
def test_a_narrow_rate_of_0_or_1_tells_nothing(narrow):
    found = effective_tickets(narrow, (5, 100))
    assert (found.estimate, found.low, found.high) == (None, None, None)
    assert "ln q(r) is not known" in found.reason
    assert effective_tickets((1, 2), (0, 0)).reason


@given(st.integers(1, 99), st.integers(1, 99), st.integers(1, 10_000))
def test_more_members_narrow_the_interval(f_r, f_n, times):
    one = effective_tickets((f_r, 100), (f_n, 100))
    many = effective_tickets((f_r * times, 100 * times), (f_n * times, 100 * times))
    assert many.estimate == pytest.approx(one.estimate)
    assert many.high / many.low <= one.high / one.low * (1 + 1e-6)


def test_intervals_cover():
    rng = np.random.default_rng(0)
    tickets, covered = 2.5, 0
    for _ in range(400):
        counts = [(int(rng.binomial(n, q)), n) for q, n in ((0.6, 200), (0.6**tickets, 200))]
        found = effective_tickets(*counts)
        covered += found.low <= tickets <= found.high
    assert 0.92 < covered / 400 < 0.98
