"""Where the members of a stack stopped: the surface of a task around them, and the ending that it certifies.

A surface exists for closed forms and for fully connected nets of up to `MOST_PARAMETERS` parameters; the spectrum of
more would take too long. It is computed in float64 on the CPU, whatever a stack is trained in.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from escapedim.landscape.endings import Certificates, certify
from escapedim.landscape.landing import land
from escapedim.landscape.levels import CERTIFIED
from escapedim.landscape.network import MLPSurface
from escapedim.landscape.polish import NEAR
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.landscape.spectrum import MOST_PARAMETERS
from escapedim.landscape.surface import Surface
from escapedim.landscape.vocabulary import Ending
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.tasks.base import Task
from escapedim.training.data import Data
from escapedim.training.descent import Job, Landed, Landing, State
from escapedim.training.recipe import Recipe

MOST_NUMBERS = 2**22  # samples times inputs of data that are held in float64 for it, 32 MB; ours


def make_surface(model: MLP, task: Task) -> Surface | str:
    """Return the surface of a task for a model, or why there is none."""
    if Layout(model.shapes).size > MOST_PARAMETERS:
        return f"more than {MOST_PARAMETERS:,} parameters: no spectrum was computed"
    if isinstance(model, ReluStudent):
        return ReluTeacherSurface(model.sizes[0])
    if task.stream is not None:
        return "fresh samples at every step: there is no fixed loss to examine"
    if task.train.x.size > MOST_NUMBERS:
        return "too much data: no spectrum was computed"
    samples = Data.of(task, "float64", "cpu").train
    return MLPSurface(model, task.loss, samples.x, samples.targets, samples.weights)


def make_landing(model: MLP, task: Task, recipe: Recipe) -> Landing | None:
    """Return what looks for members that have landed; None where steps do not follow the gradient of one surface."""
    if recipe.batch_size != recipe.samples or isinstance(surface := make_surface(model, task), str):
        return None
    return _Landing(surface, task.global_below)


class _Landing:
    """A member has landed when its loss is that of a global minimum, or in the basin of a certified minimum."""

    def __init__(self, surface: Surface, global_below: float | None) -> None:
        self._surface, self._global_below = surface, global_below

    def __call__(self, flat: Tensor, gradients: Tensor, due: Tensor) -> Landed:
        exact = flat.cpu().double()
        landed = torch.zeros(len(flat), dtype=torch.bool)
        if self._global_below is not None:
            landed = self._surface.loss(exact) < self._global_below
        near = self._surface.norm(gradients.cpu().double()) < NEAR
        examined = due.cpu() & near & ~landed
        rows = examined.nonzero()[:, 0]
        if len(rows):
            exact[rows], landed[rows] = land(self._surface, exact[rows])
        device = flat.device
        return Landed(exact.to(flat), landed.to(device), examined.to(device))


def endings(job: Job, task: Task, state: State) -> list[dict[str, Any]]:
    """Return of each member as strict JSON where it stopped.

    Keys: ending, reason, marginal, smallest_eigenvalue, negative_directions, level (its loss, that of a channel at
    infinity; null unless certified), moved (from its start, over the norm of the starting weights) and steps.
    """
    end = state.params.cpu().double()
    start = job.origin().cpu().double()
    moved = (end - start).norm(dim=1) / start.norm(dim=1)
    found = _certificates(job, task, end, state.diverged_at >= 0)
    return [
        {**row, "moved": _number(distance), "steps": steps}
        for row, distance, steps in zip(found, moved.tolist(), state.steps().tolist(), strict=True)
    ]


def _certificates(job: Job, task: Task, end: Tensor, diverged: Tensor) -> list[dict[str, Any]]:
    surface = make_surface(job.model, task)
    if job.lr_scale is not None and not job.lr_scale.all():
        surface = "only a part of the parameters was trained"
    if isinstance(surface, str):
        return [_row(Ending.DIVERGED if gone else Ending.UNDECIDED, "" if gone else surface) for gone in diverged]
    end = torch.where(diverged.unsqueeze(1), torch.nan, end)  # a diverged member can be finite again by underflow
    return _rows(certify(surface, end, task.global_below))


def _rows(found: Certificates) -> list[dict[str, Any]]:
    levels = np.where(np.isfinite(found.limit_loss), found.limit_loss, found.loss)
    return [
        _row(
            ending,
            str(found.reason[n]),
            bool(found.marginal[n]) and ending in CERTIFIED,
            _number(found.smallest_eigenvalue[n]),
            int(found.negative_directions[n]) if np.isfinite(found.smallest_eigenvalue[n]) else None,
            _number(levels[n]) if ending in CERTIFIED else None,
        )
        for n, ending in enumerate(found.ending)
    ]


def _row(
    ending: Ending,
    reason: str,
    marginal: bool = False,
    smallest: float | None = None,
    negative: int | None = None,
    level: float | None = None,
) -> dict[str, Any]:
    return {
        "ending": ending.value,
        "reason": reason,
        "marginal": marginal,
        "smallest_eigenvalue": smallest,
        "negative_directions": negative,
        "level": level,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
