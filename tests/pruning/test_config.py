from typing import Any

import pytest
from pydantic import ValidationError

from escapedim.errors import BadInput
from escapedim.models.mlp import MLP
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.criteria import CRITERIA
from escapedim.pruning.pruning_plan import ARMS
from escapedim.records.identity import role_of

from ..training.plain import VALUES, toy

MODEL = MLP((64, 20, 10, 3), "relu")
RECIPE = toy(steps=1000).recipe


def config(**changes) -> PruneConfig:
    return PruneConfig(**{**VALUES, **changes})


def merged(layers: list[dict[str, Any]]) -> PruneConfig:
    """Settle layers of settings, later ones over earlier ones, as the command line does."""
    stack = [VALUES, *layers]
    values = {key: value for layer in stack for key, value in layer.items()}
    ranks = {key: rank for rank, layer in enumerate(stack) for key in layer}
    return PruneConfig(**{**values, **PruneConfig.implied(values, ranks)})


def test_every_field_declares_its_role_and_says_what_it_is():
    roles = {name: role_of(PruneConfig, name) for name in PruneConfig.model_fields}
    assert {name for name, role in roles.items() if role == "operational"} == {"device", "jobs"}
    assert {name for name, role in roles.items() if role == "extendable"} == {"replicates", "rounds", "tolerance"}
    assert set(roles.values()) == {"operational", "extendable", "scientific"}
    assert all(field.description for field in PruneConfig.model_fields.values())


def test_defaults_are_those_of_the_design():
    made = merged([])
    assert (made.rounds, made.fraction, made.output_fraction, made.density) == (10, 0.2, 0.1, None)
    assert (made.scope, made.granularity, made.criterion, made.rewind_to) == ("layer", "weight", "magnitude", "init")
    assert (made.arms, made.tolerance, made.replicates) == (ARMS, 0.005, 10)


# settings by precedence: (rounds, fraction, output_fraction, density) that follow
IMPLIED = [
    ([{"fraction": 0.3}], (10, 0.3, 0.15, None)),
    ([{"fraction": "0.3"}], (10, 0.3, 0.15, None)),
    ([{"fraction": 0.3, "output_fraction": 0.2}], (10, 0.3, 0.2, None)),
    ([{"output_fraction": 0.2}, {"fraction": 0.3}], (10, 0.3, 0.2, None)),
    ([{"output_fraction": 0}], (10, 0.2, 0.0, None)),
    ([{"scope": "global"}], (10, 0.2, None, None)),
    ([{"granularity": "unit"}], (10, 0.2, None, None)),
    ([{"density": 0.1}], (1, None, None, 0.1)),
    ([{"fraction": 0.3, "output_fraction": 0.2, "rounds": 20}, {"density": 0.1}], (1, None, None, 0.1)),
    ([{"density": 0.1, "scope": "global"}], (1, None, None, 0.1)),
    ([{"density": 0.1}, {"fraction": 0.3}], (10, 0.3, 0.15, None)),
    ([{"density": 0.1}, {"density": None}], (10, 0.2, 0.1, None)),
]


@pytest.mark.parametrize(("layers", "expected"), IMPLIED)
def test_density_and_fraction_replace_each_other_and_the_output_layer_has_half(layers, expected):
    made = merged(layers)
    assert (made.rounds, made.fraction, made.output_fraction, made.density) == expected


def test_gradient_descent_still_implies_full_batches():
    assert merged([{"optimizer": "gd"}]).batch_size == "full"


REFUSED = [
    ({"density": 0.1, "fraction": 0.3}, "give either density or fraction"),
    ({"density": 0.1, "output_fraction": 0.3}, "give either density or fraction"),
    ({"density": 0.1, "rounds": 3}, "density prunes in one round; leave out rounds"),
    ({"density": 0.1, "granularity": "unit"}, "density counts weights; with granularity unit give fraction"),
    ({"fraction": None}, "give a fraction or a density"),
    ({"output_fraction": 0.1, "scope": "global"}, "output_fraction needs scope layer and granularity weight"),
    ({"output_fraction": 0.1, "granularity": "unit"}, "output_fraction needs scope layer and granularity weight"),
    ({"arms": "ticket,reinitialised"}, "unknown arm 'reinitialised'; did you mean 'reinit'?"),
    ({"arms": "reinit,random"}, "arms must contain 'ticket', and each arm once"),
    ({"arms": "ticket,random,random"}, "arms must contain 'ticket', and each arm once"),
    ({"arms": "dense,ticket"}, "unknown arm 'dense'"),
    ({"criterion": "magnitud"}, "did you mean 'magnitude'?"),
    ({"scope": "local"}, "'layer' or 'global'"),
    ({"granularity": "row"}, "'weight' or 'unit'"),
    ({"fraction": 1.0}, "less than 1"),
    ({"fraction": 0.0}, "greater than 0"),
    ({"density": 0}, "greater than 0"),
    ({"rounds": 0}, "greater than or equal to 1"),
    ({"tolerance": -0.1}, "greater than or equal to 0"),
    ({"optimizer": "gd"}, "optimizer gd is full-batch gradient descent, with batch_size full; use sgd"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_settings_that_do_not_fit_together_are_refused(changes, message):
    given = {"fraction": 0.2, **changes} if "density" not in changes else {"fraction": None, "rounds": 1, **changes}
    with pytest.raises(ValidationError) as raised:
        config(**given)
    assert message in str(raised.value)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_plan_is_whole_numbers_and_one_fraction_a_layer(criterion):
    plan = merged([{"criterion": criterion, "rewind_to": "5%", "arms": "random, ticket"}]).plan(MODEL, RECIPE)
    assert plan.fractions == {"layer1.weight": 0.2, "layer2.weight": 0.2, "layer3.weight": 0.1}
    assert (plan.rounds, plan.density, plan.rewind_step, plan.criterion) == (10, None, 50, criterion)
    assert plan.arms == ("ticket", "random")


@pytest.mark.parametrize("arms", ["ticket,shuffle,random", "random,shuffle,ticket", ["shuffle", "ticket", "random"]])
def test_arms_have_one_order_however_they_are_written(arms):
    made = merged([{"arms": arms}])
    assert made.arms == made.plan(MODEL, RECIPE).arms == ("ticket", "shuffle", "random")


def test_without_an_output_fraction_all_layers_have_the_same():
    plan = merged([{"scope": "global", "fraction": 0.4}]).plan(MODEL, RECIPE)
    assert set(plan.fractions.values()) == {0.4}


def test_a_density_is_the_plans_own():
    plan = merged([{"density": 0.25}]).plan(MODEL, RECIPE)
    assert (plan.density, plan.rounds) == (0.25, 1)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ("end", "the rewind point end is the end of the run: nothing would be trained; choose an earlier one."),
        ("1001it", "the point 1001it is step 1,001, after the end of the run at 1,000; choose an earlier one."),
        ("late", "steps are written 500it"),
    ],
)
def test_a_rewind_point_must_leave_something_to_train(point, message):
    with pytest.raises(BadInput) as raised:
        config(rewind_to=point).plan(MODEL, RECIPE)
    assert message in str(raised.value)
