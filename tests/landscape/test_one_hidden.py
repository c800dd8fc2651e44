"""The Hessian by hand against torch.func, on networks written with torch.nn.functional."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.one_hidden import OneHidden, even_weights
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from tests.landscape.networks import draw, targets

INPUTS, UNITS, SAMPLES = 3, 4, 12
PLAIN = {
    "relu": F.relu,
    "tanh": F.tanh,
    "sigmoid": F.sigmoid,
    "gelu": F.gelu,
    "softplus": F.softplus,
    "erf": lambda z: torch.erf(z / math.sqrt(2)),
}


def problem(model: MLP, loss: str, weighted: bool) -> tuple[OneHidden, Tensor]:
    """A net on drawn data, and three members."""
    x = draw(SAMPLES, INPUTS, seed=1)
    weights = torch.softmax(draw(SAMPLES, seed=3), 0) if weighted else even_weights(x)
    flat = draw(3, Layout(model.shapes).size, seed=5)
    return OneHidden(model, loss, x, targets(loss, SAMPLES, model.sizes[-1]), weights), flat


def plain_loss(on: OneHidden, row: Tensor) -> Tensor:
    """The loss of one member, its parameters cut from the row in the order of the layers."""
    outputs, bias = on.model.sizes[-1], on.model.bias
    sizes = [UNITS * INPUTS, UNITS * bias, outputs * UNITS, outputs * bias]
    w, b, a, c = torch.split(row, sizes)
    hidden = PLAIN[on.model.activation](F.linear(on.x, w.view(UNITS, INPUTS), b if bias else None))
    f = F.linear(hidden, a.view(outputs, UNITS), c if bias else None)
    if on.loss == "squared":
        return on.weights @ F.mse_loss(f, on.targets, reduction="none").mean(1)
    return on.weights @ F.cross_entropy(f, on.targets.argmax(1), reduction="none")


def by_torch(on: OneHidden, row: Tensor) -> Tensor:
    with warnings.catch_warnings():  # forward mode warns of torch's own deprecated parts
        warnings.simplefilter("ignore")
        return torch.func.hessian(lambda point: plain_loss(on, point))(row)


@pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weights"])
@pytest.mark.parametrize("bias", [True, False], ids=["biases", "no biases"])
@pytest.mark.parametrize(("loss", "outputs"), [("squared", 1), ("squared", 2), ("cross-entropy", 3)])
@pytest.mark.parametrize("activation", TABLE)
def test_the_hessian_is_that_of_torch(activation, loss, outputs, bias, weighted):
    on, flat = problem(MLP((INPUTS, UNITS, outputs), activation, bias=bias), loss, weighted)
    expected = torch.stack([by_torch(on, row) for row in flat])
    torch.testing.assert_close(on.hessian(flat), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_the_surface_of_a_net_has_this_hessian(loss):
    on, flat = problem(MLP((INPUTS, UNITS, 2), "tanh"), loss, weighted=False)
    assert torch.equal(DenseSurface(on.model, loss, on.x, on.targets).hessian(flat), on.hessian(flat))


@pytest.mark.parametrize("bias", [True, False], ids=["biases", "no biases"])
def test_incoming_and_outgoing_weights_and_inputs_make_up_the_network(bias):
    on, flat = problem(MLP((INPUTS, UNITS, 2), "tanh", bias=bias), "squared", weighted=False)
    for row, incoming, outgoing in zip(flat, on.incoming(flat), on.outgoing(flat), strict=True):
        outputs = torch.tanh(on.inputs @ incoming.T) @ outgoing + (row[-2:] if bias else 0)
        torch.testing.assert_close(F.mse_loss(outputs, on.targets), plain_loss(on, row), rtol=1e-13, atol=0)
    assert torch.equal(flat[:, on.outgoing_columns], on.outgoing(flat))


def test_even_weights_are_those_of_a_mean():
    values = draw(7, 2, seed=4)
    torch.testing.assert_close(even_weights(values) @ values, values.mean(0), rtol=1e-14, atol=0)


@pytest.mark.parametrize("outputs", [1, 3])
def test_many_inputs_are_taken_unit_by_unit(outputs, monkeypatch):
    on, flat = problem(MLP((INPUTS, UNITS, outputs), "tanh"), "squared", weighted=True)
    together = on.hessian(flat)
    monkeypatch.setattr("escapedim.landscape.one_hidden.MOST_SQUARES", 0)
    apart, _ = problem(on.model, "squared", weighted=True)
    torch.testing.assert_close(apart.hessian(flat), together, rtol=1e-13, atol=1e-15)
