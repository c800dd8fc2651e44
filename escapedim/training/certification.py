"""Where the members of a stack stopped: the surface of a task around them, and the ending that it certifies.

A surface exists for closed forms and for fully connected nets of up to `MOST_PARAMETERS` parameters; the spectrum of
more would take too long. It is computed in float64 on the CPU, whatever a stack is trained in; only the looks between
steps, of which most find nothing, stay on the device.
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
from escapedim.landscape.polish import NEAR
from escapedim.landscape.spectrum import MOST_PARAMETERS
from escapedim.landscape.surface import Surface
from escapedim.landscape.vocabulary import Ending
from escapedim.models.network import Network
from escapedim.tasks.base import Task
from escapedim.training.job import Job, Landed, Landing, State
from escapedim.training.optimizer_names import decays
from escapedim.training.problems import problem_of
from escapedim.training.recipe import Recipe

VANISHING = "the loss is 0 to rounding, which cross-entropy is only at infinity"
ZERO_LOSS = 1e-12  # no loss is below 0: one that is 0 to rounding is the least there is, on any task; ours


def make_surface(model: Network, task: Task, device: str = "cpu") -> Surface | str:
    """Return the surface of a task for a network on a device, or why there is none."""
    if model.size > MOST_PARAMETERS:
        return f"more than {MOST_PARAMETERS:,} parameters: no spectrum was computed"
    return problem_of(task).surface(model, task, device)


def make_landing(model: Network, task: Task, recipe: Recipe) -> Landing | None:
    """Return what looks for members that have landed; None where steps do not follow the gradient of one surface.

    All parameters must be trained: Newton's steps would move what is frozen.
    """
    if (
        recipe.batch_size != recipe.samples
        or decays(recipe.optimizer)
        or isinstance(surface := make_surface(model, task), str)
    ):
        return None
    here = surface if recipe.device == "cpu" else make_surface(model, task, recipe.device)
    assert not isinstance(here, str), "there is one on the CPU"
    return _Landing(surface, here, stop_below(task))


def stop_below(task: Task) -> float | None:
    """Return the training loss below which a member is done: that of a global minimum, which must be a success too.

    None where there is no such loss, and where success is another quantity, which more training may still reach.
    """
    criterion = task.criterion
    if task.global_below is None or criterion.metric != "train_loss" or not criterion.comparison.startswith("<"):
        return None
    return min(task.global_below, criterion.threshold)


class _Landing:
    """A member has landed when its loss is below `stop_below`, or in the basin of a certified minimum."""

    def __init__(self, surface: Surface, here: Surface, stop_below: float | None) -> None:
        self._surface, self._here, self._stop_below = surface, here, stop_below

    def __call__(self, flat: Tensor, gradients: Tensor, due: Tensor) -> Landed:
        exact = flat.double()
        landed = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
        if self._stop_below is not None:
            landed = self._here.loss(exact) < self._stop_below
        near = self._here.norm(gradients.double()) < NEAR
        examined = due & near & ~landed
        if examined.any():
            polished, found = land(self._surface, exact[examined].cpu())
            exact = exact.clone() if exact is flat else exact  # in float64 it is the stack itself
            exact[examined], landed[examined] = polished.to(exact), found.to(landed)
        return Landed(exact.to(flat), landed, examined)


def endings(job: Job, task: Task, state: State) -> list[dict[str, Any]]:
    """Return of each member as strict JSON where it stopped.

    Keys: ending, reason, marginal, smallest_eigenvalue, negative_directions, level (its loss, that of a channel at
    infinity; null unless certified), moved (from its start, over the norm of the starting weights) and steps.
    """
    end = state.params.cpu().double()
    start = job.origin().cpu().double()
    moved = (end - start).norm(dim=1) / start.norm(dim=1)
    diverged = state.diverged_at >= 0
    moved[diverged] = torch.nan
    found = _certificates(job, task, end, diverged)
    return [
        {**row, "moved": _number(distance), "steps": steps}
        for row, distance, steps in zip(found, moved.tolist(), state.steps().tolist(), strict=True)
    ]


def _certificates(job: Job, task: Task, end: Tensor, diverged: Tensor) -> list[dict[str, Any]]:
    surface = make_surface(job.model, task)
    if isinstance(surface, str):
        return [_row(Ending.DIVERGED if gone else Ending.UNDECIDED, "" if gone else surface) for gone in diverged]
    end = torch.where(diverged.unsqueeze(1), torch.nan, end)  # a diverged member can be finite again by underflow
    below = ZERO_LOSS if task.global_below is None else task.global_below
    if reason := _why_not_critical(job):
        return [_by_loss(loss, reason, below) for loss in surface.loss(end).tolist()]
    rows = _rows(certify(surface, end, below))
    if not task.classifies:
        return rows
    return [_row(Ending.STALLED, VANISHING) if row["ending"] == Ending.GLOBAL_MINIMUM.value else row for row in rows]


def _why_not_critical(job: Job) -> str:
    """Say why the end of a descent need not be a critical point of the loss; "" where it is one."""
    if job.lr_scale is not None and not job.lr_scale.all():
        return "only a part of the parameters was trained"
    return "weight decay: the descent ends where the loss alone would not" if decays(job.recipe.optimizer) else ""


def _by_loss(loss: float, reason: str, global_below: float) -> dict[str, Any]:
    """Name the ending of a member that is on no critical point: a loss that only global minima have decides."""
    if not math.isfinite(loss):
        return _row(Ending.DIVERGED, "")
    if loss < global_below:
        return _row(Ending.GLOBAL_MINIMUM, "", level=loss)
    return _row(Ending.UNDECIDED, reason)


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
