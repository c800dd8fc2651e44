import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.training.data import Samples
from escapedim.training.problems import PROBLEMS, sampled
from escapedim.training.problems.outputs import stack_outputs

from .plain import LOSSES, accuracy, network, toy


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("block", [4096, 23, 7, 1])
def test_every_member_is_evaluated_as_alone_in_plain_torch(loss, block, monkeypatch):
    monkeypatch.setattr(sampled, "BLOCK", block)
    problem = toy(loss)
    rows = problem.rows(4)
    scores = PROBLEMS[loss].evaluate(problem.model, rows, problem.data.train)
    train = problem.data.train
    nets = [network(problem.model.sizes, problem.model.activation, row) for row in rows]
    losses = [LOSSES[loss](net(train.x), train.targets).item() for net in nets]
    assert scores.loss.tolist() == pytest.approx(losses, rel=1e-12)
    assert torch.equal(PROBLEMS[loss].accuracy(problem.model, rows, problem.data.train), scores.accuracy)
    if loss == "cross-entropy":
        labels = problem.task.train.y
        assert scores.accuracy.tolist() == [accuracy(net, train.x, labels) for net in nets]


def test_sums_are_float64_whatever_the_dtype():
    problem = toy(dtype="float32")
    scores = PROBLEMS["cross-entropy"].evaluate(problem.model, problem.rows(2), problem.data.test)
    assert scores.loss.dtype == scores.accuracy.dtype == torch.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_member_without_finite_outputs_has_no_accuracy_and_its_siblings_do(bad):
    problem = toy()
    rows = problem.rows(3)
    alone = PROBLEMS["cross-entropy"].evaluate(problem.model, rows[[0, 2]], problem.data.test)
    rows[1, -1] = bad
    scores = PROBLEMS["cross-entropy"].evaluate(problem.model, rows, problem.data.test)
    assert not scores.loss[1].isfinite()
    assert scores.accuracy[1].isnan()
    torch.testing.assert_close(scores.loss[[0, 2]], alone.loss, rtol=1e-12, atol=0)
    assert torch.equal(scores.accuracy[[0, 2]], alone.accuracy)
    assert PROBLEMS["cross-entropy"].accuracy(problem.model, rows[1:2], problem.data.test).isnan().all()


def test_one_bad_sample_is_enough():
    problem = toy(activation="relu")
    x = problem.data.test.x.clone()
    x[5] = 1e308
    samples = Samples(x, problem.data.test.targets)
    scores = PROBLEMS["cross-entropy"].evaluate(problem.model, problem.rows(2, 1e3), samples)
    assert scores.accuracy.isnan().all()


def test_by_the_squared_loss_a_sample_is_right_where_all_its_signs_are():
    model = MLP((1, 2), "relu")
    flat = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])  # (x, x), (x, -x), (0, 0)
    samples = Samples(torch.tensor([[1.0], [-2.0], [3.0], [4.0]]), torch.tensor([[1.0, 1], [-1, -1], [1, -1], [1, 1]]))
    assert PROBLEMS["squared"].evaluate(model, flat, samples).accuracy.tolist() == [0.75, 0.25, 0.0]


@pytest.mark.parametrize("block", [4096, 5])
def test_a_weighted_loss_is_the_weighted_sum_over_samples(block, monkeypatch):
    monkeypatch.setattr(sampled, "BLOCK", block)
    problem = toy("squared")
    train, rows = problem.data.train, problem.rows(3)
    weights = torch.linspace(1, 2, len(train.x), dtype=torch.float64)
    weights /= weights.sum()
    singles = [
        PROBLEMS["squared"].evaluate(problem.model, rows, Samples(train.x[i : i + 1], train.targets[i : i + 1])).loss
        for i in range(len(train.x))
    ]
    expected = sum(weight * single for weight, single in zip(weights, singles, strict=True))
    found = PROBLEMS["squared"].evaluate(problem.model, rows, Samples(train.x, train.targets, weights)).loss
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_of_nothing_nothing_is_known(loss):
    problem = toy(loss)
    train = problem.data.train
    scores = PROBLEMS[loss].evaluate(problem.model, problem.rows(2), Samples(train.x[:0], train.targets[:0]))
    assert scores.loss.isnan().all()
    assert scores.accuracy.isnan().all()


def test_a_loss_in_closed_form_needs_no_samples():
    model, nothing = ReluStudent(3, 3), torch.empty(0, 3)
    teacher_and_zero = torch.stack([torch.eye(3).reshape(-1), torch.zeros(9)]).double()
    scores = PROBLEMS["relu-teacher"].evaluate(model, teacher_and_zero, Samples(nothing, nothing[:, :1]))
    # E (Σ_j relu(x_j))² / 2 = (k/2 + k (k - 1) / 2π) / 2
    expected = [0, (1.5 + 6 / (2 * np.pi)) / 2]
    assert scores.loss.tolist() == pytest.approx(expected, abs=1e-12)
    assert scores.accuracy.isnan().all()


def test_no_rounding_makes_a_loss_negative():
    rows = torch.eye(20).reshape(1, -1).double() * torch.linspace(1 - 1e-9, 1 + 1e-9, 101, dtype=torch.float64)[:, None]
    nothing = torch.empty(0, 20)
    losses = PROBLEMS["relu-teacher"].evaluate(ReluStudent(20, 20), rows, Samples(nothing, nothing[:, :1])).loss
    assert (losses >= 0).all()
    assert losses.max() < 1e-12


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 6) | st.sampled_from([64, 300, 512, 784]), min_size=2, max_size=4).map(tuple),
    activation=st.sampled_from(sorted(TABLE)),
    shape=st.tuples(st.integers(2, 5), st.integers(1, 40)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    bias=st.booleans(),
)
def test_a_stack_is_applied_as_vmap_does_to_the_last_bit(sizes, activation, shape, dtype, bias):
    model, (members, samples) = MLP(sizes, activation, bias=bias), shape
    flat = torch.randn(members, Layout(model.shapes).size, generator=torch.Generator().manual_seed(1), dtype=dtype)
    x = torch.randn(samples, sizes[0], generator=torch.Generator().manual_seed(2), dtype=dtype)
    params, before = Layout(model.shapes).views(flat), flat.clone()
    expected = torch.func.vmap(model.apply)(params, x.expand(members, -1, -1))
    assert torch.equal(stack_outputs(model, flat, x), expected)
    assert torch.equal(flat, before)
