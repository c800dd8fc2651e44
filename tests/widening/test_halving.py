from __future__ import annotations

import pytest

from escapedim.widening.experiment import widen_experiment
from escapedim.widening.halving import HalvingPlan, _differ, halving_plan
from tests.training.plain import toy

from .test_experiment import done, small

PROBLEM = toy("cross-entropy")
OPTIONS = {"step_halving": True, "steps": "12it", "success": "train_accuracy>=0.6", "widths": (2, 3)}


def test_every_member_is_trained_again_with_half_the_step_and_twice_the_steps():
    experiment = widen_experiment(small(**OPTIONS), PROBLEM.task)
    halved = [work for work in experiment.works if work.key.startswith("halved-width-000002")]
    counted = [work for work in experiment.works if work.key.startswith("width-000002")]
    (half,), (whole,) = halved, counted
    assert (half.setting.recipe.lr, half.setting.recipe.steps) == (whole.setting.recipe.lr / 2, 24)
    begun = half.begin(half.setting, PROBLEM.task, {})
    assert begun.rows.tolist() == whole.setting.drawn(range(6)).tolist()
    assert list(begun.order_seeds) == whole.setting.orders(range(6))
    assert begun.labels["member"] == list(range(6))


def test_the_entry_is_that_of_the_pairs():
    experiment = widen_experiment(small(**OPTIONS), PROBLEM.task)
    result, metrics = done(experiment)
    assert [entry.width for entry in result.step_halving] == [2, 3]
    for entry in result.step_halving:
        name = f"width-{entry.width:06d}-members-000000-000005"
        whole, half = (metrics[key]["columns"] for key in (name, f"halved-{name}"))
        pairs = list(zip(whole["success"], half["success"], strict=True))
        assert (entry.table.both, entry.table.neither) == (pairs.count((True, True)), pairs.count((False, False)))
        assert (entry.members, entry.changed.of) == (6, 6)
        assert entry.changed.count == sum(one != other for one, other in pairs)  # no ending is certified here
        assert entry.endings == entry.halved_endings == {"undecided": 6}


# Whole and half step: whether the ending is another one.
PAIRS = [
    (("bad minimum", 0.02, False), ("bad minimum", 0.02 * (1 + 1e-10), False), False),
    (("bad minimum", 0.02, False), ("bad minimum", 0.03, False), True),
    (("bad minimum", 0.02, False), ("global minimum", 0.0, True), True),
    (("global minimum", 1e-4, True), ("global minimum", 9e-4, True), False),
    (("undecided", None, True), ("undecided", None, True), False),
    (("undecided", None, True), ("undecided", None, False), True),
]


@pytest.mark.parametrize(("whole", "half", "differ"), PAIRS)
def test_endings_differ_by_name_by_loss_or_by_success(whole, half, differ):
    names = ("ending", "level", "success")
    assert _differ(dict(zip(names, whole, strict=True)), dict(zip(names, half, strict=True))) is differ


def test_stacks_that_were_begun_are_kept(monkeypatch):
    setting = next(iter(widen_experiment(small(**OPTIONS), PROBLEM.task).works)).setting
    monkeypatch.setattr("escapedim.widening.halving.stack_size", lambda model, recipe: 4)
    found: HalvingPlan = halving_plan(setting, range(7), ["halved-width-000002-members-000001-000002", "width-000002"])
    bounds = [work.key[-13:] for work in found.works]
    assert bounds == ["000000-000000", "000001-000002", "000003-000006"]
