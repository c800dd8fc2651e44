"""Pair coordinates: the plain network at a distance, a unit with its derivative at none, gradients by differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from escapedim.landscape import surface as surface_module
from escapedim.landscape.pairs import PairSurface, in_pair_coordinates
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from tests.landscape.networks import draw, surface, targets

SMOOTH = [name for name in TABLE if name != "relu"]
INPUTS, LEFT, RIGHT = 2, 0, 2
# Hidden and output sizes and whether there are biases; two units are a pair and no others.
NETS = [(4, 1, True), (4, 2, True), (4, 2, False), (2, 1, True), (2, 2, False)]


def pairs(model: MLP, members: int, sign: float = 1.0):
    on, flat = surface(model, "squared"), draw(members, Layout(model.shapes).size)
    units = on.units(flat)
    left, right = torch.full((members,), LEFT), torch.full((members,), min(RIGHT, model.sizes[1] - 1))
    return on, flat, PairSurface(units), in_pair_coordinates(units, left, right, torch.full((members,), sign).double())


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("units", "outputs", "bias"), NETS)
def test_pair_coordinates_are_the_same_network(units, outputs, bias, sign):
    on, flat, pair, rows = pairs(MLP((INPUTS, units, outputs), "tanh", bias=bias), 3, sign)
    torch.testing.assert_close(pair.loss(rows), on.loss(flat), rtol=1e-12, atol=0)


def at_a_distance(model: MLP, row: Tensor, epsilon: float) -> Tensor:
    """The plain network of a row: w± = v ± ε q / 2 and outgoing weights a/2 ± ĉ/ε, written out."""
    inputs, (_, units, outputs) = INPUTS + model.bias, model.sizes
    sizes = [(units - 2) * inputs, inputs, inputs, (units - 2) * outputs, outputs, outputs, outputs * model.bias, 1]
    others, v, q, rest, a, c, offset, _ = torch.split(row, sizes)
    turned = c / c.norm()
    x = draw(12, INPUTS, seed=1)
    if model.bias:
        x = torch.cat([x, torch.ones(12, 1)], 1)
    activate = TABLE[model.activation].function
    if epsilon:
        ends = [(v + s * epsilon * q / 2, a / 2 + s * turned / epsilon) for s in (1, -1)]
        f = sum(activate(x @ w)[:, None] * out for w, out in ends)
    else:
        value, slope = torch.func.jvp(activate, (x @ v,), (x @ q,))
        f = value[:, None] * a + slope[:, None] * turned
    f = f + activate(x @ others.view(-1, inputs).T) @ rest.view(-1, outputs)
    return F.mse_loss(f + offset if model.bias else f, targets("squared", 12, outputs))


@pytest.mark.parametrize("epsilon", [0.3, 1e-2, 0.0])
@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize(("units", "outputs", "bias"), NETS)
def test_the_loss_at_any_distance_and_at_none(units, outputs, bias, activation, epsilon):
    model = MLP((INPUTS, units, outputs), activation, bias=bias)
    _, _, pair, rows = pairs(model, 3)
    rows[:, -1] = epsilon
    expected = torch.stack([at_a_distance(model, row, epsilon) for row in rows])
    torch.testing.assert_close(pair.loss(rows), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_loss_of_a_pair_comes_to_its_limit_as_the_square_of_the_distance(outputs):
    _, _, pair, rows = pairs(MLP((INPUTS, 4, outputs), "softplus"), 4)
    losses = []
    for epsilon in (2e-2, 1e-2, 0.0):
        rows[:, -1] = epsilon
        losses.append(pair.loss(rows))
    torch.testing.assert_close(
        (losses[0] - losses[2]) / (losses[1] - losses[2]), torch.full((4,), 4.0).double(), rtol=1e-2, atol=0
    )


@pytest.mark.parametrize("epsilon", [0.3, 0.0])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
@pytest.mark.parametrize(("units", "outputs", "bias"), NETS)
def test_derivatives_by_finite_differences(units, outputs, bias, activation, epsilon):
    _, _, pair, rows = pairs(MLP((INPUTS, units, outputs), activation, bias=bias), 2)
    rows[:, -1] = epsilon
    gradient, hessian, step = pair.gradient(rows), pair.hessian(rows), 1e-5
    for column in range(rows.shape[1] - 1):
        shift = torch.zeros_like(rows)
        shift[:, column] = step
        slope = (pair.loss(rows + shift) - pair.loss(rows - shift)) / (2 * step)
        torch.testing.assert_close(gradient[:, column], slope, rtol=1e-6, atol=1e-7)
        curvature = (pair.gradient(rows + shift) - pair.gradient(rows - shift)) / (2 * step)
        torch.testing.assert_close(hessian[:, column], curvature, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(pair.norm(gradient) ** 2, (gradient * gradient).sum(1), rtol=1e-13, atol=0)


def test_flat_directions_of_a_pair_change_nothing():
    _, _, pair, rows = pairs(MLP((INPUTS, 4, 2), "gelu"), 3)
    c, epsilon = pair.symmetries(rows).unbind(2)
    torch.testing.assert_close(pair.loss(rows + 2 * c), pair.loss(rows), rtol=1e-13, atol=0)
    assert (c != 0).sum(1).tolist() == [2] * 3
    assert epsilon.nonzero()[:, 1].tolist() == [rows.shape[1] - 1] * 3
    assert (pair.gradient(rows)[:, -1] == 0).all()
    assert (pair.hessian(rows)[:, -1] == 0).all()
    assert (pair.hessian(rows)[:, :, -1] == 0).all()


def test_members_one_at_a_time_have_the_same_values(monkeypatch):
    _, _, pair, rows = pairs(MLP((INPUTS, 4, 2), "tanh"), 4)
    whole = pair.loss(rows), pair.gradient(rows), pair.hessian(rows)
    monkeypatch.setattr(surface_module, "BUDGET", 1)
    for stacked, alone in zip(whole, (pair.loss(rows), pair.gradient(rows), pair.hessian(rows)), strict=True):
        torch.testing.assert_close(stacked, alone, rtol=1e-13, atol=1e-14)
