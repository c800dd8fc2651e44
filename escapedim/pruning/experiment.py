"""The experiment of `escapedim prune`: its works, and the lottery result that their metrics add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.errors import BadInput
from escapedim.models.network import Network
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.criteria import criterion
from escapedim.pruning.round_work import RoundWork
from escapedim.pruning.verdict import judge
from escapedim.records.columns import Arm
from escapedim.records.results import Invariants, Layer, LotteryResult, Round
from escapedim.tasks.base import Task
from escapedim.text import counted
from escapedim.training.experiment import Experiment
from escapedim.training.networks import network_of
from escapedim.training.points import kept_steps
from escapedim.training.work import Metrics


def prune_experiment(config: PruneConfig, task: Task, keys: Iterable[str] = ()) -> Experiment:
    """Return the works of `escapedim prune`, one a round and replicate, earlier rounds first, whatever is done.

    Raises
    ------
    BadInput
        The criterion refuses the task or the network, or the network has no units to prune.
    """
    model, recipe = network_of(config, task), config.recipe(task)
    if refusal := criterion(config.criterion).refusal(task, model):
        raise BadInput(refusal)
    if config.granularity == "unit" and not model.groups:
        raise BadInput(f"{model.name}: expected a network that says what its units are, found none; prune weights.")
    plan = config.plan(model, recipe)
    keep = kept_steps((*config.keep, config.rewind_to), recipe)
    works = [
        RoundWork(plan, model, recipe, keep, config.seed, replicate, number)
        for number in range(plan.rounds + 1)
        for replicate in range(config.replicates)
    ]
    per_replicate = recipe.steps + plan.rounds * len(plan.arms) * (recipe.steps - plan.rewind_step)
    networks = config.replicates * len(plan.arms)
    return Experiment(
        kind="lottery",
        works=works,
        net_steps=config.replicates * per_replicate,
        label=f"{counted(networks, 'network')} × {counted(plan.rounds, 'round')}",
        describe=_Describe(model, task, works, config.tolerance),
    )


@dataclass(frozen=True)
class _Describe:
    model: Network
    task: Task
    works: Sequence[RoundWork]
    tolerance: float

    def __call__(self, metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> LotteryResult:
        by_round: dict[int, dict[int, Metrics]] = {}
        for work in self.works:
            if work.key in metrics:
                by_round.setdefault(work.round, {})[work.replicate] = metrics[work.key]
        rounds = [self._round(number, done) for number, done in sorted(by_round.items())]
        judged, verdict = judge(rounds, self.tolerance)
        return LotteryResult(
            rounds=judged,
            verdict=verdict,
            success_criterion=str(self.task.criterion),
            optimizer_state="reset",
            checkpoints=dict(checkpoints),
        )

    def _round(self, number: int, done: Mapping[int, Metrics]) -> Round:
        members = [done[replicate] for replicate in sorted(done)]
        counts = [sum(member["surviving"].values()) for member in members]
        layers = [self._layer(name, members) for name in self.model.prunable]
        total = sum(layer.total for layer in layers)
        return Round(
            round=number,
            replicates=sorted(done),
            density=float(np.mean(counts)) / total,
            surviving=_mean(counts),
            surviving_by_replicate=counts if len(set(counts)) > 1 else None,
            total=total,
            layers=layers,
            # In the order of the plan: metrics are sorted by name.
            arms={
                name: self._arm([member["arms"][name] for member in members])
                for name in ("dense", *self.works[0].plan.arms)
                if name in members[0]["arms"]
            },
            invariants=Invariants(
                **{name: all(member["invariants"][name] for member in members) for name in members[0]["invariants"]}
            ),
        )

    def _layer(self, name: str, members: Sequence[Metrics]) -> Layer:
        return Layer(
            name=name,
            surviving=_mean([member["surviving"][name] for member in members]),
            total=int(np.prod(self.model.shapes[name])),
            units_alive=_mean([member["units_alive"][name] for member in members]),
        )

    def _arm(self, members: Sequence[Metrics]) -> Arm:
        lists = {name: [member[name] for member in members] for name in self.task.measured}
        return Arm(success=[member["success"] for member in members], **lists)


def _mean(counts: Sequence[int]) -> int | float:
    """Mean of whole numbers, whole itself where all agree."""
    return counts[0] if len(set(counts)) == 1 else float(np.mean(counts))
