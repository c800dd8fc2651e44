"""What `train` and `prune` are to the one path that runs commands."""

from __future__ import annotations

import re
from collections.abc import Iterable

from escapedim.cli.execution import Command
from escapedim.models.mlp import MLP
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.pruning.plan import counted, expected_counts
from escapedim.tasks.base import Task
from escapedim.training.config import TrainConfig
from escapedim.training.estimate import Estimate, estimate, parameter_count
from escapedim.training.experiment import covered, make_model, stack_size, train_experiment


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
    members = min(config.replicates, stack_size(parameter_count(config, task)))
    net_steps = config.replicates * config.recipe(task).steps
    return estimate(config, task, members, config.replicates, net_steps)


def _prune_estimate(config: PruneConfig, task: Task) -> Estimate:
    model, recipe = make_model(config, task), config.recipe(task)
    plan = config.plan(model, recipe)
    later = plan.rounds * len(plan.arms)
    steps = recipe.steps + later * (recipe.steps - plan.rewind_step)
    networks = config.replicates * (1 + later)
    return estimate(config, task, len(plan.arms), networks, config.replicates * steps)


def _no_plan(config: TrainConfig, task: Task) -> list[str]:
    return []


def _density_lines(config: PruneConfig, task: Task) -> list[str]:
    """Planned densities by round and layer; in global scope and for units only what is known before training."""
    model: MLP = make_model(config, task)
    plan = config.plan(model, config.recipe(task))
    shapes = {name: model.shapes[name] for name in model.prunable}
    rounds = expected_counts(plan, shapes)
    totals = rounds[0]
    what = "density" if plan.granularity == "weight" else "share of living units"
    sizes = ", ".join(f"{name} {count:,}" for name, count in counted(plan, shapes).items())
    lines = [f"Planned {what} by round, in % ({plan.granularity}s at round 0: {sizes}):"]
    lines.append("round  " + "".join(f"{name:>15}" for name in totals) + f"{'all':>9}" * (len(totals) > 1))
    for number, counts in enumerate(rounds):
        shares = "".join(f"{100 * count / totals[name]:15.2f}" for name, count in counts.items())
        overall = f"{100 * sum(counts.values()) / sum(totals.values()):9.2f}" * (len(totals) > 1)
        lines.append(f"{number:5d}  {shares}{overall}")
    return lines


TRAIN = Command("train", TrainConfig, train_experiment, _more_replicates, _train_estimate, _no_plan)
PRUNE = Command("lottery", PruneConfig, prune_experiment, _more_rounds, _prune_estimate, _density_lines)
