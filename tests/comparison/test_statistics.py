import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from escapedim.comparison.statistics import (
    LEVEL,
    best_of,
    fisher,
    holm,
    mcnemar,
    paired_difference,
    paired_shares,
    standard_error,
    wilson,
)

accuracies = st.integers(0, 360).map(lambda right: right / 360)
pairs = st.lists(st.tuples(accuracies, accuracies), min_size=2, max_size=12)
p_values = st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.02, 0.04]), max_size=7)


def closed_form(successes: int, count: int) -> tuple[float, float]:
    """Wilson 1927, as the roots of (p - rate)² = z² p (1 - p) / count."""
    z, rate = stats.norm.isf((1 - LEVEL) / 2), successes / count
    centre = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


@settings(deadline=None)
@given(st.integers(1, 1000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilson_is_the_closed_form(observed):
    assert wilson(*observed) == pytest.approx(closed_form(*observed), abs=1e-12)


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_wilson_is_never_empty_and_stays_within_0_and_1(count):
    assert wilson(0, count)[0] == pytest.approx(0, abs=1e-15)
    assert wilson(count, count)[1] == pytest.approx(1, abs=1e-15)
    assert 0 < wilson(0, count)[1] < 1


def test_wilson_of_nothing_is_none():
    assert wilson(0, 0) is None


@settings(deadline=None)
@given(pairs)
def test_paired_difference_is_the_paired_t_test(observed):
    left, right = zip(*observed, strict=True)
    difference = paired_difference(left, right)
    gaps = [a - b for a, b in observed]
    assert difference.mean == pytest.approx(math.fsum(gaps) / len(gaps), abs=1e-12)
    if max(gaps) - min(gaps) < 1e-9:
        assert (difference.standard_error, difference.interval, difference.p) == (None, None, None)
        return
    expected = stats.ttest_rel(left, right)
    interval = expected.confidence_interval(LEVEL)
    assert difference.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert difference.interval == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert difference.standard_error == pytest.approx(stats.sem(gaps), rel=1e-9)


def test_one_pair_and_equal_differences_have_a_mean_only():
    for left, right in [([0.5], [0.25]), ([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])]:
        difference = paired_difference(left, right)
        assert difference.mean == pytest.approx(left[0] - right[0])
        assert (difference.standard_error, difference.interval, difference.p) == (None, None, None)


def closed_testing(p_values: list[float]) -> list[float]:
    """Holm by its definition: the closed test of Bonferroni, the largest adjusted p over all sets with a hypothesis."""
    indices = range(len(p_values))
    subsets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(indices, size)]
    bonferroni = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in subsets}
    return [max(p for s, p in bonferroni.items() if index in s) for index in indices]


@settings(deadline=None)
@given(p_values)
def test_holm_is_the_closed_bonferroni_test(observed):
    assert holm(observed) == pytest.approx(closed_testing(observed), abs=1e-15)


def test_holm_of_the_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_standard_error_is_that_of_scipy():
    values = [0.3, -1.2, 4.0, 2.5]
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert standard_error([1.0]) is None


def enumerated(first_only: int, second_only: int) -> float:
    """The probability of all splits of the discordant pairs that are no likelier than the one observed."""
    count = first_only + second_only
    weights = [math.comb(count, split) for split in range(count + 1)]
    return sum(weight for weight in weights if weight <= weights[first_only]) / 2**count


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_enumeration_of_the_binomial(first_only, second_only):
    if first_only + second_only:
        assert mcnemar(first_only, second_only) == pytest.approx(enumerated(first_only, second_only), rel=1e-9)
    else:
        assert mcnemar(0, 0) is None


@settings(deadline=None)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(1, 50))
def test_the_best_of_k_carries_the_bounds_through(observed, k):
    value, interval = best_of(*observed, k)
    rates = [Fraction(*observed), *map(Fraction, wilson(*observed))]
    assert [value, *interval] == pytest.approx([float(1 - (1 - rate) ** k) for rate in rates], abs=1e-12)
    (half, _), whole = best_of(*observed, k / 2), 1 - value
    assert (1 - half) ** 2 == pytest.approx(whole, abs=1e-12)


def test_the_best_of_k_is_a_draw_of_k():
    population, k = [True] * 2 + [False] * 3, 3
    wins = [any(draw) for draw in itertools.product(population, repeat=k)]
    assert best_of(2, 5, k)[0] == pytest.approx(sum(wins) / len(wins))
    assert best_of(3, 7, 1)[1] == pytest.approx(wilson(3, 7))
    assert best_of(0, 0, 2) is None


def test_fishers_test_is_hypergeometric():
    """Two-sided: all tables that are no likelier (Fisher 1935's tea: 3 of 4 against 1 of 4)."""
    assert fisher((3, 4), (1, 4)) == pytest.approx(34 / 70)
    assert fisher((0, 0), (1, 4)) is None


def test_paired_shares_always_have_an_interval():
    low, high = paired_shares([1.0] * 20, [1.0] * 20).interval
    assert high == -low == pytest.approx(wilson(0, 20)[1])
    assert paired_shares([1.0] * 20, [0.0] * 20).interval[1] == 1
    some = paired_shares([1.0, 0.0, 1.0], [0.0, 0.0, 1.0])
    assert some.interval == paired_difference([1.0, 0.0, 1.0], [0.0, 0.0, 1.0]).interval or some.interval[1] == 1
