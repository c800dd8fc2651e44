from __future__ import annotations

import numpy as np
import pytest
import torch

from escapedim.models.relu_student import ReluStudent
from escapedim.rewinding.barriers import ALPHAS, POINTS, barriers, error, error_name, has_accuracy
from escapedim.tasks import relu_teacher
from escapedim.training.data import Data
from tests.training.plain import network, toy

PROBLEM = toy("cross-entropy", hidden=(5, 4))


def wrong(row: torch.Tensor) -> float:
    """Share of test samples that a plain network gets wrong."""
    net = network(PROBLEM.model.sizes, PROBLEM.model.activation, row)
    outputs = net(torch.as_tensor(np.array(PROBLEM.task.test.x), dtype=torch.float64))
    return float((outputs.argmax(1) != torch.as_tensor(np.array(PROBLEM.task.test.y))).double().mean())


def test_thirty_even_points_with_both_ends():
    assert (POINTS, ALPHAS[0], ALPHAS[-1]) == (30, 0.0, 1.0)
    assert np.diff(ALPHAS) == pytest.approx(1 / 29)


def test_errors_are_those_of_plain_networks_along_the_line():
    first, second = PROBLEM.rows(4)[:2], PROBLEM.rows(4)[2:]
    found = barriers(PROBLEM.model, PROBLEM.task, PROBLEM.data, first, second)
    for pair in range(2):
        expected = [wrong((1 - alpha) * first[pair] + alpha * second[pair]) for alpha in ALPHAS]
        assert found.errors[pair].tolist() == pytest.approx(expected, abs=1e-12)
        assert found.barriers[pair] == pytest.approx(max(expected) - (expected[0] + expected[-1]) / 2)
    assert found.barriers.max() > 0


@pytest.mark.parametrize("at_once", [1, 2**22])
def test_the_ends_are_the_networks_and_a_network_against_itself_has_no_barrier(monkeypatch, at_once):
    monkeypatch.setattr("escapedim.rewinding.barriers._AT_ONCE", at_once)
    rows = PROBLEM.rows(3) * 1.7
    lines = barriers(PROBLEM.model, PROBLEM.task, PROBLEM.data, rows, rows.flip(0))
    own = error(PROBLEM.model, PROBLEM.task, PROBLEM.data, rows).numpy()
    assert np.array_equal(lines.errors[:, 0], own)
    assert np.array_equal(lines.errors[:, -1], own[::-1])
    assert barriers(PROBLEM.model, PROBLEM.task, PROBLEM.data, rows, rows).barriers.tolist() == [0.0, 0.0, 0.0]


def test_the_end_points_are_exact_to_the_last_bit():
    first, second = torch.tensor([1e-30, 3.0, -0.1]), torch.tensor([7.0, 1e-7, 0.3])
    assert torch.equal(torch.lerp(first, second, ALPHAS[0]), first)
    assert torch.equal(torch.lerp(first, second, ALPHAS[-1]), second)


def test_without_accuracy_the_error_is_a_loss():
    task = relu_teacher.load(3)
    data = Data.of(task, "float64", "cpu")
    model = ReluStudent(3, 3)
    best, zero = torch.eye(3, dtype=torch.float64).reshape(1, -1), torch.zeros(1, 9, dtype=torch.float64)
    found = barriers(model, task, data, best, zero)
    assert found.errors[0, 0] == pytest.approx(0, abs=1e-15)
    assert found.errors[0, -1] == pytest.approx(0.5 * (3 / 2 + 3 * 2 / (2 * np.pi)))  # half the teacher's second moment
    assert (has_accuracy(task), error_name(task)) == (False, "train loss")
    assert (has_accuracy(PROBLEM.task), error_name(PROBLEM.task)) == (True, "test error")
    assert error_name(toy("squared").task) == "test loss"


def test_a_diverged_network_has_no_barrier_that_is_a_number():
    rows = PROBLEM.rows(2)
    broken = rows.clone()
    broken[0, 0] = torch.inf
    found = barriers(PROBLEM.model, PROBLEM.task, PROBLEM.data, broken, rows.flip(0))
    assert np.isnan(found.barriers).tolist() == [True, False]
