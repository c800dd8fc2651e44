"""The units of `escapedim widen`: stacks of members of one width, from their draws to their endings.

With a sweep of learning rates, pilot units try each of them first, on replicates of their own, so that the rate is not
chosen by the members that are counted with it. The best rate has the lowest median of the final training loss (of the
test loss, where no training sample is seen twice).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.tasks.base import Criterion, Task
from escapedim.training.certification import endings, make_landing
from escapedim.training.descent import Job, State, descend
from escapedim.training.initial import drawn_row, order_seed
from escapedim.training.metrics import measure
from escapedim.training.recipe import Recipe
from escapedim.training.seeds import derive_seed
from escapedim.training.units import Arrays, Context, Outcome
from escapedim.widening.parametrization import Scales

PILOT_MEMBERS = 20  # that try each learning rate; ours
RATE_FACTORS = (1.0, 0.5, 2.0, 0.25, 4.0)  # of the recipe's rate, the first of equally good ones is taken; ours


@dataclass(frozen=True)
class Setting:
    """What all units of one width share."""

    model: MLP
    width: int
    recipe: Recipe
    scales: Scales
    criterion: Criterion
    seed: int

    def train(self, context: Context, members: Members, paused: Arrays | None, lr: float) -> tuple[Job, State]:
        """Train a stack as far as the context lets it."""
        recipe, task = replace(self.recipe, lr=lr), self.judged(context.task)
        rows = torch.stack([self._start(members.purpose, replicate) for replicate in members.replicates])
        job = Job(
            model=self.model,
            loss=task.loss,
            recipe=recipe,
            params=rows.to(context.device),
            mask=None,
            order_seeds=[self._order(members.purpose, replicate) for replicate in members.replicates],
            lr_scale=self.scales.lr,
            landing=None if self.scales.freezes else make_landing(self.model, task, recipe),
            restart=task.restarts,
        )
        state = State.from_arrays(paused, context.device) if paused else job.begin()
        return job, descend(job, context.data, state, context.tick)

    def judged(self, task: Task) -> Task:
        """Return the task with the success criterion of this run."""
        return replace(task, criterion=self.criterion)

    def _start(self, purpose: str, replicate: int) -> torch.Tensor:
        seed = derive_seed(self.seed, f"{purpose}initial weights", self.model.name, replicate)
        row = drawn_row(self.model, "float64", seed)
        return (row if self.scales.init is None else row * self.scales.init).to(getattr(torch, self.recipe.dtype))

    def _order(self, purpose: str, replicate: int) -> int:
        if not purpose:
            return order_seed(self.model, self.seed, replicate, 0)
        return derive_seed(self.seed, f"{purpose}data order", self.model.name, replicate)


@dataclass(frozen=True)
class Members:
    """Replicates of one stack; `purpose` is empty, or tells the draws of pilots from those of counted members."""

    replicates: tuple[int, ...]
    purpose: str = ""


@dataclass(frozen=True)
class PilotUnit:
    """A stack that tries one learning rate; its `losses` are `loss_name`'s."""

    setting: Setting
    factor: float

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return pilot_key(self.setting.width, self.factor)

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the pilots; keep their final losses `(members,)`, NaN where they diverged."""
        members = Members(tuple(range(PILOT_MEMBERS)), "pilot ")
        lr = self.setting.recipe.lr * self.factor
        job, state = self.setting.train(context, members, paused, lr)
        if state.step < job.recipe.steps:
            return Outcome(state.arrays(), None)
        task = self.setting.judged(context.task)
        rows = measure(job, task, context.data, state)
        found = [row[loss_name(task)] for row in rows]
        losses = np.array([math.nan if loss is None else loss for loss in found])
        failures = sum(not row["success"] for row in rows)
        return Outcome(
            {"losses": losses},
            {"lr": lr, "losses": found, "failures": failures, **job.cost(state)},
        )


@dataclass(frozen=True)
class WidthUnit:
    """A stack of counted members of one width."""

    setting: Setting
    replicates: tuple[int, ...]
    pilots: bool

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return f"width-{self.setting.width:06d}-members-{self.replicates[0]:06d}-{self.replicates[-1]:06d}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The pilots of its width, where learning rates are tried."""
        return tuple(pilot_key(self.setting.width, factor) for factor in RATE_FACTORS) if self.pilots else ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the members and say where they stopped; keep their final weights `(members, *shape)`."""
        job, state = self.setting.train(context, Members(self.replicates), paused, self._lr(earlier))
        if state.step < job.recipe.steps:
            return Outcome(state.arrays(), None)
        task = self.setting.judged(context.task)
        rows = [
            {**measured, **ending, "restarted": bool(restarts)}
            for measured, ending, restarts in zip(
                measure(job, task, context.data, state), endings(job, task, state), state.restarts, strict=True
            )
        ]
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
        views = Layout(self.setting.model.shapes).views(state.params.cpu())
        metrics = {"columns": columns, "lr": job.recipe.lr, **job.cost(state)}
        return Outcome({name: view.numpy() for name, view in views.items()}, metrics)

    def _lr(self, earlier: Mapping[str, Arrays]) -> float:
        if not self.pilots:
            return self.setting.recipe.lr
        losses = {factor: earlier[pilot_key(self.setting.width, factor)]["losses"] for factor in RATE_FACTORS}
        return self.setting.recipe.lr * best_factor(losses)


def loss_name(task: Task) -> str:
    """Name of the measured loss that tells how well members trained: without a training set that of the test."""
    return "train_loss" if task.stream is None else "test_loss"


def pilot_key(width: int, factor: float) -> str:
    """Name of the checkpoint of a pilot unit."""
    return f"width-{width:06d}-pilot-{factor:g}"


def best_factor(losses: Mapping[float, np.ndarray]) -> float:
    """Return the factor with the lowest median loss; a diverged member's loss is infinite; the first of equal ones."""
    medians = {factor: np.median(np.nan_to_num(values, nan=np.inf)) for factor, values in losses.items()}
    return min(medians, key=lambda factor: medians[factor])
