"""A stack of members of one shape, from wherever it begins to the endings of its members.

Every experiment of `escapedim widen` is such stacks: what tells one from another is where its members begin. A work
asks its `begin` for that, from the arrays of the works that it needs, each time it is started or continued; so
draws and choices must be the same every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from escapedim.landscape.vocabulary import Ending
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.tasks.base import Criterion, Task
from escapedim.training.certification import endings, make_landing
from escapedim.training.initial import drawn_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.metrics import measure
from escapedim.training.problems import problem_of
from escapedim.training.recipe import Recipe
from escapedim.training.seeds import derive_seed
from escapedim.training.stretch import train
from escapedim.training.work import Arrays, Context, Metrics, Outcome
from escapedim.widening.parametrization import Scales

Earlier = Mapping[str, Arrays]
ENDINGS = tuple(Ending)
"""Checkpoints hold the number of a member's ending in this order."""


@dataclass(frozen=True)
class Starts:
    """Where members begin: rows `(members, parameters)`, and the seed of each one's data order.

    `labels` are columns about the members that are known before training; they go into the metrics.
    """

    rows: Tensor
    order_seeds: Sequence[int]
    labels: Mapping[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """What all stacks of one network share: how it is trained and judged. `seed` is the root of all draws."""

    model: Network
    recipe: Recipe
    scales: Scales
    criterion: Criterion
    seed: int

    @property
    def width(self) -> int:
        """Units of the first hidden layer, or channels of the first stage of a family."""
        return self.model.width

    def judged(self, task: Task) -> Task:
        """Return the task with the success criterion of this run."""
        return replace(task, criterion=self.criterion)

    def drawn(self, replicates: Sequence[int], purpose: str = "") -> Tensor:
        """Draw networks `(replicates, parameters)` in float64; without a purpose they are the counted members."""
        seeds = [derive_seed(self.seed, f"{purpose}initial weights", self.model.name, n) for n in replicates]
        rows = torch.stack([drawn_row(self.model, "float64", seed) for seed in seeds])
        return rows if self.scales.init is None else rows * self.scales.init

    def orders(self, replicates: Sequence[int], purpose: str = "") -> list[int]:
        """Return seeds of data orders; without a purpose those of the counted members."""
        if not purpose:
            return [order_seed(self.model, self.seed, replicate, 0) for replicate in replicates]
        return [derive_seed(self.seed, f"{purpose}data order", self.model.name, replicate) for replicate in replicates]

    def job(self, context: Context, starts: Starts, lr: float, keep: tuple[int, ...] = ()) -> Job:
        """Return the training of a stack, of which weights are kept at some steps."""
        recipe, task = replace(self.recipe, lr=lr), self.judged(context.task)
        return Job(
            model=self.model,
            problem=problem_of(task),
            recipe=recipe,
            params=starts.rows.to(context.device, getattr(torch, recipe.dtype)),
            mask=None,
            order_seeds=starts.order_seeds,
            keep=keep,
            lr_scale=self.scales.lr,
            landing=None if self.scales.freezes else make_landing(self.model, task, recipe),
            restart=task.restarts,
        )

    def run(self, context: Context, starts: Starts, paused: Arrays | None, lr: float) -> Outcome:
        """Train a stack and say where its members stopped.

        Arrays: the final weights `(members, *shape)`, and of each member `success`, `loss` (that of `loss_name`) and
        `ending`, a number of `ENDINGS`.
        Metrics: `columns` of what was measured, the labels, `lr` and the cost.
        """
        job = self.job(context, starts, lr)
        return train(job, context, paused, lambda state: self._ended(job, context, starts, state))

    def _ended(self, job: Job, context: Context, starts: Starts, state: State) -> Outcome:
        task = self.judged(context.task)
        rows = [
            {**measured, **ending, "restarted": bool(restarts)}
            for measured, ending, restarts in zip(
                measure(job, task, context.data, state), endings(job, task, state), state.restarts, strict=True
            )
        ]
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
        arrays = {name: view.numpy() for name, view in Layout(self.model.shapes).views(state.params.cpu()).items()}
        arrays["success"] = np.array(columns["success"])
        arrays["loss"] = np.array([math.nan if loss is None else loss for loss in columns[loss_name(task)]])
        arrays["ending"] = np.array([ENDINGS.index(Ending(name)) for name in columns["ending"]], np.int8)
        return Outcome(arrays, {"columns": columns, **starts.labels, "lr": job.recipe.lr, **job.cost(state)})


def loss_name(task: Task) -> str:
    """Name of the measured loss that tells how well members trained: without a training set that of the test."""
    return "train_loss" if task.stream is None else "test_loss"


class Begin(Protocol):
    """Says where the members of a stack begin; it can be pickled."""

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """Return the starts, the same every time."""


@dataclass(frozen=True)
class StackWork:
    """A stack of at most `most` members; there may be fewer, or none, where earlier works decide that."""

    key: str
    setting: Setting
    begin: Begin
    most: int
    needs: tuple[str, ...] = ()

    @property
    def planned_steps(self) -> int:
        """Network steps at most."""
        return self.most * self.setting.recipe.steps

    def __call__(self, context: Context, earlier: Earlier, paused: Arrays | None) -> Outcome:
        """Train the members, if there are any."""
        starts = self.begin(self.setting, self.setting.judged(context.task), earlier)
        if paused is None:
            context.tick((self.most - len(starts.rows)) * self.setting.recipe.steps)
        if not len(starts.rows):
            none: Metrics = {"columns": {}, **starts.labels, "net_steps": 0, "planned_steps": self.planned_steps}
            return Outcome({}, none)
        outcome = self.setting.run(context, starts, paused, self.setting.recipe.lr)
        if outcome.metrics is None:
            return outcome
        return replace(outcome, metrics={**outcome.metrics, "planned_steps": self.planned_steps})


def columns_of(works: Sequence[StackWork], metrics: Mapping[str, Metrics]) -> dict[str, list[Any]]:
    """Return the columns and labels of finished stacks as one."""
    found: dict[str, list[Any]] = {}
    for work in works:
        own = metrics[work.key]
        parts = {**own["columns"], **{name: value for name, value in own.items() if isinstance(value, list)}}
        for name, values in parts.items():
            found.setdefault(name, []).extend(values)
    return found
