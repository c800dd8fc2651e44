"""Lines between two networks: the error along the way, and the barrier (Frankle et al. 2020, arXiv 1912.05671).

barrier = max over 30 evenly spaced α of E(α W1 + (1-α) W2) minus the mean of E(W1) and E(W2). The error is the share of
test samples that are wrong; on tasks without accuracy it is the loss. At both ends a line is its end point to the last
bit, and between equal networks it is constant. There are no statistics of batch normalisation to re-estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from escapedim.models.network import Network
from escapedim.tasks.base import Task
from escapedim.training.data import Data
from escapedim.training.problems import problem_of

POINTS = 30  # Frankle et al. 2020
STABLE_BELOW = 0.02  # of an error: two percentage points, Frankle et al. 2020
ALPHAS = tuple(np.linspace(0, 1, POINTS).tolist())
_AT_ONCE = 2**22  # parameters of interpolated networks at a time; ours


@dataclass(frozen=True)
class Barriers:
    """Of pairs of networks: errors `(pairs, points)` and barriers `(pairs,)`."""

    errors: np.ndarray
    barriers: np.ndarray


def barriers(model: Network, task: Task, data: Data, first: Tensor, second: Tensor) -> Barriers:
    """Return the errors between rows `(pairs, parameters)`, from `first` (α = 0) to `second` (α = 1)."""
    per_pair = POINTS * first.shape[1]
    size = max(1, _AT_ONCE // per_pair)
    parts = [
        _errors(model, task, data, first[at : at + size], second[at : at + size]) for at in range(0, len(first), size)
    ]
    errors = np.concatenate([np.zeros((0, POINTS)), *parts])
    return Barriers(errors, errors.max(1) - errors[:, [0, -1]].mean(1))


def _errors(model: Network, task: Task, data: Data, first: Tensor, second: Tensor) -> np.ndarray:
    line = torch.stack([torch.lerp(first, second, alpha) for alpha in ALPHAS], 1)  # both ends are exact
    return error(model, task, data, line.flatten(0, 1)).view(len(first), POINTS).numpy()


def error(model: Network, task: Task, data: Data, rows: Tensor) -> Tensor:
    """Return the error of each row `(members,)`, in float64 on the CPU."""
    if task.stream is None and not len(task.test):
        return problem_of(task).evaluate(model, rows, data.train).loss.cpu()
    found = problem_of(task).evaluate(model, rows, data.test)
    return (1 - found.accuracy if has_accuracy(task) else found.loss).cpu()


def has_accuracy(task: Task) -> bool:
    """Say whether errors are shares of test samples."""
    return "test_accuracy" in task.measured


def error_name(task: Task) -> str:
    """Return what the error is, in words."""
    if has_accuracy(task):
        return "test error"
    return "test loss" if len(task.test) or task.stream is not None else "train loss"
