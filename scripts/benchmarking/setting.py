"""What both sides of the benchmark train, and what it took them.

A setting resolves flags as `escapedim prune` or `escapedim widen` does, so that all sides take network, data, data
orders, initial weights and recipe from the tool's own defaults. What a share of the work took is scaled up to the whole
of it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from escapedim.cli.settings import Given, resolve
from escapedim.models.network import Network
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.pruning_plan import PruningPlan
from escapedim.tasks.base import Task
from escapedim.training.batches import DataOrder
from escapedim.training.config import TrainingConfig
from escapedim.training.data import Data
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.networks import network_of, network_of_width
from escapedim.training.recipe import Recipe
from escapedim.widening.config import WidenConfig
from escapedim.widening.counted_members import WidthWork
from escapedim.widening.experiment import widen_experiment

C = TypeVar("C", bound=TrainingConfig)
Seconds = tuple[float, float]  # of training, of everything


@dataclass(frozen=True)
class Resolved(Generic[C]):
    """What both sides train, from the tool's own defaults."""

    config: C
    task: Task

    @cached_property
    def model(self) -> Network:
        """The network."""
        raise NotImplementedError

    @cached_property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.config.recipe(self.task)

    @cached_property
    def data(self) -> Data:
        """The samples as tensors."""
        return Data.of(self.task, self.recipe.dtype, self.config.device)

    def initial(self, replicate: int) -> Tensor:
        """Initial weights of a replicate `(parameters,)`."""
        return initial_row(self.model, self.recipe.dtype, self.config.seed, replicate)


class Setting(Resolved[PruneConfig]):
    """A run of `escapedim prune`."""

    @classmethod
    def of(cls, **flags: Any) -> Setting:
        """Resolve flags as `escapedim prune` does."""
        settings = resolve(PruneConfig, Given(flags))
        return cls(settings.config, settings.task)

    @cached_property
    def model(self) -> Network:
        """The network."""
        return network_of(self.config, self.task)

    @cached_property
    def plan(self) -> PruningPlan:
        """What is pruned."""
        return self.config.plan(self.model, self.recipe)

    @cached_property
    def labels(self) -> Tensor:
        """Labels of the training part `(samples,)`."""
        return self.data.train.targets.argmax(1)

    def order(self, replicate: int, number: int) -> DataOrder:
        """Data order of a replicate in a round."""
        seed = order_seed(self.model, self.config.seed, replicate, number)
        return DataOrder(seed, self.recipe.samples, self.recipe.batch_size)


class WidthSetting(Resolved[WidenConfig]):
    """A run of `escapedim widen` with one width."""

    @classmethod
    def of(cls, **flags: Any) -> WidthSetting:
        """Resolve flags as `escapedim widen` does."""
        settings = resolve(WidenConfig, Given(flags))
        return cls(settings.config, settings.task)

    @cached_property
    def model(self) -> Network:
        """The network."""
        (width,) = self.config.widths
        return network_of_width(self.config, self.task, width)

    @cached_property
    def stacks(self) -> list[Tensor]:
        """Initial weights `(members, parameters)` of the stacks that the command trains one after another."""
        works = [work for work in widen_experiment(self.config, self.task).works if isinstance(work, WidthWork)]
        return [torch.stack([self.initial(replicate) for replicate in work.replicates]) for work in works]


@dataclass(frozen=True)
class Spent:
    """Seconds of pruning on one side: of the training of each dense and each pruned network, and of all the rest."""

    dense_s: Sequence[float]
    pruned_s: Sequence[float]
    rest_s: float

    def scaled(self, share: Setting, whole: Setting) -> Seconds:
        """Estimate the seconds of training, and of everything, that the whole takes where this was a share of it."""
        longer = whole.recipe.steps / share.recipe.steps
        dense = whole.config.replicates
        pruned = dense * whole.config.rounds * len(whole.plan.arms)
        training_s = longer * (dense * statistics.mean(self.dense_s) + pruned * statistics.mean(self.pruned_s))
        rest_s = self.rest_s * (dense + pruned) / (len(self.dense_s) + len(self.pruned_s))
        return training_s, training_s + rest_s
