"""Inputs without a signal and units that a mask has cut off: trained without them, with the numbers of the whole."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.training import descent
from escapedim.training.descent import descend
from escapedim.training.job import Job, Landed, State
from escapedim.training.kernels import packed, without_idle
from escapedim.training.kernels.mixed import MixedStack
from escapedim.training.kernels.stack import Stack
from escapedim.training.kernels.without_idle import CutStack, make_stack
from escapedim.training.problems import PROBLEMS
from tests.training.masked import assert_close, assert_goes_on, job, masks, problem, trained, unit_masks
from tests.training.optimizers import CASES
from tests.training.plain import Toy, toy
from tests.training.test_descent import plain_rows

STAYING = [name for name in CASES if name != "adamw" and "weight_decay" not in name]
COUNTS = ((6, 4), (6, 4), (5, 8), (12, 8))  # units left to members: three are cut, two of them alike


@pytest.fixture
def cutting(monkeypatch):
    """Cut small networks too."""
    monkeypatch.setattr(without_idle, "CALLS", 0.0)
    monkeypatch.setattr(without_idle, "LEAST_CUT", 2)


def uncut(monkeypatch) -> None:
    monkeypatch.setattr(without_idle, "CALLS", 1e9)
    monkeypatch.setattr(without_idle, "LEAST_CUT", 10**9)


def kinds(own: Job, made: Toy) -> list[tuple[tuple[int, ...], type]]:
    """Places and kinds of the stacks that a job is trained in."""
    stack = make_stack(own, own.begin(), made.data)
    parts = stack._parts if isinstance(stack, MixedStack) else [(torch.arange(len(stack.rows)), stack)]
    return sorted((tuple(places.tolist()), type(part)) for places, part in parts)


# Units.


@pytest.mark.parametrize("optimizer", STAYING)
@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_members_without_their_dead_units_end_where_a_plain_loop_does(cutting, loss, optimizer):
    made = problem(loss, optimizer)
    own = job(made, unit_masks(made.model, COUNTS))
    assert kinds(own, made) == [((0, 1), CutStack), ((2,), CutStack), ((3,), Stack)]
    found = trained(made, own)
    for member in range(len(COUNTS)):
        path = plain_rows(made, member, own, CASES[optimizer], [0.03] * 30)
        torch.testing.assert_close(found.params[member], path[-1], rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(found.kept[7][member], path[7], rtol=1e-8, atol=1e-10)
    assert not found.params[~own.mask].any()


def test_biases_of_dead_units_stay_and_those_of_others_do_not(cutting):
    made = problem()
    own = job(made, unit_masks(made.model, COUNTS))
    found, layout = trained(made, own), Layout(made.model.shapes)
    dead = ~layout.views(own.mask)["layer1.weight"].any(2)
    before, after = (layout.views(rows)["layer1.bias"] for rows in (own.params, found.params))
    assert dead.any()
    assert torch.equal(before[dead], after[dead])
    assert (before[~dead] != after[~dead]).all()


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
@pytest.mark.parametrize(
    ("hidden", "counts"), [((12, 8), [(0, 8)]), ((12, 8), [(12, 0)]), ((12, 8), [(0, 0), (3, 0)]), ((12,), [(0,)])]
)
def test_a_layer_may_have_no_unit_left(monkeypatch, cutting, hidden, counts, optimizer):
    made = toy(optimizer=optimizer, lr=0.03, hidden=hidden, batch_size=23 if optimizer == "gd" else 6)
    own = job(made, unit_masks(made.model, counts))
    assert {kind for _, kind in kinds(own, made)} == {CutStack}
    found = trained(made, own)
    uncut(monkeypatch)
    assert_close(found, trained(made, own))


def test_units_with_weights_on_one_side_only_are_trained(monkeypatch, cutting):
    """One without incoming weights still gives its outgoing ones a trained constant."""
    made = problem()
    mask = unit_masks(made.model, ((12, 8), (12, 8)))
    layout = Layout(made.model.shapes)
    layout.views(mask)["layer1.weight"][0, :5] = False
    layout.views(mask)["layer2.weight"][1, :, :5] = False
    own = job(made, mask)
    assert kinds(own, made) == [((0, 1), Stack)]
    mask[1] = unit_masks(made.model, ((7, 3),))[0]
    assert kinds(own, made) == [((0,), Stack), ((1,), CutStack)]
    found = trained(made, own)
    uncut(monkeypatch)
    assert kinds(own, made) == [((0, 1), Stack)]
    assert_close(found, trained(made, own))


def test_what_is_frozen_stays_in_members_that_are_cut(monkeypatch, cutting):
    made = problem()
    own = job(made, unit_masks(made.model, COUNTS))
    frozen = own.mask & (torch.rand(own.mask.shape, generator=torch.Generator().manual_seed(2)) < 0.4)
    own = replace(own, frozen=frozen)
    assert ((0, 1), CutStack) in kinds(own, made)
    found = trained(made, own)
    assert torch.equal(found.params[frozen], own.params[frozen])
    assert (found.params[own.mask & ~frozen] != own.params[own.mask & ~frozen]).double().mean() > 0.9
    uncut(monkeypatch)
    assert_close(found, trained(made, own))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", STAYING)
def test_a_member_is_the_same_to_the_last_bit_in_whatever_stack(cutting, optimizer, dtype):
    made = problem(optimizer=optimizer, dtype=dtype)
    mask = unit_masks(made.model, COUNTS)
    whole = trained(made, job(made, mask))
    for member in range(len(COUNTS)):
        rows = made.rows(len(COUNTS))[member : member + 1]
        alone = replace(job(made, mask[member : member + 1]), params=rows, order_seeds=[member])
        assert trained(made, alone).params.numpy().tobytes() == whole.params[member].numpy().tobytes()


@pytest.mark.parametrize("optimizer", STAYING)
@pytest.mark.parametrize("sparse", [False, True])
def test_it_goes_on_to_the_last_bit(monkeypatch, cutting, sparse, optimizer):
    monkeypatch.setattr(packed, "pays", lambda job, mask: mask.double().mean(1) < 0.5)
    made = problem(optimizer=optimizer)
    mask = unit_masks(made.model, COUNTS)
    own = job(made, mask & masks(made, (0.2, 0.9, 0.2, 0.9)) if sparse else mask)
    assert_goes_on(made, own)


def test_a_member_that_diverges_leaves_the_others_as_they_are(cutting):
    made = problem(optimizer="sgd", steps=130)
    own = job(made, unit_masks(made.model, COUNTS))
    expected = trained(made, own).params
    own.params[1, own.mask[1]] = 1e308
    found = trained(made, own)
    assert (found.diverged_at >= 0).tolist() == [False, True, False, False]
    for member in (0, 2, 3):
        assert found.params[member].numpy().tobytes() == expected[member].numpy().tobytes()


def test_what_is_left_out_is_a_part_of_the_member(cutting):
    made = problem(steps=130)
    own, layout = job(made, unit_masks(made.model, COUNTS)), Layout(made.model.shapes)
    dead = ~layout.views(own.mask)["layer1.weight"].any(2)
    layout.views(own.params)["layer1.bias"][0, dead[0]] = torch.nan
    assert (trained(made, own).diverged_at >= 0).tolist() == [True, False, False, False]


@pytest.mark.parametrize("optimizer", ["sgd:weight_decay=0.1", "adamw", "adam:weight_decay=0.1"])
def test_weights_that_decay_are_not_cut(cutting, optimizer):
    made = bordered(problem(optimizer=optimizer))
    assert kinds(job(made, unit_masks(made.model, COUNTS)), made) == [((0, 1, 2, 3), Stack)]


def test_rates_of_parameters_are_those_of_whole_members(cutting):
    made = bordered(problem())
    own = job(made, unit_masks(made.model, COUNTS))
    scaled = replace(own, lr_scale=torch.linspace(0, 2, own.params.shape[1], dtype=torch.float64))
    assert kinds(scaled, made) == [((0, 1, 2, 3), Stack)]


@pytest.mark.parametrize(
    ("sizes", "counts", "whole", "batch", "expected"),
    [
        ((784, 300, 100, 10), (150, 50), True, 60, True),
        ((64, 300, 100, 10), (240, 80), False, 60, True),
        ((64, 300, 100, 10), (290, 100), True, 60, False),
        ((9, 8, 8, 2), (4, 4), True, 60, False),
        ((9, 8, 2), (7,), True, 60, True),
        ((9, 8, 2), (4,), False, 60, False),
        ((9, 8, 2), (8,), True, 60, False),
    ],
)
def test_units_are_left_out_where_it_pays(sizes, counts, whole, batch, expected):
    model = MLP(sizes, "relu")
    rows = torch.zeros(1, Layout(model.shapes).size, dtype=torch.float32)
    own = Job(model, PROBLEMS["squared"], replace(problem().recipe, batch_size=batch), rows, None, (0,))
    assert without_idle._pays(own, counts, whole) == expected


def test_one_mask_of_many_weights_decides_for_itself_alone():
    """By single weights the members of a small network have several numbers of units, and are not parted."""
    made = toy(hidden=(12,))
    mask = unit_masks(made.model, ((12,), (12,), (12,)))
    views = Layout(made.model.shapes).views(mask)
    for member, dead in enumerate((1, 2, 3)):
        views["layer1.weight"][member, :dead] = views["layer2.weight"][member, :, :dead] = False
        views["layer1.weight"][member, 7, 0] = False
    assert kinds(job(made, mask), made) == [((0, 1, 2), Stack)]
    views["layer1.weight"][1, 7, 0] = True
    assert kinds(job(made, mask), made) == [((0, 2), Stack), ((1,), CutStack)]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("counts", "kind"), [(((6, 4),) * 3, CutStack), (((6, 4), (6, 4), (7, 4)), Stack)])
def test_on_cuda_members_are_cut_where_all_are_alike(cutting, counts, kind):
    made = problem(steps=90)
    own = job(made, unit_masks(made.model, counts))
    expected = trained(made, own)
    data = type(made.data).of(made.task, "float64", "cuda")
    there = replace(own, params=own.params.cuda(), mask=own.mask.cuda())
    assert type(make_stack(there, there.begin(), data)) is kind
    found = trained(made, there, data)
    torch.testing.assert_close(found.params.cpu(), expected.params, rtol=1e-8, atol=1e-10)
    ticks = itertools.count(1)
    middle = descend(there, data, there.begin(), lambda members: next(ticks) == 41)
    again = descend(there, data, State.from_arrays(middle.arrays(), "cuda"), lambda members: False)
    assert again.params.cpu().numpy().tobytes() == found.params.cpu().numpy().tobytes()


# Relu students.


class Looks:
    """A landing that keeps what it was shown; members with a 0 at one place land at the first look."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __call__(self, flat, gradients, due) -> Landed:
        self.seen.append((flat.clone(), gradients.clone()))
        landed = due & (flat[:, self.place] == 0) & gradients.isfinite().all(1)
        return Landed(flat, landed, landed)


def test_relu_students_land_and_start_again_without_their_dead_units(monkeypatch):
    monkeypatch.setattr(descent, "LOOK_EVERY", 5)
    monkeypatch.setattr(descent, "FINITE_EVERY", 5)
    made, model = toy("squared", "sgd", lr=0.1, batch_size=23), ReluStudent(3, 7)
    mask = unit_masks(model, ((4,), (4,), (4,), (4,), (0,)))
    rows = torch.randn(5, 21, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows[3] *= 1e308  # diverges whenever it starts again
    tolerance = {"rtol": 1e-9, "atol": 1e-11, "equal_nan": True}
    some = int(((~mask).sum(0) == 2).nonzero()[0])
    found, looks = {}, {"cut": Looks(some), "whole": Looks(some)}
    for name in looks:
        if name == "whole":
            monkeypatch.setattr(without_idle, "_pays", lambda *given: False)
        own = Job(model, PROBLEMS["relu-teacher"], made.recipe, rows, mask, range(5), landing=looks[name], restart=True)
        stack = make_stack(own, own.begin(), made.data)
        parts = dict(kinds(own, made))
        assert parts == ({(0, 1, 2, 3): CutStack, (4,): Stack} if name == "cut" else {(0, 1, 2, 3, 4): Stack})
        assert stack.gradients[mask].isnan().all()
        begun = replace(own.begin(), restarts=torch.tensor([0, 1, 0, 0, 2]))
        found[name] = descend(own, made.data, begun, lambda members: False)
    assert 0 < (found["cut"].landed_at >= 0).sum() < 5
    assert torch.equal(found["cut"].landed_at, found["whole"].landed_at)
    assert torch.equal(found["cut"].restarts, found["whole"].restarts)
    assert found["cut"].restarts[3] > 2
    assert_close(found["cut"], found["whole"], **tolerance)
    for (flat, gradients), (own_flat, own_gradients) in zip(looks["cut"].seen, looks["whole"].seen, strict=True):
        torch.testing.assert_close(flat, own_flat, **tolerance)
        torch.testing.assert_close(gradients[flat != 0], own_gradients[flat != 0], **tolerance)


# Inputs.


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
    monkeypatch.setattr(without_idle, "LEAST_CUT", 2)
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


def test_one_input_at_least_is_trained(monkeypatch):
    monkeypatch.setattr(without_idle, "LEAST_CUT", 2)
    made = problem()
    dark = replace(made.data, train=replace(made.data.train, x=torch.zeros_like(made.data.train.x)))
    own = job(made, masks(made))
    assert isinstance(make_stack(own, own.begin(), dark), Stack)


def test_looks_see_the_gradients_of_whole_networks(monkeypatch):
    monkeypatch.setattr(descent, "LOOK_EVERY", 5)
    made, looks = bordered(problem("squared", "gd")), {2: Looks(0), 10**9: Looks(0)}
    for least, landing in looks.items():
        monkeypatch.setattr(without_idle, "LEAST_CUT", least)
        own = replace(job(made, masks(made), landing=landing), mask=None)
        assert isinstance(make_stack(own, own.begin(), made.data), CutStack if least == 2 else Stack)
        trained(made, own)
    for (flat, gradients), (own_flat, own_gradients) in zip(*(one.seen for one in looks.values()), strict=True):
        torch.testing.assert_close(flat, own_flat, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(gradients, own_gradients, rtol=1e-9, atol=1e-11)


def test_a_closed_form_has_all_its_inputs_whatever_the_samples(cutting):
    made = bordered(problem("squared", "gd"))
    rows = torch.ones(2, 20, dtype=torch.float64)
    own = Job(ReluStudent(4, 5), PROBLEMS["relu-teacher"], made.recipe, rows, None, range(2))
    assert kinds(own, made) == [((0, 1), Stack)]
