"""What `train`, `prune` and `widen` are to the one path that runs commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from escapedim.cli.beginnings import NOT_TAKEN_OF_MEMBERS, configured, last_round, lottery_of, origin_of_members
from escapedim.cli.execution import Command, Shares
from escapedim.errors import BadInput
from escapedim.models.network import Network
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.pruning.pruning_plan import expected_counts
from escapedim.pruning.round_work import ROUND
from escapedim.records.finished import FinishedRun
from escapedim.records.identity import run_id
from escapedim.rewinding.config import RewindConfig
from escapedim.rewinding.experiment import rewind_experiment
from escapedim.rewinding.retraining import ReplayWork, RewindWork
from escapedim.rewinding.source import PruneSource
from escapedim.tasks.base import Task
from escapedim.text import excerpt
from escapedim.training.config import NetworkConfig, TrainConfig, TrainingConfig
from escapedim.training.estimate import Estimate, estimate, together
from escapedim.training.experiment import REPLICATES, Experiment, stack_size, train_experiment
from escapedim.training.networks import network_of, network_of_width
from escapedim.training.points import rewind_step
from escapedim.training.work import Work
from escapedim.widening.config import EmbeddingConfig, WidenConfig, WidenFromConfig
from escapedim.widening.experiment import members_per_width, widen_experiment
from escapedim.widening.from_run import finished_members, widen_from_experiment
from escapedim.widening.member_keys import by_width
from escapedim.widening.stack import StackWork

C = TypeVar("C", bound=TrainingConfig)


def _more_replicates(config: TrainConfig, keys: Iterable[str]) -> TrainConfig:
    done = [stack[-1] + 1 for stack in REPLICATES.stacks(keys)]
    return config.model_copy(update={"replicates": max([config.replicates, *done])})


def _more_rounds(config: PruneConfig, keys: Iterable[str]) -> PruneConfig:
    begun = ROUND.among(keys)
    return config.model_copy(
        update={
            "replicates": max([config.replicates, *(numbers["replicate"] + 1 for numbers in begun)]),
            "rounds": max([config.rounds, *(numbers["round"] for numbers in begun)]),
        }
    )


def _train_estimate(config: TrainConfig, task: Task) -> Estimate:
    recipe = config.recipe(task)
    network = network_of(config, task)
    members = min(config.replicates, stack_size(network, recipe))
    found = estimate(config, task, network, members, config.replicates, config.replicates * recipe.steps)
    return replace(found, most=recipe.batch_size == recipe.samples)


def _prune_estimate(config: PruneConfig, task: Task) -> Estimate:
    model, recipe = network_of(config, task), config.recipe(task)
    plan = config.plan(model, recipe)
    later = plan.rounds * len(plan.arms)
    steps = recipe.steps + later * (recipe.steps - plan.rewind_step)
    networks = config.replicates * (1 + later)
    return estimate(config, task, model, len(plan.arms), networks, config.replicates * steps)


def _more_widths(config: WidenConfig, keys: Iterable[str]) -> WidenConfig:
    begun = by_width(keys)
    replicates = [stack[-1] + 1 for stacks in begun.values() for stack in stacks]
    return config.model_copy(
        update={
            "replicates": max([config.replicates, *replicates]),
            "widths": tuple(sorted({*config.widths, *begun})),
        }
    )


def _widen_estimate(config: WidenConfig, task: Task) -> Estimate:
    works = widen_experiment(config, task).works  # refuses what does not fit the task, before there is a folder
    recipe, networks = config.recipe(task), members_per_width(config)
    models = [network_of_width(config, task, width) for width in config.widths]
    counted = [
        estimate(config, task, model, min(networks, stack_size(model, recipe)), networks, networks * recipe.steps)
        for model in models
    ]
    further = [work for work in works if isinstance(work, StackWork)]
    most = bool(further) or recipe.batch_size == recipe.samples
    return replace(together([*counted, *_stack_estimates(config, task, further)]), most=most)


def _stack_estimates(config: EmbeddingConfig, task: Task, works: Sequence[StackWork]) -> list[Estimate]:
    """Estimates of stacks, those of one network together."""
    found = []
    for model in sorted({work.setting.model for work in works}, key=lambda model: model.units):
        own = [work for work in works if work.setting.model == model]
        members, steps = [work.most for work in own], sum(work.planned_steps for work in own)
        found.append(estimate(config, task, model, max(members), sum(members), steps))
    return found


def _no_plan(config: TrainingConfig, task: Task) -> list[Shares]:
    return []


def _planned_densities(config: PruneConfig, task: Task) -> list[Shares]:
    """Shares that each round leaves, by layer and over all; in global scope only what is known before training."""
    model = network_of(config, task)
    plan = config.plan(model, config.recipe(task))
    rounds = expected_counts(plan, model)
    totals = rounds[0]
    return [
        {name: count / totals[name] for name, count in counts.items()}
        | {"all": sum(counts.values()) / sum(totals.values())}
        for counts in rounds
    ]


def widen_from(run: FinishedRun) -> Command[WidenFromConfig]:
    """Return the command that widens failed members of a finished run."""
    origin = origin_of_members(run)

    def experiment(config: WidenFromConfig, task: Task, keys: Iterable[str]) -> Experiment:
        _check_same(run, origin, config, task)
        networks = _networks_of(origin, config, task)
        with run.taken_apart():
            return widen_from_experiment(config, task, finished_members(run, networks, origin.recipe(task).steps))

    def cost(config: WidenFromConfig, task: Task) -> Estimate:
        works = [work for work in experiment(config, task, ()).works if isinstance(work, StackWork)]
        return replace(together(_stack_estimates(config, task, works)), most=True)

    def extended(config: WidenFromConfig, keys: Iterable[str]) -> WidenFromConfig:
        return config

    return Command("widen", experiment, extended, cost, _no_plan)


def _networks_of(origin: TrainConfig | WidenConfig, config: WidenFromConfig, task: Task) -> list[Network]:
    """Return the networks that members come from: that of a train run, or those of the widths that are wanted."""
    if isinstance(origin, TrainConfig):
        return [network_of(origin, task)]
    return [network_of_width(config, task, width) for width in config.widths]


def rewind_from(run: FinishedRun) -> Command[RewindConfig]:
    """Return the command that trains a finished prune run's tickets anew."""
    origin, lottery, last = configured(run, PruneConfig), lottery_of(run), last_round(run)

    @cache
    def source(model: Network) -> PruneSource:
        return PruneSource.of(run, model, origin.dtype, last, len(lottery.rounds[-1].arms["ticket"].success))

    def experiment(config: RewindConfig, task: Task, keys: Iterable[str]) -> Experiment:
        _check_recipe(run, origin, config, task)
        step = rewind_step(origin.rewind_to, origin.recipe(task))
        with run.taken_apart():
            return rewind_experiment(config, task, source(network_of(config, task)), lottery, step)

    def cost(config: RewindConfig, task: Task) -> Estimate:
        return rewind_estimate(config, task, experiment(config, task, ()).works)

    return Command("rewind", experiment, lambda config, keys: config, cost, _no_plan)


def rewind_estimate(config: RewindConfig, task: Task, works: Iterable[Work]) -> Estimate:
    """Estimate a rewind run of these works."""
    trained = [work for work in works if isinstance(work, RewindWork | ReplayWork)]
    networks = [len(work.members) for work in trained if isinstance(work, RewindWork)]
    steps = sum(work.planned_steps for work in trained)
    return estimate(config, task, network_of(config, task), max(networks), sum(networks), steps)


def _check_recipe(run: FinishedRun, origin: PruneConfig, config: RewindConfig, task: Task) -> None:
    """Refuse other data, networks or recipes than those of the prune run."""
    if run_id(run.summary.kind, origin, task.identity) != run.summary.id:
        raise BadInput(
            f"task: the tickets of {run.path} were trained on {origin.task}, found {config.task} or other data; "
            "leave --task out, and give the data that they were trained on."
        )
    _check_source(run, config.source)
    if config.keep:
        raise BadInput(f"keep: rewind keeps the ends of its networks, found {','.join(config.keep)}; leave it out.")
    for key in NetworkConfig.model_fields:
        expected, found = getattr(origin, key), getattr(config, key)
        if key not in NOT_TAKEN_OF_MEMBERS and expected != found:
            raise BadInput(f"{key}: the tickets of {run.path} have {expected}, found {found}; leave it out.")


def _check_source(run: FinishedRun, found: str) -> None:
    """Refuse another name of the run than its own: identities of what starts from it would not tell two runs apart."""
    if found != run.name:
        raise BadInput(f"source: {run.path} is {run.name}, found {excerpt(found)}; leave it out.")


def _check_same(run: FinishedRun, origin: TrainConfig | WidenConfig, config: WidenFromConfig, task: Task) -> None:
    """Refuse another task or network than that of the members, and data that have changed since."""
    if run_id(run.summary.kind, origin, task.identity) != run.summary.id:
        raise BadInput(
            f"task: the members of {run.path} were trained on {origin.task}, found {config.task} or other data; "
            "leave --task out, and give the data that they were trained on."
        )
    _check_source(run, config.source)
    for key in ("model", "activation", "init", "hidden", "parametrization", "replicates"):
        expected, found = getattr(origin, key, None), getattr(config, key)
        if expected is not None and expected != found:
            raise BadInput(f"{key}: the members of {run.path} have {expected}, found {found}; leave it out.")
    unknown = sorted(set(config.widths) - set(getattr(origin, "widths", ())))
    if unknown:
        raise BadInput(f"widths: {run.path} has no members of width {unknown[0]}; leave it out.")


TRAIN = Command("train", train_experiment, _more_replicates, _train_estimate, _no_plan)
WIDEN = Command("widen", widen_experiment, _more_widths, _widen_estimate, _no_plan)
PRUNE = Command("lottery", prune_experiment, _more_rounds, _prune_estimate, _planned_densities)


def command_of(name: str, run: FinishedRun | None) -> Command[Any]:
    """Return a command by its name, with the finished run that it starts from, if there is one."""
    if run is None:
        commands: dict[str, Command[Any]] = {"train": TRAIN, "prune": PRUNE, "widen": WIDEN}
        return commands[name]
    return rewind_from(run) if name == "rewind" else widen_from(run)
