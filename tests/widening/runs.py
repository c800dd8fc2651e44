"""Whole widen experiments in this process, and students on their closed form by formulas of our own."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from escapedim.records.results import WidenResult
from escapedim.tasks import relu_teacher
from escapedim.tasks.base import Task
from escapedim.training.data import Data
from escapedim.training.descent import descend
from escapedim.training.experiment import Experiment
from escapedim.training.job import Job, State
from escapedim.training.work import Arrays, Context, Metrics
from escapedim.widening.config import WidenConfig
from escapedim.widening.experiment import widen_experiment
from escapedim.widening.stack import Setting, Starts

from .test_config import config

DESCENT = {"optimizer": "gd", "batch_size": "full", "dtype": "float64", "lr": 0.1}
THREE = relu_teacher.load(3)
STUDENTS = {**DESCENT, "task": "relu-teacher", "init": "lecun-normal"}


@dataclass(frozen=True)
class Ran:
    """An experiment whose works are all done: what they left, by key."""

    experiment: Experiment
    metrics: dict[str, Metrics]
    arrays: dict[str, Arrays]

    @property
    def result(self) -> WidenResult:
        found = self.experiment.describe(self.metrics, {})
        assert isinstance(found, WidenResult)
        return found

    def one(self, *parts: str) -> Any:
        """The work whose key has all these parts."""
        (work,) = [work for work in self.experiment.works if all(part in work.key for part in parts)]
        return work

    def began(self, work: Any, task: Task) -> Starts:
        """Where the members of a stack began."""
        starts = work.begin(work.setting, task, self.arrays)
        assert isinstance(starts, Starts)
        return starts


def ran(experiment: Experiment, task: Task, begun: Ran | None = None) -> Ran:
    """Do what is not among the works that were `begun`."""
    context = Context(task, Data.of(task, "float64", "cpu"), "cpu", lambda steps: False)
    made = Ran(experiment, {**begun.metrics}, {**begun.arrays}) if begun else Ran(experiment, {}, {})
    for work in (work for work in experiment.works if work.key not in made.metrics):
        outcome = work(context, {key: made.arrays[key] for key in work.needs}, None)
        assert outcome.metrics is not None
        made.metrics[work.key], made.arrays[work.key] = outcome.metrics, outcome.arrays
    return made


def trained(setting: Setting, context: Context, starts: Starts, lr: float) -> tuple[Job, State]:
    """The training of a stack, and where it ended."""
    job = setting.job(context, starts, lr)
    return job, descend(job, context.data, job.begin(), context.tick)


def student_config(**changes: object) -> WidenConfig:
    return config(**{**STUDENTS, "widths": (2, 3), "replicates": 6, "steps": "4000it", "seed": 0, **changes})


def student_experiment(**changes: object) -> Experiment:
    return widen_experiment(student_config(**changes), THREE)


@functools.cache
def students(**changes: Any) -> Ran:
    """Students of three teacher works: those with two fail, those with three succeed."""
    return ran(student_experiment(**changes), THREE)


def planned(begun: Ran, **changes: Any) -> Ran:
    """The experiment on the same members with other settings, of which nothing more is trained."""
    return Ran(student_experiment(**changes), begun.metrics, begun.arrays)


def _angle(w: np.ndarray, v: np.ndarray) -> float:
    one, other = w / np.linalg.norm(w), v / np.linalg.norm(v)
    return 2 * math.atan2(np.linalg.norm(one - other), np.linalg.norm(one + other))


def student_loss(w: np.ndarray) -> float:
    """L of works `(works, inputs)` whose teacher has the work vectors (Safran & Shamir 2018, arXiv 1712.08968)."""

    def pair(w: np.ndarray, v: np.ndarray) -> float:
        angle = _angle(w, v)
        norms = float(np.linalg.norm(w) * np.linalg.norm(v))
        return norms * (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi)

    teacher = np.eye(w.shape[1])
    own, cross, theirs = (
        sum(pair(a, b) for a in left for b in right) for left, right in ((w, w), (w, teacher), (teacher, teacher))
    )
    return own / 2 - cross + theirs / 2


def student_gradient(w: np.ndarray) -> np.ndarray:
    """Gradient of `student_loss`, flat."""

    def pull(w: np.ndarray, v: np.ndarray) -> np.ndarray:
        angle = _angle(w, v)
        along = np.linalg.norm(v) * math.sin(angle) * w / np.linalg.norm(w)
        return (along + (math.pi - angle) * v) / (2 * math.pi)

    rows = [sum(pull(own, v) for v in w) - sum(pull(own, v) for v in np.eye(w.shape[1])) for own in w]
    return np.concatenate(rows)


def by_differences(gradient: Callable[[np.ndarray], np.ndarray], at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Hessian by central differences of a gradient, made symmetric."""
    moves = step * np.eye(at.size)
    rows = [gradient((at.ravel() + m).reshape(at.shape)) - gradient((at.ravel() - m).reshape(at.shape)) for m in moves]
    hessian = np.array(rows) / (2 * step)
    return (hessian + hessian.T) / 2


def student_hessian(w: np.ndarray) -> np.ndarray:
    return by_differences(student_gradient, w)
