from __future__ import annotations

from dataclasses import replace

import pytest

from escapedim.errors import BadInput
from escapedim.rewinding.rewinding_plan import make_plan
from escapedim.rewinding.treatments import Treatment
from escapedim.specs import parse_spec
from tests.training.plain import toy

from .test_config import config

RECIPE = replace(toy().recipe, steps=100)
ARMS = ("ticket", "reinit", "shuffle", "random")


def plan(recipe=RECIPE, arms=ARMS, **changes):
    return make_plan(config(steps="100it", **changes), recipe, arms)


# The table of Renda, Frankle & Carbin 2020: where weights and schedule come from when one rewinds to step 10.
MODES = {
    "weights": Treatment("ticket", 10, 10),
    "lr": Treatment("ticket", "end", 10),
    "finetune": Treatment("ticket", "end", 10, at_last_rate=True),
    "reinit": Treatment("reinit", "fresh", 10),
    "shuffle": Treatment("shuffle", 10, 10),
}


@pytest.mark.parametrize("schedule", ["cosine", "step:at=50%,factor=0.1", "constant:warmup=20%"])
def test_modes_are_the_points_of_the_cube_that_the_literature_names(schedule):
    found = plan(replace(RECIPE, schedule=parse_spec(schedule)), to="10%", retrain=",".join(MODES))
    assert {mode.name: mode.treatment for mode in found.modes} == MODES
    assert {mode.to for mode in found.modes} == {10}


@pytest.mark.parametrize(("schedule", "to"), [("constant", "10%"), ("step:at=50%,factor=0.1", "60%")])
def test_where_the_rate_no_longer_changes_fine_tuning_is_learning_rate_rewinding(schedule, to):
    found = plan(replace(RECIPE, schedule=parse_spec(schedule)), to=to, retrain="lr,finetune")
    assert len({mode.treatment for mode in found.modes}) == 1


def test_any_other_point_of_the_cube():
    found = plan(
        replace(RECIPE, schedule=parse_spec("cosine")), to="10%,20%", retrain="none", weights_from="5it,end,fresh",
        schedule_from="init,end", complement="none", instability=False,
    )  # fmt: skip
    made = {(mode.name, mode.to): mode.treatment for mode in found.modes}
    assert made["5it at init", 0] == Treatment("ticket", 5, 0)
    assert made["end at init", 0] == Treatment("ticket", "end", 0)
    assert made["fresh at end", 20] == Treatment("reinit", "fresh", 20, at_last_rate=True)
    assert len(made) == 3 * (1 + 2)


def test_complements_are_those_of_the_first_point_for_tickets_and_controls():
    found = plan(to="10%,20%", draws=3).complements
    assert list(found) == ["masked", "original", "redraw", "scale:3", "scale:10", "frozen"]
    assert all(list(kinds) == ["ticket", "reinit", "random"] for kinds in found.values())
    assert {one.start for kinds in found.values() for draws in kinds.values() for one in draws} == {10}
    assert [one.draw for one in found["scale:3"]["random"]] == [0, 1, 2]
    assert {one.scale for one in found["scale:10"]["ticket"]} == {10.0}
    assert len(found["original"]["ticket"]) == len(found["frozen"]["reinit"]) == 1
    assert "random" not in plan(arms=("ticket",)).complements["masked"]


def test_every_training_is_there_once_with_what_it_is_held_against():
    found = plan(to="init,10%", retrain="weights,lr,finetune,reinit")
    treatments = found.treatments
    assert len(treatments) == len(set(treatments))
    assert {one.alone for one in treatments if one.rest != "masked"} <= set(treatments)
    assert all(side in treatments for pairs in found.copies.values() for pair in pairs.values() for side in pair)


def test_without_an_order_of_the_data_there_are_no_copies():
    assert set(plan(to="init,10%").copies) == {0, 10}
    assert set(plan(to="init").copies[0]) == {"data orders", "dense data orders", "ticket and dense"}
    whole = plan(replace(RECIPE, batch_size=RECIPE.samples), to="init").copies
    assert [set(pairs) for pairs in whole.values()] == [{"ticket and dense"}]
    assert plan(instability=False).copies == {}


def test_shuffled_masks_must_be_there():
    with pytest.raises(BadInput, match="has the arms ticket, reinit; leave it out, or repeat prune with --arms"):
        plan(arms=("ticket", "reinit"), retrain="shuffle")


@pytest.mark.parametrize("to", ["end", "100it"])
def test_there_must_be_something_left_to_train(to):
    with pytest.raises(BadInput, match="nothing would be trained"):
        plan(to=to)
