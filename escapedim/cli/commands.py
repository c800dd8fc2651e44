"""What `train`, `prune` and `widen` are to the one path that runs commands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from escapedim.cli.execution import Command, Shares
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.pruning.plan import expected_counts
from escapedim.tasks.base import Task
from escapedim.training.config import TrainConfig, TrainingConfig
from escapedim.training.estimate import Estimate, estimate, together
from escapedim.training.experiment import covered, make_model, make_network, stack_size, train_experiment
from escapedim.widening.config import WidenConfig
from escapedim.widening.experiment import covered as widths_covered
from escapedim.widening.experiment import members_per_width, widen_experiment


def _numbers(pattern: str, keys: Iterable[str]) -> list[int]:
    return [int(match[1]) for match in (re.search(pattern, key) for key in keys) if match]


def _more_replicates(config: TrainConfig, keys: Iterable[str]) -> TrainConfig:
    done = [stack[-1] + 1 for stack in covered(keys)]
    return config.model_copy(update={"replicates": max([config.replicates, *done])})


def _more_rounds(config: PruneConfig, keys: Iterable[str]) -> PruneConfig:
    keys = list(keys)
    replicates = [number + 1 for number in _numbers(r"replicate-(\d+)", keys)]
    rounds = _numbers(r"round-(\d+)", keys)
    return config.model_copy(
        update={
            "replicates": max([config.replicates, *replicates]),
            "rounds": max([config.rounds, *rounds]),
        }
    )


def _train_estimate(config: TrainConfig, task: Task) -> Estimate:
    recipe = config.recipe(task)
    members = min(config.replicates, stack_size(make_model(config, task), recipe))
    found = estimate(config, task, config.hidden, members, config.replicates, config.replicates * recipe.steps)
    return replace(found, most=recipe.batch_size == recipe.samples)


def _prune_estimate(config: PruneConfig, task: Task) -> Estimate:
    model, recipe = make_model(config, task), config.recipe(task)
    plan = config.plan(model, recipe)
    later = plan.rounds * len(plan.arms)
    steps = recipe.steps + later * (recipe.steps - plan.rewind_step)
    networks = config.replicates * (1 + later)
    return estimate(config, task, config.hidden, len(plan.arms), networks, config.replicates * steps)


def _more_widths(config: WidenConfig, keys: Iterable[str]) -> WidenConfig:
    begun = widths_covered(keys)
    replicates = [stack[-1] + 1 for stacks in begun.values() for stack in stacks]
    return config.model_copy(
        update={
            "replicates": max([config.replicates, *replicates]),
            "widths": tuple(sorted({*config.widths, *begun})),
        }
    )


def _widen_estimate(config: WidenConfig, task: Task) -> Estimate:
    widen_experiment(config, task)  # refuses what does not fit the task, before there is a folder
    recipe, networks = config.recipe(task), members_per_width(config)
    by_width = [
        estimate(
            config,
            task,
            (width,),
            min(networks, stack_size(make_network(config, task, (width,)), recipe)),
            networks,
            networks * recipe.steps,
        )
        for width in config.widths
    ]
    return replace(together(by_width), most=recipe.batch_size == recipe.samples)


def _no_plan(config: TrainingConfig, task: Task) -> list[Shares]:
    return []


def _planned_densities(config: PruneConfig, task: Task) -> list[Shares]:
    """Shares that each round leaves, by layer and over all; in global scope only what is known before training."""
    model = make_model(config, task)
    plan = config.plan(model, config.recipe(task))
    rounds = expected_counts(plan, {name: model.shapes[name] for name in model.prunable})
    totals = rounds[0]
    return [
        {name: count / totals[name] for name, count in counts.items()}
        | {"all": sum(counts.values()) / sum(totals.values())}
        for counts in rounds
    ]


TRAIN = Command("train", TrainConfig, train_experiment, _more_replicates, _train_estimate, _no_plan)
WIDEN = Command("widen", WidenConfig, widen_experiment, _more_widths, _widen_estimate, _no_plan)
PRUNE = Command("lottery", PruneConfig, prune_experiment, _more_rounds, _prune_estimate, _planned_densities)
