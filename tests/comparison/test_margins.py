from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from escapedim.comparison import margins


def paired_likelihood(b: int, c: int, n: int, delta: float) -> tuple[float, float]:
    """The most likely second-only rate under the hypothesis, and Tango's score, by numerical maximisation."""

    def minus(second: float) -> float:
        first = second + delta
        return -(stats.multinomial.logpmf([b, c, n - b - c], n, [first, second, 1 - first - second]))

    low, high = max(0.0, -delta) + 1e-12, (1 - delta) / 2 - 1e-12
    second = optimize.minimize_scalar(minus, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = n * (2 * second + delta * (1 - delta))
    return second, (b - c - n * delta) / np.sqrt(variance)


@pytest.mark.parametrize(("b", "c", "n"), [(12, 3, 40), (5, 5, 20), (30, 1, 50), (1, 9, 100)])
@pytest.mark.parametrize("delta", [-0.1, 0.05, 0.2])
def test_the_paired_score_is_at_the_constrained_maximum(b, c, n, delta):
    assert margins.paired_score(b, c, n, delta) == pytest.approx(paired_likelihood(b, c, n, delta)[1], abs=1e-4)


@pytest.mark.parametrize(("first", "second"), [((8, 10), (3, 15)), ((50, 100), (480, 1000)), ((1, 30), (9, 30))])
@pytest.mark.parametrize("delta", [-0.2, 0.0, 0.05, 0.3])
def test_the_independent_score_is_at_the_constrained_maximum(first, second, delta):
    (x, m), (y, n) = first, second

    def minus(rate: float) -> float:
        return -(stats.binom.logpmf(x, m, rate) + stats.binom.logpmf(y, n, rate - delta))

    low, high = max(0.0, delta) + 1e-12, min(1.0, 1 + delta) - 1e-12
    rate = optimize.minimize_scalar(minus, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = rate * (1 - rate) / m + (rate - delta) * (1 - rate + delta) / n
    expected = (x / m - y / n - delta) / np.sqrt(variance)
    assert margins.stratified_score([(first, second)], delta) == pytest.approx(expected, abs=1e-4)


def test_the_paired_interval_inverts_the_score():
    """Its bounds are where the score is at the normal quantiles."""
    low, high = margins.paired_interval(14, 5, 54)
    assert margins.paired_score(14, 5, 54, low) == pytest.approx(1.959964, abs=1e-5)
    assert margins.paired_score(14, 5, 54, high) == pytest.approx(-1.959964, abs=1e-5)
    assert low < 9 / 54 < high


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60), st.floats(0.01, 0.2))
def test_both_sides_of_the_border_are_never_rejected_together(b, c, same, margin):
    of = b + c + same
    above, below = margins.paired_above(b, c, of, margin), margins.paired_below(b, c, of, margin)
    assert min(above, below) >= 0
    assert above + below == pytest.approx(1, abs=1e-9)


@given(st.integers(1, 60), st.data())
def test_exact_rates_are_ordered_and_sure_of_nothing_without_data(of, data):
    count = data.draw(st.integers(0, of))
    assert margins.rate_above(count, of, 0.05) == pytest.approx(
        sum(stats.binom.pmf(k, of, 0.05) for k in range(count, of + 1)), abs=1e-9
    )
    assert margins.rate_below(count, of, 0.05) == pytest.approx(
        sum(stats.binom.pmf(k, of, 0.05) for k in range(count + 1)), abs=1e-9
    )
    assert margins.rate_above(0, 0, 0.05) == margins.rate_below(0, 0, 0.05) == 1


def test_levels_hold_at_the_border():
    """The share of studies that reject a true border at 5 %: near 5 %, whatever the rates."""
    rng = np.random.default_rng(1)
    tables = rng.multinomial(60, [0.25, 0.20, 0.55], size=4000)
    found = np.array([margins.paired_above(b, c, 60, 0.05) for b, c, _ in tables])
    assert np.mean(found < 0.05) < 0.065
    pairs = zip(rng.binomial(40, 0.55, 4000), rng.binomial(300, 0.5, 4000), strict=True)
    found = np.array([margins.stratified_above([((x, 40), (y, 300))], 0.05) for x, y in pairs])
    assert np.mean(found < 0.05) < 0.065


def test_strata_are_compared_each_with_its_own_control():
    """Rates that differ by width only: pooled they would differ by 37 points, over strata they do not."""
    strata = [((10, 100), (100, 1000)), ((700, 1000), (70, 100))]
    assert margins.stratified_score(strata, 0.0) == pytest.approx(0)
    above = [((20, 100), (100, 1000)), ((800, 1000), (70, 100))]
    lone = [margins.stratified_score([one], 0.0) for one in above]
    assert max(lone) < margins.stratified_score([above[0]] * 2, 0.0) == pytest.approx(lone[0] * 2**0.5)
    assert margins.stratified_below(above, 0.3) < 0.01 < margins.stratified_above(above, 0.3)


@pytest.mark.parametrize("first_only", [0, 20])
def test_intervals_of_extreme_tables_stay_inside(first_only):
    low, high = margins.paired_interval(first_only, 0, 20)
    assert -1 <= low <= first_only / 20 <= high <= 1
    assert margins.paired_interval(0, 0, 0) is None
    assert margins.stratified_score([((0, 0), (1, 2))], 0.05) == 0


def test_the_combined_interval_of_two_wilson_intervals_is_newcombes():
    """Newcombe 1998 (independent), method 10, case (a): 56/70 - 48/80 is 0.0524 to 0.3339."""
    one, other = (stats.binomtest(k, n).proportion_ci(0.95, "wilson") for k, n in ((56, 70), (48, 80)))
    found = margins.combined_interval((56 / 70, tuple(one)), (48 / 80, tuple(other)))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)
