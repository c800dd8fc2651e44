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
    assert 0 <= min(above, below) <= 1
    assert max(above, below) >= 0.3
    assert margins.paired_above(c, b, of, -margin) == pytest.approx(margins.paired_below(b, c, of, margin))


@pytest.mark.parametrize(("b", "c", "n"), [(9, 2, 12), (4, 4, 10), (0, 0, 9), (12, 0, 12)])
@pytest.mark.parametrize("delta", [-0.1, 0.05, 0.2])
def test_exact_pairs_are_the_sum_over_all_tables(b, c, n, delta):
    """The largest over discordant rates of their interval, table by table."""
    low, high = margins._bounds(b + c, n)
    assert stats.binomtest(b + c, n).proportion_ci(1 - margins.NUISANCE).low == pytest.approx(low, abs=1e-9)
    rates = np.linspace(max(low, abs(delta)), max(high, abs(delta)), margins._GRID)
    least = margins.paired_score(b, c, n, delta) - 1e-9
    every = [(i, j) for i in range(n + 1) for j in range(n + 1 - i)]
    tables = [(i, j) for i, j in every if margins.paired_score(i, j, n, delta) >= least]
    sums = [
        sum(stats.multinomial.pmf([i, j, n - i - j], n, [(q + delta) / 2, (q - delta) / 2, 1 - q]) for i, j in tables)
        for q in rates
    ]
    assert margins.paired_above(b, c, n, delta) == pytest.approx(min(1, max(sums) + margins.NUISANCE), abs=1e-9)


def test_many_pairs_are_told_by_the_score_and_it_agrees():
    least = margins.EXACT_PAIRS
    for b, c in ((0.2, 0.04), (0.1, 0.1), (0.12, 0.0)):
        exact, score = (margins.paired_above(int(b * of), int(c * of), of, 0.05) for of in (least, least + 1))
        assert 0.8 * score < exact < 4 * score


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
    tables, times = np.unique(rng.multinomial(60, [0.25, 0.20, 0.55], size=4000), axis=0, return_counts=True)
    found = np.repeat([margins.paired_above(b, c, 60, 0.05) for b, c, _ in tables], times)
    assert np.mean(found < 0.05) < 0.065
    drawn = np.stack([rng.binomial(20, 0.995, 2000), rng.binomial(4000, 0.945, 2000)], axis=1)
    pairs, times = np.unique(drawn, axis=0, return_counts=True)
    found = np.repeat([margins.independent_below((x, 20), (y, 4000), 0.05) for x, y in pairs], times)
    assert np.mean(found < 0.05) <= 0.05


@pytest.mark.parametrize("test", [margins.independent_above, margins.independent_below])
@given(st.integers(0, 15), st.integers(0, 200))
def test_independent_rates_are_exact_where_the_other_is_known(test, x, y):
    """With ever more members of the second, its rate is known: then the test is binomial."""
    scale = 10**9
    found = test((x, 15), (y * scale, 200 * scale), 0.05)
    rate = min(1.0, max(0.0, y / 200 + 0.05))
    exact = margins.rate_above(x, 15, rate) if test is margins.independent_above else margins.rate_below(x, 15, rate)
    assert found == pytest.approx(min(1, exact + margins.NUISANCE), abs=2e-3)
    assert found >= exact - 1e-9
    assert test((x, 15), (0, 0), 0.05) == test((0, 0), (y, 200), 0.05) == 1


@pytest.mark.parametrize("first_only", [0, 20])
def test_intervals_of_extreme_tables_stay_inside(first_only):
    low, high = margins.paired_interval(first_only, 0, 20)
    assert -1 <= low <= first_only / 20 <= high <= 1
    assert margins.paired_interval(0, 0, 0) is None


def test_the_combined_interval_of_two_wilson_intervals_is_newcombes():
    """Newcombe 1998 (independent), method 10, case (a): 56/70 - 48/80 is 0.0524 to 0.3339."""
    one, other = (stats.binomtest(k, n).proportion_ci(0.95, "wilson") for k, n in ((56, 70), (48, 80)))
    found = margins.combined_interval((56 / 70, tuple(one)), (48 / 80, tuple(other)))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)
