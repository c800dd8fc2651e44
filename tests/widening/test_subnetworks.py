from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.tasks import relu_teacher
from escapedim.widening.experiment import setting
from escapedim.widening.subnetworks import placed, rescaled, rescaling, subsets, taken
from tests.training.plain import toy

from .networks import members
from .test_experiment import small

WIDE, NARROW = MLP((3, 5, 2), "tanh"), MLP((3, 2, 2), "tanh")
CHOSEN = [(0, 3), (4, 1), (2, 2)]


def outputs(model: MLP, row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return model.apply({name: view[0] for name, view in Layout(model.shapes).views(row[None]).items()}, x)


def test_a_subnetwork_is_the_wide_network_without_its_other_units():
    rows, x = members(WIDE), torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alone = taken(WIDE, rows, CHOSEN)
    for row, own, units in zip(rows, alone, CHOSEN, strict=True):
        parts = Layout(WIDE.shapes).split(row.numpy())
        hidden = np.tanh(x.numpy() @ parts["layer1.weight"].T + parts["layer1.bias"])[:, units]
        expected = hidden @ parts["layer2.weight"][:, units].T + parts["layer2.bias"]
        assert outputs(NARROW, own, x).numpy() == pytest.approx(expected, abs=1e-14)


def test_a_ticket_is_the_first_units_of_the_network_that_it_is_put_into():
    tickets, wide = members(NARROW, seed=1), members(WIDE, seed=2)
    found = placed(NARROW, tickets, WIDE, wide)
    assert torch.equal(taken(WIDE, found, [(0, 1)] * 3), tickets)
    rest = MLP((3, 3, 2), "tanh")
    after, before = (Layout(rest.shapes).views(taken(WIDE, rows, [(2, 3, 4)] * 3)) for rows in (found, wide))
    for name in after:
        assert torch.equal(after[name], before[name]) or name == "layer2.bias"


@settings(deadline=None)
@given(st.integers(2, 7), st.data())
def test_all_subsets_where_they_are_few_and_distinct_ones_of_the_right_size_where_they_are_not(width, data):
    units, most = data.draw(st.integers(1, width - 1)), data.draw(st.integers(1, 40))
    found = subsets(width, units, most, seed=3)
    assert len(found) == len(set(found)) == min(most, math.comb(width, units))
    assert all(len(set(one)) == units and list(one) == sorted(one) for one in found)
    assert {unit for one in found for unit in one} <= set(range(width))
    assert found == subsets(width, units, most, seed=3)


def test_sampled_subsets_are_uniform_over_units():
    drawn = [unit for seed in range(400) for one in subsets(6, 2, 3, seed) for unit in one]
    counts = np.bincount(drawn, minlength=6)
    assert abs(counts - 400).max() < 5 * math.sqrt(400)


def settings_of(init: str, widths: tuple[int, int]):
    return [setting(small(init=init), toy().task, (width,), "standard") for width in widths]


# The spread of a weight by the definitions of the initialisations.
SPREADS = {
    "glorot-normal": lambda inputs, outputs: math.sqrt(2 / (inputs + outputs)),
    "lecun-normal": lambda inputs, outputs: math.sqrt(1 / inputs),
    "he-normal": lambda inputs, outputs: math.sqrt(2 / inputs),
    "normal:std=3": lambda inputs, outputs: 3,
}


@pytest.mark.parametrize("init", SPREADS)
def test_what_changes_its_width_gets_the_initial_spread_of_its_new_width(init):
    wide, narrow = settings_of(init, (8, 5))
    factors, spread = rescaling(wide, narrow), SPREADS[init]
    assert factors == pytest.approx(
        {"layer1.weight": spread(4, 5) / spread(4, 8), "layer2.weight": spread(5, 3) / spread(8, 3)}, rel=1e-12
    )
    drawn = taken(wide.model, wide.drawn(range(2000)), [tuple(range(5))] * 2000)
    weights = Layout(narrow.model.shapes).views(rescaled(narrow.model, drawn, factors))
    for name, (inputs, outputs) in {"layer1.weight": (4, 5), "layer2.weight": (5, 3)}.items():
        assert float(weights[name].std()) == pytest.approx(spread(inputs, outputs), rel=0.03)


def test_parametrizations_enter_the_spread():
    wide, narrow = (setting(small(), toy().task, (width,), "ntk:base=4") for width in (8, 5))
    factors = rescaling(wide, narrow)
    stds = [
        float(Layout(one.model.shapes).views(one.drawn(range(4000)))["layer2.weight"].std()) for one in (wide, narrow)
    ]
    assert factors["layer2.weight"] == pytest.approx(stds[1] / stds[0], rel=0.05)


def test_relu_students_need_no_rescaling():
    values = {"init": "lecun-normal", "optimizer": "gd", "batch_size": "full", "dtype": "float64"}
    wide, narrow = (setting(small(**values), relu_teacher.load(3), (width,), "standard") for width in (4, 3))
    assert rescaling(wide, narrow) == {"layer1.weight": 1.0}
