"""The experiment of `escapedim rewind`: which networks are trained anew, as one set of stacks.

A stack has the treatments of one round that go on from one step with one clock, of as many replicates as fit into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from escapedim.errors import BadInput
from escapedim.models.network import Network
from escapedim.records.results import LotteryResult
from escapedim.records.rewinding import RewindResult
from escapedim.rewinding.config import RewindConfig
from escapedim.rewinding.result import RewindMetrics, Work
from escapedim.rewinding.retraining import LinesWork, ReplayWork, RewindWork
from escapedim.rewinding.rewinding_plan import RewindingPlan, make_plan
from escapedim.rewinding.source import PruneSource
from escapedim.rewinding.treatments import PrunedRound, Treatment
from escapedim.tasks.base import Task
from escapedim.text import counted
from escapedim.training.experiment import Experiment, stack_size
from escapedim.training.networks import network_of
from escapedim.training.recipe import Recipe
from escapedim.training.work import Metrics


def rewind_experiment(
    config: RewindConfig, task: Task, source: PruneSource, lottery: LotteryResult, rewind_to: int
) -> Experiment:
    """Return the works of `escapedim rewind`: a replay of round 0 where points are missing, stacks, and lines.

    Raises
    ------
    BadInput
        As in `make_plan`; a round that the run has not, or a point that was not kept and may not be replayed.
    """
    model, recipe = network_of(config, task), config.recipe(task)
    plan, replays, stacks = planned(config, task, source, list(lottery.rounds[-1].arms))
    rounds: list[LinesWork] = []
    if config.instability:
        rounds = [LinesWork(model, replicate, source.ends(replicate)) for replicate in range(source.replicates)]
    networks = sum(len(work.trained) for work in stacks)
    steps = sum(work.planned_steps for work in replays) + sum(work.planned_steps for work in stacks)
    work = Work(task, recipe, plan, lottery, stacks, replays, rounds)

    def result(metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> RewindResult:
        return RewindMetrics(work, metrics).describe(source.kept, rewind_to, checkpoints)

    return Experiment("rewind", [*replays, *rounds, *stacks], steps, counted(networks, "network"), result)


def planned(
    config: RewindConfig, task: Task, source: PruneSource, arms: Sequence[str]
) -> tuple[RewindingPlan, list[ReplayWork], list[RewindWork]]:
    """Return what is trained, `arms` being those whose masks the prune run has; errors as in `rewind_experiment`."""
    model, recipe = network_of(config, task), config.recipe(task)
    _check_rounds(config, source)
    plan = make_plan(config, recipe, arms)
    replays = _replays(config, model, recipe, source, _missing(config, plan, source))
    return plan, replays, _stacks(config, model, recipe, source, plan, replays)


def _check_rounds(config: RewindConfig, source: PruneSource) -> None:
    late = [number for number in config.round if number > source.rounds]
    if late:
        raise BadInput(
            f"round {late[0]}: the prune run has rounds 1 to {source.rounds}; choose from these, or repeat prune with "
            f"--rounds {late[-1]}."
        )


def _missing(config: RewindConfig, plan: RewindingPlan, source: PruneSource) -> tuple[int, ...]:
    needed = {one.weights for one in plan.treatments if isinstance(one.weights, int)}
    needed |= {one.start for one in plan.treatments if one.rest in ("original", "frozen")}
    missing = tuple(sorted(step for step in needed if step not in source.kept))
    if missing and not config.replay:
        kept = ", ".join(f"{step:,}" for step in source.kept)
        raise BadInput(
            f"the prune run kept no weights at step {missing[0]:,}, but at {kept}; choose one of these, or give "
            "--replay to train round 0 again exactly."
        )
    return missing


def _replays(
    config: RewindConfig, model: Network, recipe: Recipe, source: PruneSource, missing: tuple[int, ...]
) -> list[ReplayWork]:
    if not missing:
        return []
    return [
        ReplayWork(model, recipe, config.seed, missing, tuple(source.left(1, replicate) for replicate in part))
        for part in _parts(source, stack_size(model, recipe))
    ]


def _stacks(
    config: RewindConfig,
    model: Network,
    recipe: Recipe,
    source: PruneSource,
    plan: RewindingPlan,
    replays: Sequence[ReplayWork],
) -> list[RewindWork]:
    by_clock: dict[tuple[int, bool], list[Treatment]] = {}
    for treatment in plan.treatments:
        by_clock.setdefault((treatment.start, treatment.at_last_rate), []).append(treatment)
    made = []
    for number in config.round:
        for (start, late), treatments in by_clock.items():
            pairs = () if late else tuple(plan.copies.get(start, {}).values())
            for part in _parts(source, stack_size(model, recipe) // len(treatments)):
                left = tuple(source.left(number, replicate) for replicate in part)
                own = PrunedRound(model, config.dtype, config.seed, number)
                again = {replicate: one.key for one in replays for replicate in one.replicates if replicate in part}
                made.append(RewindWork(own, recipe, left, tuple(treatments), pairs, again))
    return made


def _parts(source: PruneSource, size: int) -> Iterable[range]:
    """Cut the replicates into neighbours of at most `size`, at least one."""
    step = max(1, size)
    return [range(at, min(at + step, source.replicates)) for at in range(0, source.replicates, step)]
