from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from escapedim.pruning.invariants import TrainedWeights, check
from escapedim.pruning.masks import Masks, full_masks, prune
from escapedim.pruning.pruning_plan import PruningPlan, expected_counts

from .strategies import make_network, make_plan, make_shapes

SIZES = (6, 5, 4)
NETWORK, SHAPES = make_network(SIZES), make_shapes(SIZES)
NAMES = {
    "survivors_equal_rewind_weights",
    "masked_weights_zero",
    "masks_nested",
    "density_exact",
    "no_layer_empty",
}
PLANS = {
    f"{scope}-{granularity}": make_plan(SIZES, rounds=2, fraction=0.3, scope=scope, granularity=granularity)
    for scope in ("layer", "global")
    for granularity in ("weight", "unit")
}
LAYER = PLANS["layer-weight"]


def normal(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def masked(weights: dict[str, np.ndarray], masks: Masks) -> dict[str, np.ndarray]:
    return {name: np.where(masks[name], values, np.float32(0)) for name, values in weights.items()}


def right(plan: PruningPlan) -> TrainedWeights:
    """The second round as it should be."""
    random, history = np.random.default_rng(1), [full_masks(NETWORK)]
    for _ in range(2):
        shapes = SHAPES if plan.granularity == "weight" else {"layer1.weight": (5,)}
        scores = {name: random.random(shape) for name, shape in shapes.items()}
        history.append(prune(plan, NETWORK, history[-1], scores))
    rewound = normal(2)
    return TrainedWeights(rewound, masked(rewound, history[2]), masked(normal(3), history[2]), history[2], history[1])


def violated(plan: PruningPlan, trained: TrainedWeights) -> set[str]:
    found = check(plan, NETWORK, trained, expected_counts(plan, NETWORK)[2])
    assert set(found) == NAMES
    assert all(type(value) is bool for value in found.values())
    return {name for name, holds in found.items() if not holds}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_right_round_violates_nothing(plan):
    assert violated(plan, right(plan)) == set()


def places(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask)


def changed(layers: dict[str, np.ndarray], place: tuple[int, ...], value: object) -> dict[str, np.ndarray]:
    """A copy with another value in layer 1."""
    values = layers["layer1.weight"].copy()
    values[place] = value
    return {**layers, "layer1.weight": values}


def a_survivor(trained: TrainedWeights) -> tuple[int, ...]:
    return tuple(places(trained.masks["layer1.weight"])[0])


def a_masked(trained: TrainedWeights) -> tuple[int, ...]:
    return tuple(places(~trained.masks["layer1.weight"])[0])


def one_ulp(trained: TrainedWeights) -> TrainedWeights:
    place = a_survivor(trained)
    value = np.nextafter(trained.started["layer1.weight"][place], np.float32(np.inf))
    return replace(trained, started=changed(trained.started, place, value))


def tiny_at_the_start(trained: TrainedWeights) -> TrainedWeights:
    return replace(trained, started=changed(trained.started, a_masked(trained), 1e-30))


def tiny_at_the_end(trained: TrainedWeights) -> TrainedWeights:
    return replace(trained, ended=changed(trained.ended, a_masked(trained), 1e-30))


def with_masks(trained: TrainedWeights, masks: Masks) -> TrainedWeights:
    """All weights as these masks would have them."""
    return replace(trained, masks=masks, started=masked(trained.rewound, masks), ended=masked(normal(3), masks))


def un_nested(trained: TrainedWeights) -> TrainedWeights:
    """A survivor moved to a place that an earlier round had removed."""
    removed = tuple(places(~trained.last_masks["layer1.weight"])[0])
    masks = changed(trained.masks, removed, True)
    return with_masks(trained, changed(masks, a_survivor(trained), False))


def one_too_many(trained: TrainedWeights) -> TrainedWeights:
    candidates = trained.last_masks["layer1.weight"] & ~trained.masks["layer1.weight"]
    return with_masks(trained, changed(trained.masks, tuple(places(candidates)[0]), True))


def one_too_few(trained: TrainedWeights) -> TrainedWeights:
    return with_masks(trained, changed(trained.masks, a_survivor(trained), False))


def emptied(trained: TrainedWeights) -> TrainedWeights:
    masks = {**trained.masks, "layer1.weight": np.zeros_like(trained.masks["layer1.weight"])}
    return with_masks(trained, masks)


def not_rewound(trained: TrainedWeights) -> TrainedWeights:
    """The last round's final weights, under the new mask."""
    return replace(trained, started=masked(normal(9), trained.masks))


def not_masked(trained: TrainedWeights) -> TrainedWeights:
    return replace(trained, started=trained.rewound, ended=normal(3))


def another_precision(trained: TrainedWeights) -> TrainedWeights:
    started = {name: values.astype(np.float64) for name, values in trained.started.items()}
    return replace(trained, started=started)


def trained_without_a_survivor(trained: TrainedWeights) -> TrainedWeights:
    """A mask in use that is not the mask on record."""
    place = a_survivor(trained)
    return replace(trained, started=changed(trained.started, place, 0), ended=changed(trained.ended, place, 0))


SABOTAGES: dict[str, tuple[Callable[[TrainedWeights], TrainedWeights], set[str]]] = {
    "one ulp": (one_ulp, {"survivors_equal_rewind_weights"}),
    "a rewind that did not happen": (not_rewound, {"survivors_equal_rewind_weights"}),
    "another precision": (another_precision, {"survivors_equal_rewind_weights"}),
    "a masked weight at the start": (tiny_at_the_start, {"masked_weights_zero", "density_exact"}),
    "a masked weight at the end": (tiny_at_the_end, {"masked_weights_zero", "density_exact"}),
    "no mask at all": (not_masked, {"masked_weights_zero", "density_exact"}),
    "a mask that is not nested": (un_nested, {"masks_nested"}),
    "one weight too many": (one_too_many, {"density_exact"}),
    "one weight too few": (one_too_few, {"density_exact"}),
    "another mask in use": (trained_without_a_survivor, {"survivors_equal_rewind_weights", "density_exact"}),
    "an emptied layer": (emptied, {"no_layer_empty", "density_exact"}),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_every_sabotage_is_caught_by_its_invariant(name):
    sabotage, expected = SABOTAGES[name]
    assert violated(LAYER, sabotage(right(LAYER))) == expected


def test_every_invariant_can_be_violated():
    assert set().union(*(expected for _, expected in SABOTAGES.values())) == NAMES


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("name", ["one ulp", "a rewind that did not happen"])
def test_a_wrong_rewind_is_caught_in_every_scope_and_granularity(name, plan):
    sabotage, expected = SABOTAGES[name]
    assert violated(plan, sabotage(right(plan))) == expected


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("sabotage", [tiny_at_the_start, tiny_at_the_end, not_masked])
def test_a_mask_that_leaks_is_caught_in_every_scope_and_granularity(sabotage, plan):
    assert "masked_weights_zero" in violated(plan, sabotage(right(plan)))


@pytest.mark.parametrize("plan", [PLANS["layer-unit"], PLANS["global-unit"]], ids=["layer", "global"])
def test_one_unit_too_many_is_caught(plan):
    trained = right(plan)
    masks = {name: mask.copy() for name, mask in trained.masks.items()}
    unit = int(np.flatnonzero(trained.last_masks["layer1.weight"].any(1) & ~masks["layer1.weight"].any(1))[0])
    masks["layer1.weight"][unit], masks["layer2.weight"][:, unit] = True, True
    assert violated(plan, with_masks(trained, masks)) == {"density_exact"}


def test_a_weight_that_is_zero_only_at_one_end_of_training_was_still_in_use():
    trained = right(LAYER)
    assert violated(LAYER, replace(trained, ended=changed(trained.ended, a_survivor(trained), 0))) == set()
    zero = changed(trained.rewound, a_survivor(trained), 0)
    assert violated(LAYER, replace(trained, rewound=zero, started=masked(zero, trained.masks))) == set()


def test_survivors_that_are_not_numbers_count_as_equal_if_their_bits_are():
    trained = right(LAYER)
    rewound = {name: np.full_like(values, np.nan) for name, values in trained.rewound.items()}
    nothing = masked(rewound, trained.masks)
    assert violated(LAYER, replace(trained, rewound=rewound, started=nothing, ended=nothing)) == set()
