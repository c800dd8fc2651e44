from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from escapedim.models.units import alive
from escapedim.pruning.arms import Draws, Start, next_masks, starts
from escapedim.pruning.criteria import Weights
from escapedim.pruning.masks import Masks, full_masks
from escapedim.pruning.pruning_plan import CONTROLS, expected_counts

from .strategies import make_network, make_plan

SIZES = (9, 8, 7)
NETWORK = make_network(SIZES)
SHAPES = {name: NETWORK.shapes[name] for name in NETWORK.prunable}
REWOUND, FRESH = np.arange(5.0), np.full(5, 7.0)


def draws(number: int) -> Draws:
    """Chance of one round: every purpose has its own seed."""
    return Draws(REWOUND.copy, FRESH.copy, lambda purpose: np.random.default_rng([number, *purpose.encode()]))


def weights(number: int) -> Weights:
    random = np.random.default_rng(number)
    layers = {name: random.normal(size=shape) for name, shape in SHAPES.items()}
    return Weights(NETWORK, layers, layers, layers, lambda: layers)


def sees(number: int) -> Callable[[Masks], Weights]:
    """What a criterion sees in a round, whatever the masks."""
    return lambda masks: weights(number)


def run(rounds: int = 4, **changes) -> list[dict[str, Masks]]:
    """Masks of all arms, round after round; every arm begins full."""
    plan = make_plan(SIZES, rounds=rounds, fraction=0.3, **changes)
    history = [dict.fromkeys(("ticket", "random"), full_masks(NETWORK))]
    for number in range(1, rounds + 1):
        history.append(next_masks(plan, history[-1], sees(number), draws(number)))
    return history


def same(one: Masks, other: Masks) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in SHAPES)


def inside(inner: Masks, outer: Masks) -> bool:
    return all(not (inner[name] & ~outer[name]).any() for name in SHAPES)


def counts(masks: Masks) -> list[int]:
    return [int(mask.sum()) for mask in masks.values()]


@pytest.mark.parametrize("granularity", ["weight", "unit"])
def test_masks_of_every_arm_are_those_of_its_definition(granularity):
    history = run(granularity=granularity)
    plan = make_plan(SIZES, rounds=4, fraction=0.3, granularity=granularity)
    for (last, masks), expected in zip(pairwise(history), expected_counts(plan, NETWORK)[1:], strict=True):
        assert list(masks) == ["ticket", "reinit", "shuffle", "random"]
        assert inside(masks["ticket"], last["ticket"])
        assert inside(masks["random"], last["random"])
        assert same(masks["reinit"], masks["ticket"])
        assert not same(masks["shuffle"], masks["ticket"])
        assert not same(masks["random"], masks["ticket"])
        for arm in masks.values():
            assert counts(arm) == counts(masks["ticket"])
            units = {name: int(living.sum()) for name, living in alive(NETWORK, arm).items()}
            found = dict(zip(SHAPES, counts(arm), strict=True)) if granularity == "weight" else units
            assert {name: found[name] for name in expected} == expected


def test_the_random_arm_goes_its_own_way_and_a_shuffle_is_drawn_anew():
    history = run()
    assert not any(inside(masks["random"], last["ticket"]) for last, masks in list(pairwise(history))[1:])
    assert not any(inside(masks["shuffle"], last["shuffle"]) for last, masks in list(pairwise(history))[1:])


def test_the_random_arm_does_not_depend_on_the_criterion():
    chance = [[masks["random"] for masks in run(criterion=criterion)] for criterion in ("magnitude", "random", "snip")]
    for one in chance[1:]:
        assert all(same(left, right) for left, right in zip(one, chance[0], strict=True))


def test_the_random_criterion_and_the_random_arm_are_two_draws():
    assert not same(run(criterion="random")[1]["ticket"], run(criterion="random")[1]["random"])


@pytest.mark.parametrize("control", [None, *CONTROLS])
def test_the_ticket_is_the_same_whatever_controls_are_trained(control):
    arms = ("ticket", control) if control else ("ticket",)
    history, whole = run(1, arms=arms), run(1)
    assert list(history[1]) == list(arms)
    assert all(same(history[1][arm], whole[1][arm]) for arm in arms)


# arm: its starting weights
TABLE = {"ticket": REWOUND, "reinit": FRESH, "shuffle": REWOUND, "random": REWOUND}


@pytest.mark.parametrize("arm", TABLE)
def test_weights_of_every_arm_are_those_of_its_definition(arm):
    masks = run()[2]
    start = starts(masks, REWOUND, draws(2))[arm]
    assert isinstance(start, Start)
    assert start.row.tolist() == TABLE[arm].tolist()
    assert same(start.masks, masks[arm])


def test_a_fresh_network_is_drawn_only_for_reinit():
    def refuse() -> np.ndarray:
        raise AssertionError

    masks = run(1, arms=("ticket", "shuffle", "random"))[1]
    assert list(starts(masks, REWOUND, Draws(refuse, refuse, draws(1).generator))) == ["ticket", "shuffle", "random"]
