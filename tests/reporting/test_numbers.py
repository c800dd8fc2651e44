import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.comparison.statistics import wilson
from escapedim.reporting import numbers
from escapedim.reporting.numbers import Uncertain


def spaced(text):
    return text.replace(numbers.TIE, " ")


def test_estimate_leaves_missing_replicates_out_and_counts_them():
    value = numbers.estimate([1.0, None, 3.0, 5.0])
    assert value == Uncertain(3.0, pytest.approx(2 / math.sqrt(3)), 3, 1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Uncertain(None, None, 0, 0)),
        ([None, None], Uncertain(None, None, 0, 2)),
        ([0.5], Uncertain(0.5, None, 1, 0)),
        ([0.5, None], Uncertain(0.5, None, 1, 1)),
        ([0.0, 0.0], Uncertain(0.0, 0.0, 2, 0)),
        ([1e308, 1.5e308], Uncertain(pytest.approx(1.25e308), pytest.approx(2.5e307), 2, 0)),
    ],
)
def test_estimate_at_the_edges(values, expected):
    assert numbers.estimate(values) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_estimate_agrees_with_the_textbook(values):
    value = numbers.estimate(values)
    assert value.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert value.error == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (numbers.accuracy(Uncertain(0.98224, 0.00166, 5, 0)), "98.22 ± 0.17"),
        (numbers.accuracy(Uncertain(0.98224, 0.00166, 5, 0), "±"), "98.22±0.17"),
        (numbers.accuracy(Uncertain(1.0, None, 1, 0)), "100.00"),
        (numbers.accuracy(Uncertain(None, None, 0, 3)), "-"),
        (numbers.mean_loss(Uncertain(0.010249, 0.000449, 4, 0)), "0.01025 ± 0.00045"),
        (numbers.mean_loss(Uncertain(3e-9, 1e-9, 4, 0)), "3.0e-09 ± 1e-09"),
        (numbers.mean_loss(Uncertain(0.25, 0.0, 4, 0)), "0.2500 ± 0.0000"),
        (numbers.mean_loss(Uncertain(412.0, 120.0, 4, 0)), "4.1e+02 ± 1e+02"),
        (numbers.mean_loss(Uncertain(0.25, None, 1, 0)), "0.25"),
        (numbers.scientific(Uncertain(2.7e-5, 1.2e-5, 3, 0)), "2.7e-05 ± 1e-05"),
        (numbers.scientific(Uncertain(2.7e-5, None, 1, 0)), "2.7e-05"),
        (numbers.points(Uncertain(0.0083, 0.0012, 1, 0)), "0.83 ± 0.12 points above"),
        (numbers.points(Uncertain(-0.0083, None, 1, 0)), "0.83 points below"),
        (numbers.percent(-0.000001), "0.00"),
        (numbers.density(0.10737), "10.7 %"),
        (numbers.density(1.0), "100 %"),
        (numbers.density(0.000231), "0.0231 %"),
        (numbers.density(0.0), "0 %"),
        (numbers.density(1e-12), "1e-10 %"),
        (numbers.count(266200), "266,200"),
        (numbers.count(3307.2), "3,307.2"),
        (numbers.counted(1, "network"), "1 network"),
        (numbers.counted(0, "network step"), "0 network steps"),
        (numbers.counted(12_000, "network step"), "12,000 network steps"),
        (numbers.plural(1, "round"), "1 round"),
        (numbers.plural(1000, "step"), "1,000 steps"),
        (numbers.p_value(0.00012), "p < 0.001"),
        (numbers.p_value(0.0043), "p = 0.004"),
        (numbers.p_value(0.217), "p = 0.22"),
        (numbers.successes([True, False, True]), "2 of 3"),
        (numbers.listed(["a"]), "a"),
        (numbers.listed(["a", "b"]), "a and b"),
        (numbers.listed(["a", "b", "c"]), "a, b and c"),
        (numbers.rounds([9]), "round 9"),
        (numbers.rounds([7, 3, 4, 5, 9]), "rounds 3 to 5, 7 and 9"),
        (numbers.rounds([1, 2]), "rounds 1 and 2"),
        (numbers.ranges([2, 3, 4, 1024], "width"), "widths 2 to 4 and 1,024"),
    ],
)
def test_numbers_read_as_a_colleague_would_write_them(text, expected):
    assert spaced(text) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0.0 s"),
        (0.84, "0.8 s"),
        (9.99, "10.0 s"),
        (59.7, "1 min 00 s"),
        (192.4, "3 min 12 s"),
        (7500, "2 h 05 min"),
        (273600, "3 d 04 h"),
    ],
)
def test_durations_in_their_two_largest_units(seconds, expected):
    assert numbers.duration(seconds) == expected


@pytest.mark.parametrize(("count", "digits"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (10_000, 2), (2**62, 4)])
def test_a_rate_has_digits_that_tell_one_member(count, digits):
    assert numbers.rate_digits(count) == digits


def test_rates_are_shown_with_their_interval():
    assert spaced(numbers.rate(0.12, (0.0889, 0.16004))) == "12.0 % (8.9 to 16.0)"
    assert spaced(numbers.interval((0.9995, 1.0), 2)) == "99.95 to 100.00"


@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
@settings(deadline=None)  # the first case imports scipy
def test_wilson_agrees_with_scipy(case):
    assert numbers.wilson(*case) == pytest.approx(wilson(*case), abs=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Uncertain(None, None, 0, 2), "-"),
        (Uncertain(4120.25, None, 1, 0), "4,120.2"),
        (Uncertain(4120, 31.26, 5, 0), "4,120.0 ± 31.3"),
    ],
)
def test_a_mean_of_counts(value, text):
    assert numbers.mean_count(value) == text
