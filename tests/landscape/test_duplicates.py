"""Twins by brute force: units whose outputs on many inputs are the same, or the same up to sign."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.duplicates import SAME, earlier_twins, nearest_signs, twins_of
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from tests.landscape.networks import draw

POOL = [(1, 0), (0, 1), (1, 1), (2, 2), (1, -1), (-1, 1), (-1, -1), (-1, 0), (1, 2)]
stacks = st.integers(1, 5).flatmap(
    lambda units: st.lists(st.lists(st.sampled_from(POOL), min_size=units, max_size=units), min_size=1, max_size=3)
)


def twin_by_outputs(activation: str, incoming: Tensor, unit: int) -> tuple[int, int]:
    """The first earlier unit with the same outputs, up to sign, and the sign; or -1."""
    x = 0.3 * draw(40, incoming.shape[1], seed=6)
    values = TABLE[activation].function(x @ incoming.T)
    for earlier in range(unit):
        for sign in (1, -1):
            if torch.allclose(values[:, unit], sign * values[:, earlier], rtol=1e-9, atol=1e-12):
                return earlier, sign
    return -1, 1


@settings(max_examples=60, deadline=None)
@given(incoming=stacks, activation=st.sampled_from([name for name in TABLE if name != "relu"]))
def test_twins_are_units_with_the_same_outputs(incoming, activation):
    stack = torch.tensor(incoming, dtype=torch.float64)
    twins, signs = earlier_twins(stack, TABLE[activation].odd, SAME)
    assert twins.shape == signs.shape == stack.shape[:2]
    for member, found, sign in zip(stack, twins.tolist(), signs.tolist(), strict=True):
        for unit, twin in enumerate(found):
            expected, expected_sign = twin_by_outputs(activation, member, unit)
            assert twin == expected
            assert twin < 0 or sign[unit] == expected_sign


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("activation", ["tanh", "erf"])
def test_weight_moved_along_the_line_of_twins_changes_no_output(activation, sign):
    """Also where outgoing weights cancel, so that the two units together do nothing."""
    model = MLP((2, 3, 1), activation)
    flat = draw(2, Layout(model.shapes).size, seed=7)
    views = Layout(model.shapes).views(flat)
    views["layer1.weight"][:, 2], views["layer1.bias"][:, 2] = (
        sign * views["layer1.weight"][:, 0],
        sign * views["layer1.bias"][:, 0],
    )
    views["layer2.weight"][1, :, 2] = -sign * views["layer2.weight"][1, :, 0]
    on = DenseSurface(model, "squared", draw(9, 2, seed=8), draw(9, 1, seed=9))
    twins, signs = twins_of(on.units(flat))
    assert twins.tolist() == [[-1, -1, 0]] * 2
    assert signs[:, 2].tolist() == [sign] * 2
    before = on.loss(flat)
    views["layer2.weight"][:, 0, 2] += 3
    views["layer2.weight"][:, 0, 0] -= 3 * signs[:, 2]
    torch.testing.assert_close(on.loss(flat), before, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", ["sigmoid", "gelu", "softplus", "relu"])
def test_a_mirror_image_is_a_unit_of_its_own_where_the_activation_is_not_odd(activation):
    incoming = torch.tensor([[[1.0, 2.0], [-1.0, -2.0], [1.0, 2.0]]])
    twins, signs = earlier_twins(incoming, TABLE[activation].odd, SAME)
    assert twins.tolist() == [[-1, -1, 0]]
    assert (signs == 1).all()


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e6])
@pytest.mark.parametrize(("factor", "twin"), [(0.9, 0), (1.1, -1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_distance_that_makes_twins_is_relative_to_the_longer_unit(scale, factor, twin, sign):
    first = torch.tensor([3.0, 4.0], dtype=torch.float64)
    second = sign * (first + factor * SAME * 5 * torch.tensor([0.8, -0.6], dtype=torch.float64))
    twins, _ = earlier_twins(scale * torch.stack([first, second])[None], True, SAME)
    assert twins.tolist() == [[-1, twin]]


def test_units_without_incoming_weights_are_nobodys_twins():
    twins, _ = earlier_twins(torch.zeros(1, 3, 2, dtype=torch.float64), True, SAME)
    assert twins.tolist() == [[-1, -1, -1]]


@pytest.mark.parametrize("odd", [True, False])
def test_distances_by_loops(odd):
    incoming = draw(3, 4, 2, seed=10)
    distances, signs = nearest_signs(incoming, odd)
    for member, left, right in torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(4)).tolist():
        w, u = incoming[member, left], incoming[member, right]
        apart = {sign: float((w - sign * u).norm() / max(w.norm(), u.norm())) for sign in ((1, -1) if odd else (1,))}
        nearest = min(apart, key=apart.__getitem__)
        assert signs[member, left, right] == nearest
        assert float(distances[member, left, right]) == pytest.approx(apart[nearest], rel=1e-12, abs=1e-15)
