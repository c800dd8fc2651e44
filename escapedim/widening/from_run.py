"""`escapedim widen --from`: failed members of a finished train or widen run, widened and trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from escapedim.errors import BadInput
from escapedim.landscape.vocabulary import Ending
from escapedim.models.network import Network
from escapedim.records.finished import FinishedRun
from escapedim.records.results import WidenResult
from escapedim.tasks.base import Criterion, Task
from escapedim.text import counted
from escapedim.training.experiment import REPLICATES, Experiment
from escapedim.training.keys import Key, Numbers, members
from escapedim.training.work import Arrays, Metrics
from escapedim.widening.choice import FromAnotherRun, Handed
from escapedim.widening.config import WidenFromConfig
from escapedim.widening.escape import EscapePlan, escape_plan
from escapedim.widening.experiment import embedding, setting, success_criterion
from escapedim.widening.findings import Member, WidenMetrics, members_of
from escapedim.widening.member_keys import MEMBERS
from escapedim.widening.portrait import described, portrait_work
from escapedim.widening.stack import Setting
from escapedim.widening.transient import TransientPlan, transient_plan


@dataclass(frozen=True)
class Finished:
    """Members of one network of a finished run: final weights `(members, parameters)`, and what was measured."""

    replicates: list[int]
    rows: np.ndarray
    measured: list[Member]

    def judged(self, criterion: Criterion) -> Finished:
        """Return the members with their success by this criterion."""
        return replace(self, measured=[{**one, "success": _met(criterion, one)} for one in self.measured])

    def failed(self, most: int, loss_name: str) -> FromAnotherRun:
        """Return the first members that failed and did not diverge."""
        fits = [not one["success"] and one["ending"] != Ending.DIVERGED.value for one in self.measured]
        chosen = np.flatnonzero(fits)[:most]
        return FromAnotherRun(
            tuple(self.replicates[n] for n in chosen),
            self.rows[chosen],
            tuple(Ending(self.measured[n]["ending"]) for n in chosen),
            tuple(_float(self.measured[n][loss_name]) for n in chosen),
        )


def _met(criterion: Criterion, measured: Member) -> bool:
    return criterion.met({criterion.metric: _float(measured[criterion.metric])})


def _float(value: float | None) -> float:
    return math.nan if value is None else value


Stored = tuple[Arrays, Metrics]
Networks = Mapping[Network, Finished]


def finished_members(run: FinishedRun, networks: Sequence[Network], steps: int) -> Networks:
    """Return the members of a finished run by network.

    Raises
    ------
    BadInput
        A checkpoint is missing, damaged, or not of these networks.
    """
    stored = run.checkpoints()
    if run.summary.kind == "train":
        (model,) = networks
        parts = [(numbers, arrays, own["members"]) for numbers, (arrays, own) in _read(REPLICATES, stored)]
        return {model: _joined(run, model, parts, f"step{steps}.")}
    found = {}
    for model in networks:
        of_width = [entry for entry in _read(MEMBERS, stored) if entry[0]["width"] == model.width]
        parts = [(numbers, arrays, members_of(own["columns"])) for numbers, (arrays, own) in of_width]
        found[model] = _joined(run, model, parts, "")
    return found


def _read(template: Key, stored: Mapping[str, Stored]) -> list[tuple[Numbers, Stored]]:
    """Return the stacks of one template, in the order of their keys, each with the numbers of its key."""
    found = ((template.read(key), entry) for key, entry in stored.items())
    return [(numbers, entry) for numbers, entry in found if numbers is not None]


def _joined(
    run: FinishedRun, model: Network, parts: Sequence[tuple[Numbers, Arrays, Sequence[Member]]], prefix: str
) -> Finished:
    rows = [np.zeros((0, model.size))]
    for _, arrays, measured in parts:
        for name, shape in model.shapes.items():
            array = arrays.get(prefix + name)
            if array is None or array.shape != (len(measured), *shape):
                found = "nothing" if array is None else f"shape {array.shape}"
                raise BadInput(
                    f"{run.path}: expected members of {model.name}, {name} {(len(measured), *shape)}, found {found}; "
                    "repeat the command that wrote it with --force."
                )
        rows.append(
            np.concatenate([arrays[prefix + name].reshape(len(measured), -1) for name in model.shapes], 1).astype(float)
        )
    return Finished(
        [n for numbers, _, _ in parts for n in members(numbers)],
        np.concatenate(rows),
        [dict(one) for _, _, measured in parts for one in measured],
    )


def widen_from_experiment(config: WidenFromConfig, task: Task, networks: Networks) -> Experiment:
    """Return the stacks that start from the failed members of each network."""
    criterion = success_criterion(config, task)
    judged = replace(task, criterion=criterion)
    plans = [_plans(config, judged, model, found.judged(criterion)) for model, found in networks.items()]
    works = [work for plan in plans for work in plan.works]
    sources = sum(plan.sources for plan in plans)
    return Experiment(
        "widen",
        works,
        sum(work.planned_steps for work in works),
        f"{counted(sources, 'failed network')}, widened",
        _Describe(tuple(plans), judged),
    )


@dataclass(frozen=True)
class _Plans:
    narrow: Setting
    finished: Finished
    sources: int
    escape: EscapePlan
    transient: TransientPlan | None

    @property
    def works(self) -> Iterable[Any]:
        further = self.transient.works if self.transient else ()
        return (*self.escape.works, *further, *portrait_work(self.escape))

    def members(self, width: int) -> Mapping[int, Member]:
        """Return all members of the finished run: fresh draws of the narrow network."""
        return dict(zip(self.finished.replicates, self.finished.measured, strict=True))


def _plans(config: WidenFromConfig, task: Task, model: Network, finished: Finished) -> _Plans:
    if not model.groups:
        raise BadInput(f"{model.name}: expected a network that says what its units are, found none; it has no width.")
    narrow = setting(config, task, model, config.parametrization)
    how, wide_model = embedding(config, task, narrow)
    wide = setting(config, task, wide_model, config.parametrization)
    pool = Handed(finished.failed(config.sources, "train_loss" if task.stream is None else "test_loss"))
    steps = config.transient_steps(narrow.recipe)
    return _Plans(
        narrow,
        finished,
        pool.most,
        escape_plan(narrow, wide, how, pool, fresh=True),
        None if steps is None else transient_plan(narrow, wide, how, pool, steps),
    )


@dataclass(frozen=True)
class _Describe:
    plans: tuple[_Plans, ...]
    task: Task

    def __call__(self, metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> WidenResult:
        found = [(plan, WidenMetrics(self.task, metrics, plan.members)) for plan in self.plans]
        return WidenResult(
            success_criterion=str(self.task.criterion),
            widths=[],
            escape=[entry for plan, own in found for entry in described(plan.escape, own)],
            transient=[entry for plan, own in found if plan.transient for entry in plan.transient.describe(own)],
            checkpoints=dict(checkpoints),
        )
