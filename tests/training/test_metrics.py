import json
from dataclasses import replace

import pytest
import torch

from escapedim.tasks.base import Criterion
from escapedim.training.job import Job, State
from escapedim.training.metrics import measure
from escapedim.training.problems import PROBLEMS, problem_of

from .plain import Toy, toy

LOSSES = ["train_loss", "test_loss"]
ACCURACIES = ["train_accuracy", "test_accuracy", "test_accuracy_at_best_validation"]


def ended(problem: Toy, rows: torch.Tensor, diverged_at: list[int]) -> tuple[Job, State]:
    job = Job(problem.model, problem_of(problem.task), problem.recipe, rows, None, [0] * len(rows))
    best = torch.linspace(0.5, 0.9, len(rows), dtype=torch.float64)
    return job, replace(job.begin(), diverged_at=torch.tensor(diverged_at), best_validation=best, test_at_best=best)


def measured(problem: Toy, rows: torch.Tensor, diverged_at: list[int]):
    job, state = ended(problem, rows, diverged_at)
    return measure(job, problem.task, problem.data, state)


def test_metrics_are_the_evaluation_at_the_end():
    problem = toy()
    rows = problem.rows(2)
    first, second = measured(problem, rows, [-1, -1])
    scores = {
        part: PROBLEMS["cross-entropy"].evaluate(problem.model, rows, getattr(problem.data, part))
        for part in ("train", "test")
    }
    for member, (metrics, best) in enumerate(zip((first, second), (0.5, 0.9), strict=True)):
        assert list(metrics) == [*LOSSES, *ACCURACIES, "success"]
        for part, score in scores.items():
            assert metrics[f"{part}_loss"] == score.loss[member].item()
            assert metrics[f"{part}_accuracy"] == score.accuracy[member].item()
        assert metrics["test_accuracy_at_best_validation"] == best


def test_success_is_the_tasks_criterion():
    problem = toy()
    rows = problem.rows(6)
    values = [metrics["train_accuracy"] for metrics in measured(problem, rows, [-1] * 6)]
    threshold = sorted(values)[3]
    problem = replace(problem, task=replace(problem.task, criterion=Criterion("train_accuracy", ">=", threshold)))
    assert [metrics["success"] for metrics in measured(problem, rows, [-1] * 6)] == [v >= threshold for v in values]


def test_without_labels_there_are_losses_only():
    (metrics,) = measured(toy("squared"), toy("squared").rows(1), [-1])
    assert list(metrics) == [*LOSSES, "success"]


# What a diverged member may look like: an infinite weight behind a saturated or dead unit gives finite outputs.
DIVERGED = {
    "nan": ("tanh", torch.nan),
    "infinite weight": ("tanh", torch.inf),
    "infinite weight of a saturated unit": ("sigmoid", torch.inf),
    "unit that is dead for good": ("relu", -torch.inf),
}


@pytest.mark.parametrize("case", DIVERGED)
@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
def test_a_diverged_member_has_no_metrics_and_no_success(case, loss):
    activation, value = DIVERGED[case]
    problem = toy(loss, activation=activation)
    problem = replace(problem, task=replace(problem.task, criterion=Criterion("train_loss", "<=", 1e6)))
    rows = problem.rows(2)
    rows[1, 4 * 5] = value  # the first bias
    good, bad = measured(problem, rows, [-1, 12])
    assert good["success"]
    assert bad.pop("success") is False
    assert set(bad.values()) == {None}
    assert None not in good.values()


def test_metrics_are_strict_json():
    problem = toy()
    rows = problem.rows(4)
    rows[1] = torch.nan
    rows[2] *= 1e300
    rows[3, -1] = torch.inf  # an output bias, in a member that was not seen to diverge
    found = measured(problem, rows, [-1, 3, -1, -1])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    fine, diverged, huge, overflowed = found
    for metrics in (fine, huge):
        assert {name: type(metrics[name]) for name in metrics} == {
            **dict.fromkeys([*LOSSES, *ACCURACIES], float),
            "success": bool,
        }
    assert diverged == {**dict.fromkeys([*LOSSES, *ACCURACIES]), "success": False}
    assert [overflowed[name] for name in LOSSES] == [None, None]
