"""An experiment: the works of a command and how their metrics become a result; `train` is the simplest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from escapedim.comparison.statistics import wilson
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.records.results import Result, TrainResult
from escapedim.records.summary import Kind
from escapedim.tasks.base import Task
from escapedim.text import counted
from escapedim.training.certification import endings, make_landing
from escapedim.training.config import TrainConfig
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.keys import Key
from escapedim.training.metrics import measure
from escapedim.training.networks import network_of
from escapedim.training.points import kept_steps
from escapedim.training.problems import problem_of
from escapedim.training.recipe import Recipe
from escapedim.training.stretch import train
from escapedim.training.work import Arrays, Context, Metrics, Outcome, Work


@dataclass(frozen=True)
class Experiment:
    """What a command runs. `label` is the work in words, `net_steps` its size in steps of one network."""

    kind: Kind
    works: Sequence[Work]
    net_steps: int
    label: str
    describe: Callable[[Mapping[str, Metrics], Mapping[str, str]], Result]


REPLICATES = Key("replicates-{first:06d}-{last:06d}")

CACHE_NUMBERS = 2**17  # parameters, or values of units, of a stack that stays in a cache of 2 MB; ours
STACK_LIMITS = (4, 256)
CUDA_NUMBERS = 2**24  # as many as keep all of a graphics card busy, and fit a small one with all their buffers; ours
CUDA_LIMITS = (64, 2**15)


def stack_size(model: Network, recipe: Recipe) -> int:
    """Return how many members are trained as one stack, whatever their number is.

    On the CPU they are as many as fit into the cache, on CUDA as many as keep it busy.
    """
    values = recipe.batch_size * model.values
    cuda = recipe.device == "cuda"
    numbers, (least, most) = (CUDA_NUMBERS, CUDA_LIMITS) if cuda else (CACHE_NUMBERS, STACK_LIMITS)
    return max(least, min(most, numbers // max(model.size, values)))


@dataclass(frozen=True)
class TrainWork:
    """A stack of replicates, from their initial weights to the end of the run."""

    model: Network
    recipe: Recipe
    keep: tuple[int, ...]
    seed: int
    replicates: tuple[int, ...]

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return REPLICATES.of(first=self.replicates[0], last=self.replicates[-1])

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the members; keep their weights `(members, *shape)` at the kept points."""
        rows = [initial_row(self.model, self.recipe.dtype, self.seed, replicate) for replicate in self.replicates]
        job = Job(
            model=self.model,
            problem=problem_of(context.task),
            recipe=self.recipe,
            params=torch.stack(rows).to(context.device),
            mask=None,
            order_seeds=[order_seed(self.model, self.seed, replicate, 0) for replicate in self.replicates],
            keep=self.keep,
            landing=make_landing(self.model, context.task, self.recipe),
            restart=context.task.restarts,
        )
        return train(job, context, paused, partial(self._ended, job, context))

    def _ended(self, job: Job, context: Context, state: State) -> Outcome:
        layout = Layout(self.model.shapes)
        arrays = {
            f"step{step}.{name}": view.numpy()
            for step, kept in state.kept.items()
            for name, view in layout.views(kept).items()
        }
        members = measure(job, context.task, context.data, state)
        members = [row | ending for row, ending in zip(members, endings(job, context.task, state), strict=True)]
        return Outcome(arrays, {"members": members, **job.cost(state)})


def stacks(wanted: range, begun: Sequence[tuple[int, ...]], size: int) -> list[tuple[int, ...]]:
    """Cut the replicates that are wanted and not in a stack yet into stacks of neighbours."""
    taken = {replicate for stack in begun for replicate in stack}
    made: list[tuple[int, ...]] = []
    for replicate in (number for number in wanted if number not in taken):
        if made and made[-1][-1] == replicate - 1 and len(made[-1]) < size:
            made[-1] = (*made[-1], replicate)
        else:
            made.append((replicate,))
    return made


def train_experiment(config: TrainConfig, task: Task, keys: Iterable[str] = ()) -> Experiment:
    """Return the works of `escapedim train`: those `keys` that an earlier start has begun, and stacks of the rest."""
    model, recipe = network_of(config, task), config.recipe(task)
    keep = kept_steps(config.keep, recipe)
    begun = REPLICATES.stacks(keys)
    rest = stacks(range(config.replicates), begun, stack_size(model, recipe))
    works = [TrainWork(model, recipe, keep, config.seed, replicates) for replicates in (*begun, *rest)]

    def describe(metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> TrainResult:
        members = {
            replicate: member
            for work in works
            if work.key in metrics
            for replicate, member in zip(work.replicates, metrics[work.key]["members"], strict=True)
        }
        return describe_members(model, task, keep, members, checkpoints)

    return Experiment("train", works, config.replicates * recipe.steps, counted(config.replicates, "network"), describe)


def describe_members(
    model: Network, task: Task, keep: Sequence[int], done: Mapping[int, Metrics], checkpoints: Mapping[str, str]
) -> TrainResult:
    """Return the result of a train run from the metrics of finished replicates."""
    members = [done[replicate] for replicate in sorted(done)]
    successes = sum(member["success"] for member in members)
    lists = {name: [member[name] for member in members] for name in task.measured}
    return TrainResult(
        success_criterion=str(task.criterion),
        parameters=model.size,
        members=len(members),
        successes=successes,
        success_rate=successes / len(members) if members else None,
        success_interval=wilson(successes, len(members)),
        endings=dict(Counter(member["ending"] for member in members)),
        replicates=sorted(done),
        success=[member["success"] for member in members],
        kept_steps=list(keep),
        **{name: [member[name] for member in members] for name in ENDING_COLUMNS},
        checkpoints=dict(checkpoints),
        **lists,
    )


ENDING_COLUMNS = (
    "ending",
    "reason",
    "marginal",
    "smallest_eigenvalue",
    "negative_directions",
    "moved",
    "steps",
)
