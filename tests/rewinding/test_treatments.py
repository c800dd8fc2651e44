from __future__ import annotations

import numpy as np
import pytest

from escapedim.models.layout import Layout
from escapedim.rewinding.treatments import Treatment
from escapedim.training.initial import fresh_row, order_seed

from .problems import PROBLEM, ROOT, a_round, left

LEFT, ROUND = left(), a_round()
POINTS = LEFT.points
TICKET = LEFT.masks["ticket"]

# Treatment: what its subnetwork holds, under which mask.
WEIGHTS = {
    "a step": (Treatment("ticket", 6, 6), POINTS[6], TICKET),
    "the start, from a later step on": (Treatment("ticket", 0, 6), POINTS[0], TICKET),
    "the end": (Treatment("ticket", "end", 6), LEFT.end, TICKET),
    "fresh": (Treatment("reinit", "fresh", 0), fresh_row(PROBLEM.model, "float64", ROOT, 0, 2).numpy(), TICKET),
    "random": (Treatment("random", 0, 0), POINTS[0], LEFT.masks["random"]),
    "dense": (Treatment("dense", 6, 6), POINTS[6], np.ones_like(TICKET)),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_masked_networks_hold_the_weights_that_were_asked_for_and_nothing_else(case):
    treatment, weights, kept = WEIGHTS[case]
    begun = ROUND.begin(LEFT, POINTS, treatment)
    assert np.array_equal(begun.row, weights * kept)
    assert np.array_equal(begun.there, kept)
    assert not begun.frozen.any()


@pytest.mark.parametrize("kind", ["ticket", "reinit", "random"])
@pytest.mark.parametrize("rest", ["original", "frozen"])
def test_the_original_complement_is_that_of_the_rewind_point(kind, rest):
    treatment = Treatment(kind, "fresh" if kind == "reinit" else 6, 6, rest=rest)
    begun, kept = ROUND.begin(LEFT, POINTS, treatment), LEFT.masks[treatment.mask_of]
    assert np.array_equal(begun.row[~kept], POINTS[6][~kept])
    assert np.array_equal(begun.row[kept], ROUND.begin(LEFT, POINTS, treatment.alone).row[kept])
    assert begun.there.all()
    assert np.array_equal(begun.frozen, ~kept if rest == "frozen" else np.zeros_like(kept))


def test_redrawn_complements_are_shared_by_subnetworks_and_scales_and_differ_by_draw():
    def begun(kind, draw, scale):
        treatment = Treatment(kind, 0, 0, rest="redraw", draw=draw, scale=scale)
        return ROUND.begin(LEFT, POINTS, treatment).row, ~LEFT.masks[treatment.mask_of]

    one, outside = begun("ticket", 0, 1.0)
    loud, _ = begun("ticket", 0, 3.0)
    other, _ = begun("ticket", 1, 1.0)
    random, outside_random = begun("random", 0, 1.0)
    assert np.array_equal(one[~outside], loud[~outside])
    assert np.allclose(loud[outside], 3 * one[outside], rtol=1e-15)
    assert not np.isclose(one[outside], other[outside]).any()
    both = outside & outside_random
    assert both.any()
    assert np.array_equal(one[both], random[both])
    assert not np.isclose(one[outside], POINTS[0][outside]).any()
    assert np.abs(one[outside]).max() < 6 * np.sqrt(2 / 6)  # a Glorot draw, and none of the rows above


def test_what_is_never_pruned_belongs_to_the_subnetwork():
    biases = Layout(PROBLEM.model.shapes).pack(
        {name: np.ones(shape, bool) for name, shape in PROBLEM.model.shapes.items() if "bias" in name},
        False,
        np.dtype(bool),
    )
    assert TICKET[biases].all()
    assert np.array_equal(ROUND.prunable(), ~biases)


def test_data_orders_are_the_rounds_own_or_another():
    own = Treatment("ticket", 0, 0)
    assert ROUND.order(4, own) == order_seed(PROBLEM.model, ROOT, 4, 2)
    orders = {ROUND.order(4, own), ROUND.order(4, Treatment("ticket", 0, 0, second_order=True)), ROUND.order(5, own)}
    orders |= {
        a_round(number=3).order(4, own),
        a_round(number=3).order(4, Treatment("ticket", 0, 0, second_order=True)),
    }
    assert len(orders) == 5
