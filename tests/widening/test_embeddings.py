"""Embeddings keep the function; draws are the members' own; refusals say what to do; so does what is not critical."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from escapedim.errors import BadInput
from escapedim.models.layer_names import ACTIVATIONS, INITIALISATIONS
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from escapedim.specs import Spec, parse_spec
from escapedim.training.seeds import torch_generator
from escapedim.widening.embeddings import check, embed, why_not_critical, widened
from tests.landscape.networks import critical_point, draw
from tests.widening.networks import STUDENT, members, models, sizes_of, students, units_of

SPECS = ["split", "split:alpha=0.3", "split:alpha=-1.5", "null", "null:drawn=true", "zero-in"]
NOT_0_AT_0 = ("sigmoid", "softplus")


def outputs(model: Network, flat: Tensor) -> Tensor:
    x = draw(9, model.inputs, seed=7)
    views = Layout(model.shapes).views(flat)
    return torch.stack([model.apply({name: view[i] for name, view in views.items()}, x) for i in range(len(flat))])


def refused(model: Network, spec: Spec) -> bool:
    """What the contract refuses, written out."""
    if isinstance(model, ReluStudent):
        return spec.name != "split" or not 0 < spec.params.get("alpha", 0.5) < 1
    dead = model.activation == "relu" and (spec == Spec("null") or (spec.name == "zero-in" and not model.bias))
    uncompensated = spec.name == "zero-in" and model.activation in NOT_0_AT_0 and not model.bias
    return dead or uncompensated


@settings(max_examples=150, deadline=None)
@given(
    model=models | students,
    spec=st.sampled_from(SPECS).map(parse_spec),
    by=st.integers(1, 3),
    data=st.data(),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_wide_network_computes_what_the_narrow_one_did_or_is_refused(model, spec, by, data, seed):
    layer, flat = data.draw(st.integers(1, len(model.groups))), members(model)
    wide = widened(model, layer, by)
    if refused(model, spec):
        with pytest.raises(BadInput):
            embed(model, wide, flat, spec, [seed] * 3)
        return
    before = flat.clone()
    embedded = embed(model, wide, flat, spec, [seed, seed, seed + 1])
    assert torch.equal(flat, before)
    assert type(wide) is type(model)
    sizes = sizes_of(model)
    assert sizes_of(wide) == (*sizes[:layer], sizes[layer] + by, *sizes[layer + 1 :])
    expected = outputs(model, flat)
    scale = 1 + outputs(model, flat.abs()).abs().max()  # terms of the sums can be larger than what they come to
    torch.testing.assert_close(outputs(wide, embedded.flat), expected, rtol=1e-12, atol=1e-12 * scale.item())


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_embedding_keeps_the_function_of_every_network(activation, depth, spec):
    model = MLP((3, *(4, 2, 3)[:depth], 2), activation)
    if refused(model, parse_spec(spec)):
        return
    flat = members(model)
    for layer, by in itertools.product(range(1, depth + 1), (1, 2, 3)):
        wide = widened(model, layer, by)
        found = outputs(wide, embed(model, wide, flat, parse_spec(spec), [1, 2, 3]).flat)
        torch.testing.assert_close(found, outputs(model, flat), rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    model=models | students,
    spec=st.sampled_from(SPECS).map(parse_spec),
    by=st.integers(1, 3),
    data=st.data(),
)
def test_a_members_draws_do_not_depend_on_its_batch_mates(model, spec, by, data):
    if refused(model, spec):
        return
    layer, flat = data.draw(st.integers(1, len(model.groups))), members(model, 5)
    wide = widened(model, layer, by)
    whole = embed(model, wide, flat, spec, [11, 12, 13, 14, 15])
    alone = embed(model, wide, flat[3:4], spec, [14])
    assert torch.equal(alone.flat[0], whole.flat[3])
    assert list(alone.parents) == list(whole.parents) == [f"layer{layer}.weight"]
    assert all(torch.equal(alone.parents[name][0], parents[3]) for name, parents in whole.parents.items())


def test_units_are_split_uniformly_copies_included():
    """3,000 members: each of 2 units, then each of 3; a share is off by five standard errors once in 10^6."""
    model, count = MLP((1, 2, 1), "tanh"), 3000
    parents = embed(model, widened(model, 1, 2), members(model, count), parse_spec("split"), range(count)).parents
    for column, among in zip(parents["layer1.weight"].T, (2, 3), strict=True):
        shares = torch.bincount(column, minlength=among) / count
        error = (1 / among * (1 - 1 / among) / count) ** 0.5
        assert len(shares) == among
        torch.testing.assert_close(shares, torch.full_like(shares, 1 / among), rtol=0, atol=5 * error)


def test_fewer_splits_are_the_first_ones_of_more():
    flat = members(STUDENT)
    one, three = (
        embed(STUDENT, widened(STUDENT, 1, by), flat, parse_spec("split"), [5, 6, 7]).parents["layer1.weight"]
        for by in (1, 3)
    )
    assert torch.equal(one, three[:, :1])


def test_null_units_are_zero_and_split_off_none():
    model = MLP((3, 2, 4, 1), "tanh")
    wide = widened(model, 2, 2)
    embedded = embed(model, wide, members(model), parse_spec("null"), [1, 2, 3])
    for row in embedded.flat:
        incoming, outgoing = units_of(wide, row, 2)
        assert not incoming[-2:].any()
        assert not outgoing[-2:].any()
    assert {name: parents.tolist() for name, parents in embedded.parents.items()} == {"layer2.weight": [[-1, -1]] * 3}


@pytest.mark.parametrize("init", [*INITIALISATIONS, "normal:std=3"])
def test_drawn_weights_are_those_of_the_wide_networks_initialisation(init):
    model = MLP((3, 2, 4), "relu", init)
    wide, flat = widened(model, 1, 5), members(model, 1)
    drawn = embed(model, wide, flat, parse_spec("null:drawn=true"), [8])
    incoming, outgoing = units_of(wide, drawn.flat[0], 1)
    assert torch.equal(incoming[2:, :3], wide.init(torch_generator(8))["layer1.weight"][2:])
    assert not incoming[2:, 3].any()
    assert not outgoing[2:].any()

    constant = embed(model, wide, flat, parse_spec("zero-in"), [8])
    incoming, outgoing = units_of(wide, constant.flat[0], 1)
    expected = dataclasses.replace(wide, sizes=(7, 4)).init(torch_generator(8))["layer1.weight"]
    assert torch.equal(outgoing[2:], expected.T[2:])
    assert not incoming[2:, :3].any()
    assert (incoming[2:, 3] == 1).all()


@pytest.mark.parametrize(
    ("model", "spec", "message"),
    [
        (STUDENT, "split:alpha=1", "expected 0 < alpha < 1, since outgoing weights are fixed"),
        (STUDENT, "split:alpha=-0.5", "found -0.5; write split:alpha=0.5."),
        (STUDENT, "null", "expected outgoing weights that are free, found fixed ones; write split."),
        (STUDENT, "null:drawn=true", "expected outgoing weights that are free, found fixed ones; write split."),
        (STUDENT, "zero-in", "'zero-in' on relu-student 4-3: expected outgoing weights that are free"),
        (MLP((2, 3, 1), "relu"), "null", "incoming weights 0 is dead; write null:drawn=true or split."),
        (MLP((2, 3, 1), "relu", bias=False), "zero-in", "a relu unit of incoming weights 0 is dead, found none;"),
        (MLP((2, 3, 1), "sigmoid", bias=False), "zero-in", "expected biases to make up for sigmoid at 0, with"),
        (MLP((2, 3, 1), "softplus", bias=False), "zero-in", "up for softplus at 0, with no zero padding"),
        (MLP((2, 3, 1), "tanh"), "split:alpha=101", "alpha must be from -100 to 100, found 101; write"),
        (MLP((2, 3, 1), "tanh"), "split:alpha=inf", "expected a number for 'alpha', found inf"),
        (MLP((2, 3, 1), "tanh"), "split:beta=1", "expected a parameter of 'split', found beta=1"),
        (MLP((2, 3, 1), "tanh"), "spilt", "expected an embedding, found 'spilt'; did you mean 'split'?"),
    ],
)
def test_what_is_refused(model, spec, message):
    with pytest.raises(BadInput) as refusal:
        check(model, widened(model, 1, 1), parse_spec(spec))
    assert message in str(refusal.value)


@pytest.mark.parametrize("bias", [True, False], ids=["biases", "no biases"])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_said_of_criticality_is_what_the_wide_gradient_is(activation, spec, bias):
    model, spec = MLP((2, 3, 2, 2), activation, bias=bias), parse_spec(spec)
    if refused(model, spec):
        return
    point = critical_point(model, seed=3)
    for layer in (1, 2):
        wide = widened(model, layer, 2)
        gradient = point.on(wide).gradient(embed(model, wide, point.flat, spec, [4]).flat)
        assert (gradient.norm() < 1e-12) == (why_not_critical(model, wide, spec, weight_decay=False) == "")
        assert gradient.norm() < 1e-12 or gradient.norm() > 1e-4


def test_nothing_is_critical_for_the_loss_under_weight_decay():
    model = MLP((2, 3, 1), "tanh")
    for spec in ("split", "null", "null:drawn=true", "zero-in"):
        said = why_not_critical(model, widened(model, 1, 1), parse_spec(spec), weight_decay=True)
        assert said == "weight decay: the descent ends where the loss alone would not"


def test_a_students_split_is_critical():
    assert why_not_critical(STUDENT, widened(STUDENT, 1, 1), parse_spec("split:alpha=0.2"), weight_decay=False) == ""
