"""Problems by the loss of a task: what is minimised, how it is evaluated, and its surface."""

from __future__ import annotations

from escapedim.models.losses import LOSSES
from escapedim.tasks import relu_teacher
from escapedim.tasks.base import Task
from escapedim.training.problems.closed_form import ReluTeacher
from escapedim.training.problems.problem import Problem
from escapedim.training.problems.sampled import Sampled

PROBLEMS: dict[str, Problem] = {**{name: Sampled(name) for name in LOSSES}, relu_teacher.NAME: ReluTeacher()}
"""By the loss of a task."""


def problem_of(task: Task) -> Problem:
    """Return the problem that a task poses."""
    return PROBLEMS[task.loss]
