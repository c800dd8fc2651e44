"""Given units are split and merged back; layers that do not exist are refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.models.mlp import MLP
from escapedim.models.units import split
from escapedim.specs import Spec, parse_spec
from escapedim.widening.embeddings import embed, merge, widened
from tests.landscape.networks import draw
from tests.widening.networks import STUDENT, members, models, students, units_of


def test_a_given_unit_is_split():
    model = MLP((3, 4, 2), "tanh")
    flat, units = members(model), torch.tensor([2, 0, 3])
    wide, rows = split(model, flat, model.groups[0], units, 0.3)
    assert wide == widened(model, 1, 1)
    for row, own, unit in zip(flat, rows, units.tolist(), strict=True):
        (w, a), (v, b) = units_of(model, row, 1), units_of(wide, own, 1)
        assert torch.equal(v, torch.cat([w, w[unit : unit + 1]]))
        others = [i for i in range(4) if i != unit]
        assert torch.equal(b[others], a[others])
        torch.testing.assert_close(b[[unit, 4]], torch.stack([0.3 * a[unit], 0.7 * a[unit]]))


def test_a_students_vector_is_shared():
    w = draw(1, 3, 4)
    _, rows = split(STUDENT, w.flatten(1), STUDENT.groups[0], torch.tensor([1]), 0.3)
    torch.testing.assert_close(rows.view(4, 4), torch.stack([w[0, 0], 0.3 * w[0, 1], w[0, 2], 0.7 * w[0, 1]]))


@settings(max_examples=60, deadline=None)
@given(
    model=models,
    by=st.integers(1, 4),
    alpha=st.floats(-2, 3),
    data=st.data(),
    seed=st.integers(0, 2**63 - 1),
)
def test_merging_undoes_splits(model, by, alpha, data, seed):
    layer, flat = data.draw(st.integers(1, len(model.groups))), members(model)
    wide = widened(model, layer, by)
    embedded = embed(model, wide, flat, Spec("split", {"alpha": alpha}), [seed, 1, 2])
    merged = merge(wide, embedded.flat, embedded.parents)
    torch.testing.assert_close(merged, flat, rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(model=students, by=st.integers(1, 4), alpha=st.floats(0.01, 0.99))
def test_merging_undoes_splits_of_students(model, by, alpha):
    flat, wide = members(model), widened(model, 1, by)
    embedded = embed(model, wide, flat, Spec("split", {"alpha": alpha}), [3, 1, 2])
    torch.testing.assert_close(merge(wide, embedded.flat, embedded.parents), flat, rtol=1e-12, atol=1e-12)


def test_merging_units_that_have_moved_apart_weighs_them_by_their_outgoing_weights():
    model = MLP((2, 3, 2), "tanh")
    row = members(model, 1)
    (w0, w1, w2), (a0, a1, a2) = units_of(model, row[0], 1)
    merged = merge(model, row, {"layer1.weight": torch.tensor([[0]])})
    incoming, outgoing = units_of(widened(MLP((2, 1, 2), "tanh"), 1, 1), merged[0], 1)
    mean = (a0.norm() * w0 + a2.norm() * w2) / (a0.norm() + a2.norm())
    torch.testing.assert_close(incoming, torch.stack([mean, w1]), rtol=1e-13, atol=0)
    torch.testing.assert_close(outgoing, torch.stack([a0 + a2, a1]), rtol=1e-13, atol=0)
    assert torch.equal(merged[0, -2:], row[0, -2:])


def test_merging_units_that_put_nothing_out_takes_their_mean():
    model = MLP((1, 2, 1), "tanh", bias=False)
    merged = merge(model, torch.tensor([[1.0, 4.0, 0.0, 0.0]]), {"layer1.weight": torch.tensor([[0]])})
    assert merged.tolist() == [[2.5, 0.0]]


def test_merging_students_adds_their_vectors():
    w = draw(1, 3, 4)
    merged = merge(STUDENT, w.flatten(1), {"layer1.weight": torch.tensor([[1]])}).view(2, 4)
    torch.testing.assert_close(merged, torch.stack([w[0, 0], w[0, 1] + w[0, 2]]), rtol=1e-14, atol=0)


def test_units_that_were_not_split_are_not_merged():
    model = MLP((2, 3, 1), "tanh")
    wide = widened(model, 1, 1)
    embedded = embed(model, wide, members(model), parse_spec("null"), [0] * 3)
    with pytest.raises(BadInput, match="expected units that were split off others, found new ones; embed with split"):
        merge(wide, embedded.flat, embedded.parents)


@pytest.mark.parametrize(
    ("model", "layer", "by", "message"),
    [
        (STUDENT, 2, 1, "relu-student 4-3: expected hidden layer 1, found 2; choose one that it has."),
        (MLP((2, 3, 3, 1), "tanh"), 0, 1, "expected a hidden layer from 1 to 2, found 0; choose one that it has."),
        (STUDENT, 1, 0, "relu-student 4-3: expected 1 new unit or more, found 0; widen by at least 1."),
    ],
)
def test_layers_and_numbers_that_do_not_exist(model, layer, by, message):
    with pytest.raises(BadInput, match=message):
        widened(model, layer, by)
