"""An experiment: the units of work of a command and how their metrics become a result; `train` is the simplest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from escapedim.comparison.statistics import wilson
from escapedim.models.mlp import MLP
from escapedim.records.summary import Kind, Result, TrainResult
from escapedim.tasks.base import Task
from escapedim.training.config import TrainConfig, TrainingConfig
from escapedim.training.descent import Job, State, descend
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.layout import Layout
from escapedim.training.metrics import measure
from escapedim.training.points import kept_steps
from escapedim.training.recipe import Recipe
from escapedim.training.units import Arrays, Context, Metrics, Outcome, Unit


@dataclass(frozen=True)
class Experiment:
    """What a command runs. `label` is the work in words, `net_steps` its size in steps of one network."""

    kind: Kind
    units: Sequence[Unit]
    net_steps: int
    label: str
    describe: Callable[[Mapping[str, Metrics], Mapping[str, str]], Result]


def make_model(config: TrainingConfig, task: Task) -> MLP:
    """Return the network that a configuration asks for on a task."""
    return MLP((task.inputs, *config.hidden, task.outputs), config.activation, config.init)


@dataclass(frozen=True)
class TrainUnit:
    """One replicate, from its initial weights to the end of the run."""

    model: MLP
    recipe: Recipe
    keep: tuple[int, ...]
    seed: int
    replicate: int

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return f"replicate-{self.replicate:06d}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train one member and keep its weights at the kept points."""
        job = Job(
            model=self.model,
            loss=context.task.loss,
            recipe=self.recipe,
            params=initial_row(self.model, self.recipe.dtype, self.seed, self.replicate)[None].to(context.device),
            mask=None,
            order_seeds=[order_seed(self.model, self.seed, self.replicate, 0)],
            keep=self.keep,
        )
        state = State.from_arrays(paused, context.device) if paused else job.begin()
        state = descend(job, context.data, state, lambda: context.tick(1))
        if state.step < self.recipe.steps:
            return Outcome(state.arrays(), None)
        layout = Layout(self.model.shapes)
        rows = {f"step{step}": kept[0].numpy() for step, kept in state.kept.items()}
        arrays = {f"{point}.{name}": value for point, row in rows.items() for name, value in layout.split(row).items()}
        (metrics,) = measure(job, context.task, context.data, state)
        return Outcome(arrays, {**metrics, "net_steps": self.recipe.steps})


def train_experiment(config: TrainConfig, task: Task) -> Experiment:
    """Return the units of `escapedim train`, one a replicate."""
    model, recipe = make_model(config, task), config.recipe(task)
    keep = kept_steps(config.keep, recipe)
    units = [TrainUnit(model, recipe, keep, config.seed, replicate) for replicate in range(config.replicates)]

    def describe(metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> TrainResult:
        done = {unit.replicate: metrics[unit.key] for unit in units if unit.key in metrics}
        return describe_members(model, task, keep, done, checkpoints)

    return Experiment("train", units, len(units) * recipe.steps, f"{len(units)} networks", describe)


def describe_members(
    model: MLP, task: Task, keep: Sequence[int], done: Mapping[int, Metrics], checkpoints: Mapping[str, str]
) -> TrainResult:
    """Return the result of a train run from the metrics of finished replicates."""
    members = [done[replicate] for replicate in sorted(done)]
    successes = sum(member["success"] for member in members)
    lists = {name: [member[name] for member in members] for name in columns(task)}
    return TrainResult(
        success_criterion=str(task.criterion),
        parameters=Layout(model.shapes).size,
        members=len(members),
        successes=successes,
        success_rate=successes / len(members) if members else None,
        success_interval=wilson(successes, len(members)),
        endings=dict(Counter(member["ending"] for member in members)),
        replicates=sorted(done),
        success=[member["success"] for member in members],
        ending=[member["ending"] for member in members],
        kept_steps=list(keep),
        checkpoints=dict(checkpoints),
        **lists,
    )


def columns(task: Task) -> tuple[str, ...]:
    """Names of the measured quantities that a task has."""
    losses = ("train_loss", "test_loss")
    accuracies = ("train_accuracy", "test_accuracy", "test_accuracy_at_best_validation")
    return (*losses, *accuracies) if task.has_accuracy else losses
