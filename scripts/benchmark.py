"""Benchmark: escapedim against a plain PyTorch loop that does the same work.

Two rows, measured in one run, in turns (A B A B ...), so that a machine that slows down slows down both sides.
`prune` times the default `escapedim prune` as a process of its own, start included; `steps` times training steps of
the engine in one thread. The plain loop is what one writes by hand: one network after another, `nn.Sequential`,
`torch.optim.Adam`, data in memory, masks multiplied in after every step. It is spared the start of a process, saving,
and all evaluation but one a network.

Before anything is timed, both sides run a few steps in float64 and must end with the same parameters.

    python scripts/benchmark.py            # some minutes; --quick: under one; --full: times all of the plain loop
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import escapedim
from escapedim.cli.settings import Given, resolve, usable_cores
from escapedim.errors import BadInput, EscapedimError
from escapedim.models.mlp import MLP
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.pruning.plan import Plan
from escapedim.records.atomic import write_atomic
from escapedim.records.provenance import commit_of, now
from escapedim.reporting.render import make_console
from escapedim.tasks.base import Task
from escapedim.training.batches import DataOrder
from escapedim.training.data import Data
from escapedim.training.descent import Job, State, descend
from escapedim.training.experiment import make_model
from escapedim.training.initial import drawn_row, initial_row, order_seed
from escapedim.training.layout import Layout
from escapedim.training.recipe import Recipe
from escapedim.training.units import Arrays, Context

ROWS = ("prune", "steps")
MEMBERS = (1, 8, 64, 512)
DEFAULT_THREADS = torch.get_num_threads()  # before this module changes it
WARM_UP_STEPS = 3  # in which buffers are made
LEAST_STEPS = 5  # timed steps of a large stack
CHECKED_STEPS = 5
TOLERANCE = 1e-9  # in float64, where lr is 1e-3 and an honest difference 1e-15

Masks = list[Tensor]


@dataclass(frozen=True)
class Scale:
    """How much is measured: repeats, rounds of `prune`, and network steps of one timing of either row."""

    repeats: int = 5
    rounds: int = 10
    plain_steps: int = 3000
    net_steps: int = 1000


QUICK = Scale(repeats=2, rounds=1, plain_steps=1500, net_steps=300)


@dataclass(frozen=True)
class Setting:
    """What both sides train, from the tool's own defaults."""

    config: PruneConfig
    task: Task

    @classmethod
    def of(cls, **flags: Any) -> Setting:
        """Resolve flags as `escapedim prune` does."""
        settings = resolve(PruneConfig, Given(flags))
        return cls(settings.config, settings.task)

    @cached_property
    def model(self) -> MLP:
        """The network."""
        return make_model(self.config, self.task)

    @cached_property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.config.recipe(self.task)

    @cached_property
    def plan(self) -> Plan:
        """What is pruned."""
        return self.config.plan(self.model, self.recipe)

    @cached_property
    def data(self) -> Data:
        """The samples as tensors."""
        return Data.of(self.task, self.recipe.dtype, "cpu")

    @cached_property
    def labels(self) -> Tensor:
        """Labels of the training part `(samples,)`."""
        return self.data.train.targets.argmax(1)

    def order(self, replicate: int, number: int) -> DataOrder:
        """Data order of a replicate in a round."""
        return self._order(order_seed(self.model, self.config.seed, replicate, number))

    def _order(self, seed: int) -> DataOrder:
        return DataOrder(seed, self.recipe.samples, self.recipe.batch_size)

    def initial(self, replicate: int) -> Tensor:
        """Initial weights of a replicate `(parameters,)`."""
        return initial_row(self.model, self.recipe.dtype, self.config.seed, replicate)


# The plain loop


def plain_network(model: MLP, row: Tensor) -> nn.Sequential:
    """Build a network as one writes it, with the weights of a row `(parameters,)`."""
    layers = [layer for sizes in pairwise(model.sizes) for layer in (nn.Linear(*sizes), nn.ReLU())]
    network = nn.Sequential(*layers[:-1]).to(row.dtype)
    vector_to_parameters(row.clone(), network.parameters())
    return network


def weights(network: nn.Sequential) -> list[Tensor]:
    """The prunable tensors, from the input on."""
    return [parameter for parameter in network.parameters() if parameter.dim() == 2]


def plain_train(setting: Setting, network: nn.Sequential, order: DataOrder, steps: int, masks: Masks) -> float:
    """Train one network, with no masks where the list is empty; return the seconds."""
    began = time.perf_counter()
    x, labels, pruned = setting.data.train.x, setting.labels, weights(network)[: len(masks)]
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.recipe.lr)
    for step in range(steps):
        chosen = order.batch(step)
        optimizer.zero_grad()
        F.cross_entropy(network(x[chosen]), labels[chosen]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            for weight, mask in zip(pruned, masks, strict=True):
                weight.mul_(mask)
    return time.perf_counter() - began


def plain_masks(plan: Plan, masks: Masks, scores: Sequence[Tensor]) -> Masks:
    """Remove the lowest-scored share of every layer's survivors."""
    removed = []
    for fraction, mask, score in zip(plan.fractions.values(), masks, scores, strict=True):
        order = torch.where(mask > 0, score, torch.inf).flatten().argsort(stable=True)
        flat = mask.flatten().clone()
        flat[order[: round(fraction * int(mask.sum()))]] = 0
        removed.append(flat.view_as(mask))
    return removed


@dataclass
class Spent:
    """What a plain run took: seconds and network steps in round 0 and in pruned rounds, and seconds of all the rest."""

    dense_s: float = 0.0
    pruned_s: float = 0.0
    rest_s: float = 0.0
    dense_steps: int = 0
    pruned_steps: int = 0
    networks: int = 0

    @property
    def training_s(self) -> float:
        """Seconds of training."""
        return self.dense_s + self.pruned_s

    @property
    def all_s(self) -> float:
        """Seconds of everything."""
        return self.training_s + self.rest_s

    def scaled(self, work: Spent) -> Spent:
        """Estimate the seconds of more work of the same kind."""
        return replace(
            work,
            dense_s=self.dense_s * work.dense_steps / self.dense_steps,
            pruned_s=self.pruned_s * work.pruned_steps / self.pruned_steps,
            rest_s=self.rest_s * work.networks / self.networks,
        )


def whole_work(setting: Setting) -> Spent:
    """Steps and networks of a prune experiment."""
    config, steps = setting.config, setting.recipe.steps
    pruned = config.replicates * config.rounds * len(setting.plan.arms)
    return Spent(
        dense_steps=config.replicates * steps, pruned_steps=pruned * steps, networks=config.replicates + pruned
    )


class PlainPrune:
    """Magnitude pruning with rewinding to the start, and the controls, one network after another."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.spent = setting, Spent()
        self._draws = torch.Generator().manual_seed(setting.config.seed)

    def run(self) -> Tensor:
        """Do all of the experiment; return the last ticket's weights `(parameters,)` and leave the cost in `spent`."""
        began = time.perf_counter()
        for replicate in range(self.setting.config.replicates):
            ticket = self._replicate(replicate)
        self.spent.rest_s = time.perf_counter() - began - self.spent.training_s
        return parameters_to_vector(ticket.parameters()).detach()

    def _replicate(self, replicate: int) -> nn.Sequential:
        ticket = self._trained(self.setting.initial(replicate), replicate, 0, [])
        masks = {arm: [torch.ones_like(weight) for weight in weights(ticket)] for arm in ("ticket", "random")}
        for number in range(1, self.setting.config.rounds + 1):
            masks = self._next_masks(masks, ticket)
            networks = {
                arm: self._trained(self._start(arm, replicate), replicate, number, masks[arm])
                for arm in self.setting.plan.arms
            }
            ticket = networks["ticket"]
        return ticket

    def _next_masks(self, last: Mapping[str, Masks], ticket: nn.Sequential) -> dict[str, Masks]:
        kept = plain_masks(self.setting.plan, last["ticket"], [weight.detach().abs() for weight in weights(ticket)])
        chance = [torch.rand(mask.shape, generator=self._draws) for mask in kept]
        orders = [torch.randperm(mask.numel(), generator=self._draws) for mask in kept]
        return {
            "ticket": kept,
            "reinit": kept,
            "shuffle": [mask.flatten()[order].view_as(mask) for mask, order in zip(kept, orders, strict=True)],
            "random": plain_masks(self.setting.plan, last["random"], chance),
        }

    def _start(self, arm: str, replicate: int) -> Tensor:
        if arm != "reinit":
            return self.setting.initial(replicate)
        seed = int(torch.randint(2**31, (1,), generator=self._draws))
        return drawn_row(self.setting.model, self.setting.recipe.dtype, seed)

    def _trained(self, row: Tensor, replicate: int, number: int, masks: Masks) -> nn.Sequential:
        network, steps = plain_network(self.setting.model, row), self.setting.recipe.steps
        with torch.no_grad():
            for weight, mask in zip(weights(network)[: len(masks)], masks, strict=True):
                weight.mul_(mask)
        seconds = plain_train(self.setting, network, self.setting.order(replicate, number), steps, masks)
        self._count(seconds, steps, pruned=number > 0)
        with torch.no_grad():
            network(self.setting.data.test.x).argmax(1)
        return network

    def _count(self, seconds: float, steps: int, pruned: bool) -> None:
        kind = "pruned" if pruned else "dense"
        setattr(self.spent, f"{kind}_s", getattr(self.spent, f"{kind}_s") + seconds)
        setattr(self.spent, f"{kind}_steps", getattr(self.spent, f"{kind}_steps") + steps)
        self.spent.networks += 1
