from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.conv import ConvNet, conv_2
from escapedim.models.families import Wanted
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.models.units import placed
from escapedim.tasks import relu_teacher
from escapedim.tasks.base import Task
from escapedim.training.networks import network_of_width
from escapedim.widening.experiment import setting
from escapedim.widening.stack import Setting
from escapedim.widening.subnetworks import rescaled, rescaling, subsets, taken
from tests.training.plain import toy

from .networks import members
from .test_experiment import small

WIDE, NARROW = MLP((3, 5, 2), "tanh"), MLP((3, 2, 2), "tanh")
CHOSEN = [((0, 3),), ((4, 1),), ((2, 2),)]


def outputs(model: Network, row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return model.apply({name: view[0] for name, view in Layout(model.shapes).views(row[None]).items()}, x)


def test_a_subnetwork_is_the_wide_network_without_its_other_units():
    rows, x = members(WIDE), torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alone = taken(WIDE, rows, CHOSEN)
    for row, own, (units,) in zip(rows, alone, CHOSEN, strict=True):
        parts = Layout(WIDE.shapes).split(row.numpy())
        hidden = np.tanh(x.numpy() @ parts["layer1.weight"].T + parts["layer1.bias"])[:, units]
        expected = hidden @ parts["layer2.weight"][:, units].T + parts["layer2.bias"]
        assert outputs(NARROW, own, x).numpy() == pytest.approx(expected, abs=1e-14)


def test_a_ticket_is_the_first_units_of_the_network_that_it_is_put_into():
    tickets, wide = members(NARROW, seed=1), members(WIDE, seed=2)
    found = placed(NARROW, tickets, WIDE, wide)
    assert torch.equal(taken(WIDE, found, [((0, 1),)] * 3), tickets)
    rest = MLP((3, 3, 2), "tanh")
    after, before = (Layout(rest.shapes).views(taken(WIDE, rows, [((2, 3, 4),)] * 3)) for rows in (found, wide))
    for name in after:
        assert torch.equal(after[name], before[name]) or name == "layer2.bias"


def conv(width: int) -> ConvNet:
    """A net for images of 4×5, of which the maximum leaves 2×2 places of each channel."""
    return conv_2(Wanted((1, 4, 5), 3, "tanh", "glorot-normal", True), width)


def test_a_subnetwork_of_a_convolutional_net_is_the_wide_one_with_its_other_channels_cut_away():
    """A channel, or unit, is cut away by the weights that lead away from it, block by block behind the flattening."""
    wide, narrow = conv(3), conv(2)
    rows, x = members(wide, 4), torch.randn(6, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    chosen = subsets(wide, narrow, 4, seed=5)
    assert [tuple(map(len, one)) for one in chosen] == [(2, 2, 8, 8)] * 4
    assert all(unit < most for one in chosen for units, most in zip(one, (3, 3, 12, 12), strict=True) for unit in units)
    alone = taken(wide, rows, chosen)
    assert alone.shape == (4, narrow.size)
    for row, own, (first, second, third, fourth) in zip(rows, alone, chosen, strict=True):
        cut = row.clone()
        params = {name: view[0] for name, view in Layout(wide.shapes).views(cut[None]).items()}
        params["conv2.weight"][:, [n for n in range(3) if n not in first]] = 0
        params["dense1.weight"].view(12, 3, 4)[:, [n for n in range(3) if n not in second]] = 0
        params["dense2.weight"][:, [n for n in range(12) if n not in third]] = 0
        params["output.weight"][:, [n for n in range(12) if n not in fourth]] = 0
        torch.testing.assert_close(outputs(narrow, own, x), outputs(wide, cut, x), rtol=1e-12, atol=1e-12)


def test_a_convolutional_ticket_is_the_first_units_of_each_group_of_the_network_that_it_is_put_into():
    wide, narrow = conv(3), conv(2)
    tickets, rows = members(narrow, seed=1), members(wide, seed=2)
    found = placed(narrow, tickets, wide, rows)
    assert torch.equal(taken(wide, found, [tuple(tuple(range(units)) for units in narrow.units)] * 3), tickets)
    rest = [tuple(range(units, whole)) for units, whole in zip(narrow.units, wide.units, strict=True)]
    own = wide.resized(list(map(len, rest)))
    after, before = (Layout(own.shapes).views(taken(wide, values, [tuple(rest)] * 3)) for values in (found, rows))
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"output.bias"}


@settings(deadline=None)
@given(st.integers(2, 7), st.data())
def test_all_subsets_where_they_are_few_and_distinct_ones_of_the_right_size_where_they_are_not(width, data):
    units, most = data.draw(st.integers(1, width - 1)), data.draw(st.integers(1, 40))
    networks = MLP((3, width, 2), "tanh"), MLP((3, units, 2), "tanh")
    found = subsets(*networks, most, seed=3)
    assert len(found) == len(set(found)) == min(most, math.comb(width, units))
    assert all(len(set(one)) == units and list(one) == sorted(one) for (one,) in found)
    assert {unit for (one,) in found for unit in one} <= set(range(width))
    assert found == subsets(*networks, most, seed=3)


def test_sampled_subsets_are_uniform_over_units():
    wide, narrow = MLP((3, 6, 2), "tanh"), MLP((3, 2, 2), "tanh")
    drawn = [unit for seed in range(400) for (one,) in subsets(wide, narrow, 3, seed) for unit in one]
    counts = np.bincount(drawn, minlength=6)
    assert abs(counts - 400).max() < 5 * math.sqrt(400)


def settings_of(
    widths: tuple[int, int], task: Task | None = None, parametrization: str = "standard", **changes: object
) -> list[Setting]:
    own, task = small(**changes), task or toy().task
    return [setting(own, task, network_of_width(own, task, width), parametrization) for width in widths]


# The spread of a weight by the definitions of the initialisations.
SPREADS = {
    "glorot-normal": lambda inputs, outputs: math.sqrt(2 / (inputs + outputs)),
    "lecun-normal": lambda inputs, outputs: math.sqrt(1 / inputs),
    "he-normal": lambda inputs, outputs: math.sqrt(2 / inputs),
    "normal:std=3": lambda inputs, outputs: 3,
}


@pytest.mark.parametrize("init", SPREADS)
def test_what_changes_its_width_gets_the_initial_spread_of_its_new_width(init):
    wide, narrow = settings_of((8, 5), init=init)
    factors, spread = rescaling(wide, narrow), SPREADS[init]
    assert factors == pytest.approx(
        {"layer1.weight": spread(4, 5) / spread(4, 8), "layer2.weight": spread(5, 3) / spread(8, 3)}, rel=1e-12
    )
    drawn = taken(wide.model, wide.drawn(range(2000)), [(tuple(range(5)),)] * 2000)
    weights = Layout(narrow.model.shapes).views(rescaled(narrow.model, drawn, factors))
    for name, (inputs, outputs) in {"layer1.weight": (4, 5), "layer2.weight": (5, 3)}.items():
        assert float(weights[name].std()) == pytest.approx(spread(inputs, outputs), rel=0.03)


def test_parametrizations_enter_the_spread():
    wide, narrow = settings_of((8, 5), parametrization="ntk:base=4")
    factors = rescaling(wide, narrow)
    stds = [
        float(Layout(one.model.shapes).views(one.drawn(range(4000)))["layer2.weight"].std()) for one in (wide, narrow)
    ]
    assert factors["layer2.weight"] == pytest.approx(stds[1] / stds[0], rel=0.05)


def test_relu_students_need_no_rescaling():
    values = {"init": "lecun-normal", "optimizer": "gd", "batch_size": "full", "dtype": "float64"}
    wide, narrow = settings_of((4, 3), relu_teacher.load(3), **values)
    assert rescaling(wide, narrow) == {"layer1.weight": 1.0}
