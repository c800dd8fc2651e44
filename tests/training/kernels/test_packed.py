"""Members with few weights are trained on what is left, with the numbers of the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.training.kernels import packed
from escapedim.training.kernels.mixed import MixedStack
from escapedim.training.kernels.packed import PackedStack
from escapedim.training.kernels.stack import Stack
from escapedim.training.kernels.without_idle import make_stack
from tests.training.masked import assert_close, assert_goes_on, job, masks, nobody, problem, trained

OPTIMIZERS = ("adam", "adamw:weight_decay=0.1", "sgd", "sgd:momentum=0.9,nesterov=true", "gd")


@pytest.fixture
def packing(monkeypatch):
    """Pack small networks too."""
    monkeypatch.setattr(packed, "pays", lambda job, mask: mask.double().mean(1) < 0.5)


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
    assert_goes_on(made, own)


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
    whole = job(made, mask)
    unfit = ({"mask": without_bias}, {"mask": None}, {"restart": True}, {"lr_scale": torch.ones(whole.params.shape[1])},
             {"landing": lambda *given: None})  # fmt: skip
    for own in (replace(whole, **one) for one in unfit):
        assert isinstance(make_stack(own, own.begin(), made.data), Stack)
