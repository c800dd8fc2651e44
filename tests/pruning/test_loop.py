"""The loop of the paper, in memory: what it trains, round after round, is what a stored run trains."""

from __future__ import annotations

import numpy as np
import pytest

from escapedim.models.layout import Layout
from escapedim.pruning.arms import Draws
from escapedim.pruning.criteria import Weights
from escapedim.pruning.loop import Trained, lottery
from escapedim.pruning.masks import Masks

from .strategies import make_network, make_plan

NETWORK = make_network((6, 5, 3))
LAYOUT = Layout(NETWORK.shapes)
ROUNDS = 3


def draws(number: int) -> Draws:
    """Chance of one round."""
    drawn = np.random.default_rng(number).normal(size=NETWORK.size)
    return Draws(drawn.copy, (-drawn).copy, lambda purpose: np.random.default_rng([number, *purpose.encode()]))


def trained(number: int, masks: dict[str, Masks], row: np.ndarray) -> Trained:
    """A round that "trains" by adding its number to every weight of the dense network."""

    def under(kept: Masks) -> Weights:
        final = (row + number) * LAYOUT.pack(kept, True, np.dtype(bool))
        layers = {name: LAYOUT.split(final)[name] for name in NETWORK.prunable}
        return Weights(NETWORK, layers, layers, LAYOUT.split(final), dict)

    return Trained(number, masks, 10 * row, under)


def test_rounds_follow_one_another_and_can_be_entered_at_any_of_them():
    plan = make_plan(NETWORK.sizes, rounds=ROUNDS)
    loop = lottery(plan, NETWORK, draws)
    dense = next(loop)
    row = draws(0).initial_row()
    assert list(dense) == ["dense"]
    assert np.array_equal(dense["dense"].row, row)
    past = trained(0, dict.fromkeys(("ticket", "random"), dense["dense"].masks), row)
    for number in range(1, ROUNDS + 1):
        arms, entered = loop.send(past), next(lottery(plan, NETWORK, draws, past))
        assert list(arms) == list(plan.arms) == list(entered)
        for name, start in arms.items():
            assert np.array_equal(start.row, -draws(number).initial_row() if name == "reinit" else 10 * row)
            assert all(np.array_equal(start.masks[layer], mask) for layer, mask in entered[name].masks.items())
        past = trained(number, {name: arms[name].masks for name in ("ticket", "random")}, row)
    with pytest.raises(StopIteration):
        loop.send(past)


def test_a_finished_loop_trains_nothing_more():
    plan = make_plan(NETWORK.sizes, rounds=ROUNDS)
    row = draws(0).initial_row()
    dense = next(lottery(plan, NETWORK, draws))["dense"]
    last = trained(ROUNDS, dict.fromkeys(("ticket", "random"), dense.masks), row)
    assert list(lottery(plan, NETWORK, draws, last)) == []
