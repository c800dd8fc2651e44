"""Best of k against numbers by hand, and against draws of restarts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from escapedim.comparison.statistics import wilson
from escapedim.errors import BadInput
from escapedim.records.results import Quantiles, Width
from escapedim.widening.restarts import check_narrow, describe_restarts


def entry(width: int, members: int = 40, successes: int = 10) -> Width:
    return Width(
        width=width,
        parameters=5 * width,
        members=members,
        successes=successes,
        success_rate=successes / members,
        success_interval=wilson(successes, members),
        endings={"undecided": members},
        loss_quantiles=Quantiles(),
        median_steps=1.0,
        lr=0.1,
    )


WIDTHS = [entry(2), entry(4, 50, 25), entry(8, 20, 19)]
STEPS = {2: 100.0, 4: 150.0, 8: 50.0}


def cost_of_a_step(width: int) -> float:
    return 7.0 * width


def test_the_cost_of_a_training_is_that_of_its_steps():
    found = describe_restarts(2, WIDTHS, STEPS, cost_of_a_step)
    assert [(one.narrow, one.width) for one in found] == [(2, 4), (2, 8)]
    assert [one.narrow_multiply_adds for one in found] == [1400.0] * 2
    assert [one.wide_multiply_adds for one in found] == [4200.0, 2800.0]
    assert [one.k for one in found] == [3.0, 2.0]
    assert [(one.narrow_success.count, one.narrow_success.of, one.wide_success.count) for one in found] == [
        (10, 40, 25),
        (10, 40, 19),
    ]
    assert found[0].wide_success.interval == wilson(25, 50)


def test_best_of_k_is_what_a_draw_of_restarts_reaches():
    best = describe_restarts(2, WIDTHS, STEPS, cost_of_a_step)[0].best_of_k
    drawn = np.random.default_rng(0).random((100_000, 3)) < 0.25
    assert best.value == pytest.approx(drawn.any(1).mean(), abs=0.01)
    low, high = wilson(10, 40)
    assert best.interval == pytest.approx((1 - (1 - low) ** 3, 1 - (1 - high) ** 3))


def test_only_larger_widths_are_held_against_the_narrow_one():
    assert [one.width for one in describe_restarts(4, WIDTHS[::-1], STEPS, cost_of_a_step)] == [8]
    assert describe_restarts(8, WIDTHS, STEPS, cost_of_a_step) == []


def test_a_narrow_width_without_members_or_steps_has_no_entries_yet():
    assert describe_restarts(2, WIDTHS[1:], STEPS, cost_of_a_step) == []
    assert describe_restarts(2, WIDTHS, {**STEPS, 2: 0.0}, cost_of_a_step) == []


def test_a_narrow_network_that_fails_always_has_a_bound_all_the_same():
    (found,) = describe_restarts(2, [entry(2, successes=0), WIDTHS[2]], STEPS, cost_of_a_step)
    assert found.best_of_k.value == 0
    assert found.best_of_k.interval[1] == pytest.approx(1 - (1 - wilson(0, 40)[1]) ** 2)


EXPECTED = "restarts: expected a width that is not the largest"


@pytest.mark.parametrize(
    ("narrow", "widths", "message"),
    [
        (3, (2, 4, 8), f"{EXPECTED} (one of 2, 4), found 3; add it to --widths."),
        (8, (2, 4, 8), f"{EXPECTED} (one of 2, 4), found 8; add a larger one to --widths."),
        (9, (2, 4, 8), f"{EXPECTED} (one of 2, 4), found 9; add it to --widths."),
        (2, (2,), f"{EXPECTED} (a second, larger width), found 2; add a larger one to --widths."),
    ],
)
def test_a_narrow_width_that_has_no_larger_one_is_refused(narrow, widths, message):
    with pytest.raises(BadInput) as caught:
        check_narrow(narrow, widths)
    assert str(caught.value) == message


@pytest.mark.parametrize("narrow", [2, 4])
def test_a_narrow_width_below_the_largest_is_accepted(narrow):
    check_narrow(narrow, (2, 4, 8))


def test_reports_get_it_without_torch():
    code = "import sys, escapedim.widening.restarts; sys.exit(bool({'torch', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
