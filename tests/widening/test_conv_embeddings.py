"""Embeddings of convolutional nets: one group of units, or all that grow with the width, and what is critical there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from escapedim.errors import BadInput
from escapedim.models.conv import ConvNet, conv_2
from escapedim.models.families import Wanted
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network, UnitGroup
from escapedim.specs import parse_spec
from escapedim.training.seeds import torch_generator
from escapedim.widening.embeddings import check, embed, merge, why_not_critical, widened
from tests.landscape.networks import draw

LAYERS = {"conv1": 1, "conv2": 2, "dense1": 3, "dense2": 4, "all": 0}
each_growth = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def conv(width: int, activation: str = "tanh") -> ConvNet:
    """A net for images of 5×7, of which the maximum leaves 2×3 places of each channel."""
    return conv_2(Wanted((2, 5, 7), 3, activation, "glorot-normal", True), width)


def grown(narrow: ConvNet, layer: int, by: int = 1) -> Network:
    """The net with more units in one group; for layer 0 that of a larger width, with more of them in every group."""
    return widened(narrow, layer, by) if layer else conv(narrow.width + by, narrow.activation)


def rows(network: Network, count: int = 3) -> Tensor:
    return 0.3 * draw(count, network.size, seed=3)


def outputs(network: Network, flat: Tensor) -> Tensor:
    views, x = Layout(network.shapes).views(flat), draw(9, network.inputs, seed=7)
    return torch.stack([network.apply({name: view[n] for name, view in views.items()}, x) for n in range(len(flat))])


@each_growth
@pytest.mark.parametrize("spec", ["split:alpha=0.5", "split:alpha=-0.7"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_split_keeps_the_function_and_merging_undoes_it(activation, spec, layer):
    narrow = conv(2, activation)
    wide, flat = grown(narrow, layer, by=2), rows(narrow)
    embedded = embed(narrow, wide, flat, parse_spec(spec), [5, 6, 7])
    torch.testing.assert_close(outputs(wide, embedded.flat), outputs(narrow, flat), rtol=1e-12, atol=1e-12)
    assert {name: parents.shape for name, parents in embedded.parents.items()} == {
        after.name: (3, after.units - before.units)
        for before, after in zip(narrow.groups, wide.groups, strict=True)
        if after.units > before.units
    }
    torch.testing.assert_close(merge(wide, embedded.flat, embedded.parents), flat, rtol=1e-12, atol=1e-12)


@each_growth
@pytest.mark.parametrize(
    ("spec", "activation"), [("null", "tanh"), ("null:drawn=true", "tanh"), ("null:drawn=true", "relu")]
)
def test_null_units_change_nothing(spec, activation, layer):
    narrow = conv(2, activation)
    wide, flat = grown(narrow, layer, by=2), rows(narrow)
    embedded = embed(narrow, wide, flat, parse_spec(spec), [5, 6, 7])
    torch.testing.assert_close(outputs(wide, embedded.flat), outputs(narrow, flat), rtol=1e-12, atol=1e-12)
    assert all((parents == -1).all() for parents in embedded.parents.values())
    with pytest.raises(BadInput, match="expected units that were split off others"):
        merge(wide, embedded.flat, embedded.parents)


def test_drawn_channels_are_those_of_the_wide_networks_initialisation():
    narrow, flat = conv(2), rows(conv(2), 1)
    wide = widened(narrow, 2, 3)
    params = Layout(wide.shapes).views(embed(narrow, wide, flat, parse_spec("null:drawn=true"), [8]).flat)
    drawn = wide.draw("conv2.weight", torch_generator(8))
    assert torch.equal(params["conv2.weight"][0, 2:], drawn[2:])
    assert not params["conv2.bias"][0, 2:].any()
    assert not params["dense1.weight"][0, :, 2 * 6 :].any()  # 2×3 places of each channel
    assert params["dense1.weight"][0, :, : 2 * 6].all()


@pytest.mark.parametrize("layer", [2, 3, 4])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_behind_the_convolutions_a_constant_is_made_up_for(activation, layer):
    narrow = conv(2, activation)
    wide, flat = grown(narrow, layer, by=2), rows(narrow)
    embedded = embed(narrow, wide, flat, parse_spec("zero-in"), [5, 6, 7])
    torch.testing.assert_close(outputs(wide, embedded.flat), outputs(narrow, flat), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [0, 1], ids=["all", "conv1"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_in_front_of_a_convolution_a_constant_is_none_at_the_border(activation, layer):
    narrow = conv(2, activation)
    with pytest.raises(BadInput) as refusal:
        check(narrow, grown(narrow, layer), parse_spec("zero-in"))
    assert str(refusal.value).startswith(f"'zero-in' on {narrow.name}: expected ")
    assert str(refusal.value).endswith("; write split.")
    assert "\n" not in str(refusal.value)


@dataclass(frozen=True)
class OfSeveralSums(MLP):
    """A net whose units are said to be more than a function of one sum."""

    @property
    def groups(self) -> tuple[UnitGroup, ...]:
        return tuple(replace(group, activation=None) for group in super().groups)


@pytest.mark.parametrize("spec", ["null", "zero-in"])
def test_of_units_that_are_more_than_a_function_of_one_sum_nothing_is_known_at_0(spec):
    narrow = OfSeveralSums((2, 3, 1), "tanh")
    with pytest.raises(BadInput) as refusal:
        check(narrow, widened(narrow, 1, 1), parse_spec(spec))
    assert str(refusal.value) == (
        f"'{spec}' on {narrow.name}: expected units that are a function of one sum, found those of layer1.weight; "
        "write split."
    )
    for other in ("split", "null:drawn=true"):
        check(narrow, widened(narrow, 1, 1), parse_spec(other))


# What is critical.


def small(width: int, activation: str) -> ConvNet:
    return ConvNet((1, 3, 4), ((width, width),), (2 * width,), 2, activation)


def gradient_norm(network: Network, flat: Tensor, x: Tensor, targets: Tensor) -> float:
    row = flat[0].clone().requires_grad_()
    params = {name: view[0] for name, view in Layout(network.shapes).views(row[None]).items()}
    loss = (network.apply(params, x) - targets).square().mean()
    (gradient,) = torch.autograd.grad(loss, row)
    return float(gradient.norm())


@pytest.mark.parametrize("layer", [0, 1, 2, 3], ids=["all", "conv1", "conv2", "dense1"])
@pytest.mark.parametrize("spec", ["split", "split:alpha=-0.7", "null", "null:drawn=true", "zero-in"])
@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_what_is_said_of_criticality_is_what_the_wide_gradient_is(activation, spec, layer):
    """At a point that targets make critical: what is left of a draw off the change of outputs with any parameter."""
    narrow, spec = small(2, activation), parse_spec(spec)
    if spec.name == "zero-in" and layer in (0, 1):
        return  # refused
    wide = widened(narrow, layer, 1) if layer else small(3, activation)
    flat, x = draw(1, narrow.size, seed=1), draw(80, 12)

    def put_out(row: Tensor) -> Tensor:
        params = {name: view[0] for name, view in Layout(narrow.shapes).views(row[None]).items()}
        return narrow.apply(params, x).flatten()

    columns, _ = torch.linalg.qr(torch.func.jacrev(put_out)(flat[0]))
    residual = draw(len(columns), seed=2)
    for _ in range(2):
        residual = residual - columns @ (columns.T @ residual)
    targets = (put_out(flat[0]) - residual).view(80, 2)
    assert gradient_norm(narrow, flat, x, targets) < 1e-12
    found = gradient_norm(wide, embed(narrow, wide, flat, spec, [4]).flat, x, targets)
    assert (found < 1e-12) == (why_not_critical(narrow, wide, spec, weight_decay=False) == "")
    assert found < 1e-12 or found > 1e-4
