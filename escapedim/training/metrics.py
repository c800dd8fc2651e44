"""What is reported of a trained stack: losses, accuracies and success of every member."""

from __future__ import annotations

import math
from typing import Any

import torch

from escapedim.tasks.base import Task
from escapedim.training.data import Data
from escapedim.training.job import Job, State


def measure(job: Job, task: Task, data: Data, state: State) -> list[dict[str, Any]]:
    """Return each member's metrics at the end of its run as strict JSON: null where it diverged.

    Keys: success, and those of `Task.measured`.
    """
    diverged = state.diverged_at >= 0
    train, test = (job.problem.evaluate(job.model, state.params, part) for part in (data.train, data.test))
    found = {
        "train_loss": train.loss,
        "test_loss": test.loss,
        "train_accuracy": train.accuracy,
        "test_accuracy": test.accuracy,
        "test_accuracy_at_best_validation": state.test_at_best,
    }
    columns = {name: found[name] for name in task.measured}
    # A diverged member can have finite outputs: an infinite weight behind a unit that is dead for good.
    columns = {name: torch.where(diverged, torch.nan, column.cpu()) for name, column in columns.items()}
    rows = [
        dict(zip(columns, values, strict=True))
        for values in zip(*(column.tolist() for column in columns.values()), strict=True)
    ]
    return [
        {
            **{name: value if math.isfinite(value) else None for name, value in row.items()},
            "success": task.criterion.met(row),
        }
        for row in rows
    ]
