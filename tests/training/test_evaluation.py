import numpy as np
import pytest
import torch

from escapedim.training import evaluation
from escapedim.training.data import Samples
from escapedim.training.evaluation import evaluate

from .plain import LOSSES, accuracy, network, toy


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("block", [4096, 23, 7, 1])
def test_every_member_is_evaluated_as_alone_in_plain_torch(loss, block, monkeypatch):
    monkeypatch.setattr(evaluation, "BLOCK", block)
    problem = toy(loss)
    rows = problem.rows(4)
    scores = evaluate(problem.model, loss, rows, problem.data.train)
    train = problem.data.train
    nets = [network(problem.model.sizes, problem.model.activation, row) for row in rows]
    losses = [LOSSES[loss](net(train.x), train.targets).item() for net in nets]
    assert scores.loss.tolist() == pytest.approx(losses, rel=1e-12)
    if loss == "cross-entropy":
        labels = problem.task.train.y
        assert scores.accuracy.tolist() == [accuracy(net, train.x, labels) for net in nets]


def test_sums_are_float64_whatever_the_dtype():
    problem = toy(dtype="float32")
    scores = evaluate(problem.model, "cross-entropy", problem.rows(2), problem.data.test)
    assert scores.loss.dtype == scores.accuracy.dtype == torch.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_member_without_finite_outputs_has_no_accuracy_and_its_siblings_do(bad):
    problem = toy()
    rows = problem.rows(3)
    alone = evaluate(problem.model, "cross-entropy", rows[[0, 2]], problem.data.test)
    rows[1, -1] = bad
    scores = evaluate(problem.model, "cross-entropy", rows, problem.data.test)
    assert not scores.loss[1].isfinite()
    assert scores.accuracy[1].isnan()
    torch.testing.assert_close(scores.loss[[0, 2]], alone.loss, rtol=1e-12, atol=0)
    assert torch.equal(scores.accuracy[[0, 2]], alone.accuracy)


def test_one_bad_sample_is_enough():
    problem = toy(activation="relu")
    x = problem.data.test.x.clone()
    x[5] = 1e308
    scores = evaluate(problem.model, "cross-entropy", problem.rows(2, 1e3), Samples(x, problem.data.test.targets))
    assert scores.accuracy.isnan().all()
