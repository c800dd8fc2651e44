"""Members with few weights, and inputs without a signal: trained on what is left, with the numbers of the whole."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.training import cut, packed
from escapedim.training.cut import CutStack, make_stack
from escapedim.training.descent import descend
from escapedim.training.job import Job, State
from escapedim.training.mixed import MixedStack
from escapedim.training.packed import PackedStack
from escapedim.training.stack import Stack

from .plain import Toy, toy

OPTIMIZERS = ("adam", "adamw:weight_decay=0.1", "sgd", "sgd:momentum=0.9,nesterov=true", "gd")
DENSITIES = (0.1, 0.22, 0.6)  # of members: two are packed, one is not


def problem(loss: str = "cross-entropy", optimizer: str = "adam", **more) -> Toy:
    return toy(loss, optimizer, lr=0.03, hidden=(12, 8), batch_size=23 if optimizer == "gd" else 6, **more)


def masks(made: Toy, densities=DENSITIES, emptied: str = "") -> torch.Tensor:
    """Random weights survive and all biases; a layer can be emptied."""
    layout, rng = Layout(made.model.shapes), np.random.default_rng(3)
    rows = []
    for density in densities:
        parts = {
            name: rng.random(shape) < density * (name != emptied) if name.endswith("weight") else np.ones(shape, bool)
            for name, shape in made.model.shapes.items()
        }
        rows.append(layout.pack(parts, True, np.dtype(bool)))
    return torch.from_numpy(np.stack(rows))


def job(made: Toy, mask: torch.Tensor, seeds=None, **more) -> Job:
    rows = made.rows(len(mask))
    return Job(made.model, made.task.loss, made.recipe, rows, mask, seeds or range(len(mask)), keep=(0, 7, 30), **more)


def trained(made: Toy, own: Job, data=None) -> State:
    return descend(own, data or made.data, own.begin(), lambda members: False)


@pytest.fixture
def packing(monkeypatch):
    """Pack small networks too."""
    monkeypatch.setattr(packed, "pays", lambda job, mask: mask.double().mean(1) < 0.5)


def nobody(job: Job, mask: torch.Tensor) -> torch.Tensor:
    """Pack no member."""
    return torch.zeros(len(mask), dtype=torch.bool)


@pytest.mark.parametrize(
    ("sizes", "batch", "dtype", "packed_from"),
    [
        ((784, 300, 100, 10), 60, torch.float32, 0.30),
        ((64, 300, 100, 10), 60, torch.float32, 0.12),
        ((64, 300, 100, 10), 60, torch.float64, 0.15),
        ((784, 300, 100, 10), 2000, torch.float32, 0.20),
        ((64, 300, 10), 10, torch.float32, 0.0),
        ((784, 20, 10), 60, torch.float32, 0.0),
        ((64, *[32] * 9, 10), 60, torch.float32, 0.0),
    ],
)
def test_packing_pays_where_it_was_measured_to(sizes, batch, dtype, packed_from):
    """The densities below which a packed step was the quicker one; 0 where it never was."""
    model = MLP(sizes, "relu")
    size = Layout(model.shapes).size
    rows = torch.zeros(1, size, dtype=dtype)
    made = problem()
    own = Job(model, "squared", replace(made.recipe, batch_size=batch), rows, None, (0,))
    for density in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0):
        mask = torch.arange(size)[None] < density * size
        if abs(density - packed_from) > 0.06 and (density > 0.02 or packed_from == 0):
            assert bool(packed.pays(own, mask)) == (density < packed_from), density


def assert_close(found: State, expected: State, **tolerance) -> None:
    tolerance = tolerance or {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(found.params, expected.params, **tolerance)
    for step, rows in expected.kept.items():
        torch.testing.assert_close(found.kept[step], rows, **tolerance)


@pytest.mark.parametrize("seeds", [(0, 0, 0), (0, 1, 2)])
@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_packed_members_end_where_the_whole_ones_do(monkeypatch, packing, optimizer, loss, seeds):
    made = problem(loss, optimizer)
    own = job(made, masks(made), seeds)
    assert isinstance(make_stack(own, own.begin(), made.data), MixedStack)
    found = trained(made, own)
    monkeypatch.setattr(packed, "pays", nobody)
    assert isinstance(make_stack(own, own.begin(), made.data), Stack)
    assert_close(found, trained(made, own))
    assert not found.params[~own.mask].any()
    assert (found.params[own.mask] != own.origin()[own.mask]).double().mean() > 0.5


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus", "erf", "sigmoid"])
@pytest.mark.parametrize("emptied", ["", "layer1.weight", "layer2.weight"])
def test_every_activation_and_layers_without_a_survivor(monkeypatch, packing, activation, emptied):
    made = problem(activation=activation)
    own = job(made, masks(made, (0.1, 0.2), emptied))
    assert isinstance(make_stack(own, own.begin(), made.data), PackedStack)
    found = trained(made, own)
    monkeypatch.setattr(packed, "pays", nobody)
    assert_close(found, trained(made, own))


def test_weights_of_samples_are_taken(monkeypatch, packing):
    made = problem("squared", "gd")
    weights = torch.arange(1.0, 24, dtype=torch.float64)
    data = replace(made.data, train=replace(made.data.train, weights=weights / weights.sum()))
    own = job(made, masks(made, (0.1, 0.2)))
    found = trained(made, own, data)
    monkeypatch.setattr(packed, "pays", nobody)
    assert_close(found, trained(made, own, data))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_member_is_the_same_to_the_last_bit_in_whatever_stack(packing, optimizer, dtype):
    made = problem(optimizer=optimizer, dtype=dtype)
    mask = masks(made)
    whole = trained(made, job(made, mask))
    for member in range(3):
        rows = made.rows(3)[member : member + 1]
        alone = replace(job(made, mask[member : member + 1]), params=rows, order_seeds=[member])
        assert trained(made, alone).params.numpy().tobytes() == whole.params[member].numpy().tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_goes_on_to_the_last_bit(packing, optimizer):
    made = problem(optimizer=optimizer)
    own = job(made, masks(made))
    whole, ticks = trained(made, own), itertools.count(1)
    middle = descend(own, made.data, own.begin(), lambda members: next(ticks) == 11)
    assert middle.step == 11
    again = descend(own, made.data, State.from_arrays(middle.arrays(), "cpu"), lambda members: False)
    for name, values in whole.arrays().items():
        assert again.arrays()[name].tobytes() == values.tobytes(), name


def test_a_member_that_diverges_leaves_the_others_as_they_are(packing):
    made = problem(optimizer="sgd", steps=130)
    mask = masks(made, (0.1, 0.2, 0.15))
    own = job(made, mask)
    expected = trained(made, own).params
    own.params[1, own.mask[1]] = 1e308
    found = trained(made, own)
    assert (found.diverged_at >= 0).tolist() == [False, True, False]
    assert not found.params[~mask].any()
    for member in (0, 2):
        assert found.params[member].numpy().tobytes() == expected[member].numpy().tobytes()


def test_what_cannot_be_packed_is_not(packing):
    made = problem()
    mask = masks(made)
    frozen = torch.zeros_like(mask)
    frozen[0] = mask[0]
    parts = make_stack(job(made, mask, frozen=frozen), job(made, mask).begin(), made.data)._parts
    assert [(places.tolist(), type(part)) for places, part in parts] == [([0, 2], Stack), ([1], PackedStack)]
    without_bias = mask.clone()
    without_bias[:, Layout(made.model.shapes).slices["layer1.bias"]] = False
    for own in (job(made, without_bias), replace(job(made, mask), mask=None), job(made, mask, restart=True)):
        assert isinstance(make_stack(own, own.begin(), made.data), Stack)


def bordered(made: Toy) -> Toy:
    """The same problem, two of whose inputs are 0 in every training sample, but not in the others."""
    x = made.data.train.x.clone()
    x[:, [0, 2]] = 0
    return replace(made, data=replace(made.data, train=replace(made.data.train, x=x)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "sgd:momentum=0.9", "gd"])
def test_inputs_without_a_signal_are_cut_and_their_weights_stay(monkeypatch, optimizer, masked):
    made = bordered(problem(optimizer=optimizer))
    own = job(made, masks(made)) if masked else replace(job(made, masks(made)), mask=None)
    expected = trained(made, own)
    monkeypatch.setattr(cut, "LEAST_CUT", 2)
    monkeypatch.setattr(packed, "pays", lambda job, mask: mask.double().mean(1) < 0.25)
    assert isinstance(make_stack(own, own.begin(), made.data), CutStack)
    found = trained(made, own)
    assert_close(found, expected)
    weights = Layout(made.model.shapes).views(found.params)["layer1.weight"]
    start = Layout(made.model.shapes).views(own.origin())["layer1.weight"]
    assert torch.equal(weights[..., [0, 2]], start[..., [0, 2]])
    assert not torch.equal(weights[..., [1, 3]], start[..., [1, 3]])
    ticks = itertools.count(1)
    middle = descend(own, made.data, own.begin(), lambda members: next(ticks) == 11)
    again = descend(own, made.data, State.from_arrays(middle.arrays(), "cpu"), lambda members: False)
    assert again.params.numpy().tobytes() == found.params.numpy().tobytes()


def test_weights_that_decay_are_not_cut(monkeypatch):
    monkeypatch.setattr(cut, "LEAST_CUT", 2)
    made = bordered(problem(optimizer="sgd:weight_decay=0.1"))
    own = job(made, masks(made))
    assert isinstance(make_stack(own, own.begin(), made.data), Stack)
    dark = replace(made.data, train=replace(made.data.train, x=torch.zeros_like(made.data.train.x)))
    own = job(problem(), masks(made))
    assert isinstance(make_stack(own, own.begin(), dark), Stack)
