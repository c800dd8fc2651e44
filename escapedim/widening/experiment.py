"""The experiment of `escapedim widen`: stacks of members at every width, narrow ones first, and what starts from them.

Every further experiment is a plan: its stacks, and how their metrics become entries of the summary. Plans that start
from counted members choose among those of all stacks of a width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Protocol

from escapedim.errors import BadInput
from escapedim.models.network import Network
from escapedim.records.experiments import Restarts
from escapedim.records.results import WidenResult, Width
from escapedim.specs import parse_spec
from escapedim.tasks.base import Criterion, Task
from escapedim.tasks.criteria import parse_criterion
from escapedim.training.experiment import Experiment, stack_size, stacks
from escapedim.training.networks import network_of_width
from escapedim.training.problems import problem_of
from escapedim.training.work import Metrics
from escapedim.widening.choice import Counted
from escapedim.widening.complement import ComplementPlan, complement_plan
from escapedim.widening.config import EmbeddingConfig, WidenConfig
from escapedim.widening.counted_members import PILOT_MEMBERS, RATE_FACTORS, PilotWork, WidthWork
from escapedim.widening.embeddings import check
from escapedim.widening.escape import Embedding, EscapePlan, escape_plan
from escapedim.widening.findings import Member, WidenMetrics, members_of
from escapedim.widening.halving import HalvingPlan, halving_plan
from escapedim.widening.isolation import IsolationPlan, isolation_plan
from escapedim.widening.member_keys import by_width
from escapedim.widening.parametrization import scales
from escapedim.widening.portrait import PortraitWork, described, portrait_work
from escapedim.widening.restarts import describe_restarts
from escapedim.widening.result import describe_width
from escapedim.widening.stack import Setting, StackWork
from escapedim.widening.transient import TransientPlan, transient_plan

Work = PilotWork | WidthWork | StackWork | PortraitWork


def widen_experiment(config: WidenConfig, task: Task, keys: Iterable[str] = ()) -> Experiment:
    """Return the works of `escapedim widen`: those `keys` that an earlier start has begun, and stacks of the rest."""
    keys = list(keys)
    study = _Study.of(config, task, keys)
    plans = _Plans.of(config, task, study, keys)
    counted_works = [work for works in study.counted.values() for work in works]
    works: list[Work] = [*study.pilots, *counted_works, *plans.works, *plans.portraits]
    networks = f"{config.replicates:,} networks × {len(config.widths)} widths"
    more = " and experiments" if plans.works else ""
    counted = len(config.widths) * members_per_width(config) * config.recipe(task).steps
    net_steps = (
        counted + sum(work.planned_steps for work in plans.works) + sum(work.planned_steps for work in plans.portraits)
    )
    return Experiment("widen", works, net_steps, networks + more, _Describe(study, plans, task))


def members_per_width(config: WidenConfig) -> int:
    """Return how many networks are trained at each width, pilots included."""
    return config.replicates + (len(RATE_FACTORS) * PILOT_MEMBERS if config.lr_per_width else 0)


def success_criterion(config: EmbeddingConfig, task: Task) -> Criterion:
    """Return the criterion that was asked for, or the task's; errors as in `parse_criterion`."""
    if config.success is None:
        return task.criterion
    without = () if task.stream is None else ("train_loss",)  # which is there, but null
    return parse_criterion(config.success, [name for name in task.measured if name not in without])


def setting(
    config: EmbeddingConfig, task: Task, model: Network, parametrization: str = "standard", lazy: bool = False
) -> Setting:
    """Return how members of a network are trained and judged.

    Raises
    ------
    BadInput
        A parametrization or frozen weights where the outgoing weights are fixed.
    """
    recipe = config.recipe(task)
    if lazy or parametrization != "standard":
        _check_parametrized(model, task)
    scaled = scales(model, recipe.optimizer, parse_spec(parametrization), lazy)
    return Setting(model, recipe, scaled, success_criterion(config, task), config.seed)


def _check_parametrized(model: Network, task: Task) -> None:
    if model.output_layer is None:
        raise BadInput(
            f"{task.name}: the outgoing weights are fixed, so that --parametrization and --lazy have no meaning; "
            "leave them out."
        )
    if model.fully_connected is None or len(model.groups) != 1:
        raise BadInput(
            f"{model.name}: --parametrization and --lazy are about one hidden layer of a fully connected net; leave "
            "them out."
        )


def embedding(config: EmbeddingConfig, task: Task, source: Setting) -> tuple[Embedding, Network]:
    """Return how members are widened, and the network that they become.

    Raises
    ------
    BadInput
        The embedding does not fit the network, or there is no such layer.
    """
    made = Embedding(parse_spec(config.embedding), config.layer, config.by, parse_spec(config.perturbation))
    wide = made.grown(source.model, partial(network_of_width, config, task))
    check(source.model, wide, made.spec)
    return made, wide


@dataclass(frozen=True)
class _Study:
    """The widths of a run: how each is trained, its pilots, and the stacks of its counted members."""

    config: WidenConfig
    task: Task
    settings: Mapping[int, Setting]
    pilots: tuple[PilotWork, ...]
    counted: Mapping[int, tuple[WidthWork, ...]]

    @classmethod
    def of(cls, config: WidenConfig, task: Task, keys: Sequence[str]) -> _Study:
        settings = {
            width: setting(config, task, network_of_width(config, task, width), config.parametrization, config.lazy)
            for width in config.widths
        }
        begun, pilots = by_width(keys), []
        counted: dict[int, tuple[WidthWork, ...]] = {}
        for width, own in settings.items():
            if config.lr_per_width:
                pilots += [PilotWork(own, factor) for factor in RATE_FACTORS]
            done = begun.get(width, [])
            rest = stacks(range(config.replicates), done, stack_size(own.model, own.recipe))
            counted[width] = tuple(WidthWork(own, numbers, config.lr_per_width) for numbers in sorted((*done, *rest)))
        return cls(config, task, settings, tuple(pilots), counted)

    def at(self, width: int) -> Setting:
        """Return how networks of a width are trained, whether or not it is among the run's."""
        if width in self.settings:
            return self.settings[width]
        return self.of_network(network_of_width(self.config, self.task, width))

    def of_network(self, model: Network) -> Setting:
        """Return how a network is trained."""
        return setting(self.config, self.task, model, self.config.parametrization, self.config.lazy)

    def pool(self, width: int, most: int, success: bool) -> Counted:
        return Counted(self.counted[width], most, success)

    def members(self, metrics: Mapping[str, Metrics], width: int) -> Mapping[int, Member]:
        """Return the counted members of a width by replicate; none before all are trained."""
        works = self.counted[width]
        if any(work.key not in metrics for work in works):
            return {}
        rows = (row for work in works for row in members_of(metrics[work.key]["columns"]))
        return dict(zip((replicate for work in works for replicate in work.replicates), rows, strict=True))


class SideExperiment(Protocol):
    """An experiment beside width scaling."""

    @property
    def works(self) -> tuple[StackWork, ...]:
        """Its stacks."""


@dataclass(frozen=True)
class _Plans:
    """What is measured beside success by width."""

    isolation: tuple[IsolationPlan, ...]
    complement: tuple[ComplementPlan, ...]
    escape: tuple[EscapePlan, ...]
    transient: tuple[TransientPlan, ...]
    halving: tuple[HalvingPlan, ...]

    @property
    def works(self) -> tuple[StackWork, ...]:
        plans: tuple[SideExperiment, ...]
        plans = (*self.isolation, *self.complement, *self.escape, *self.transient, *self.halving)
        return tuple(work for plan in plans for work in plan.works)

    @property
    def portraits(self) -> tuple[PortraitWork, ...]:
        return tuple(work for plan in self.escape for work in portrait_work(plan))

    @classmethod
    def of(cls, config: WidenConfig, task: Task, study: _Study, keys: Sequence[str]) -> _Plans:
        replicates = range(max(config.replicates, 0))
        return cls(
            isolation=tuple(
                isolation_plan(
                    study.at(width),
                    [study.at(units) for units in config.isolate if units < width],
                    replicates,
                    config.subsets,
                    keys,
                )
                for width in (config.wide(min(config.isolate)) if config.isolate else ())
            ),
            complement=tuple(
                complement_plan(
                    study.at(config.complement),
                    study.at(width),
                    config.draws,
                    study.pool(config.complement, config.tickets, success=True),
                    study.pool(config.complement, config.tickets, success=False),
                )
                for width in (config.wide(config.complement) if config.complement else ())
                if config.complement
            ),
            escape=tuple(_escape(config, study, width) for width in (config.widths if config.escape else ())),
            transient=tuple(
                _transient(config, study, width, steps)
                for width in config.widths
                if (steps := config.transient_steps(config.recipe(task))) is not None
            ),
            halving=tuple(
                halving_plan(own, replicates, keys) for own in study.settings.values() if config.step_halving
            ),
        )


def _escape(config: WidenConfig, study: _Study, width: int) -> EscapePlan:
    narrow, pool = study.at(width), study.pool(width, config.sources, success=False)
    how, model = embedding(config, study.task, narrow)
    wide, counted = study.of_network(model), study.settings.get(model.width)
    return escape_plan(narrow, wide, how, pool, fresh=counted is None or counted.model != model)


def _transient(config: WidenConfig, study: _Study, width: int, steps: int) -> TransientPlan:
    narrow, pool = study.at(width), study.pool(width, config.sources, success=False)
    how, model = embedding(config, study.task, narrow)
    return transient_plan(narrow, study.of_network(model), how, pool, steps)


@dataclass(frozen=True)
class _Describe:
    study: _Study
    plans: _Plans
    task: Task

    def __call__(self, metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> WidenResult:
        task = replace(self.task, criterion=success_criterion(self.study.config, self.task))
        found = WidenMetrics(task, metrics, lru_cache(partial(self.study.members, metrics)))
        widths = self._widths(found)
        return WidenResult(
            success_criterion=str(task.criterion),
            widths=widths,
            isolation=[entry for plan in self.plans.isolation for entry in plan.describe(found)],
            complement=[entry for plan in self.plans.complement for entry in plan.describe(found)],
            escape=[entry for plan in self.plans.escape for entry in described(plan, found)],
            transient=[entry for plan in self.plans.transient for entry in plan.describe(found)],
            restarts=self._restarts(found, widths),
            step_halving=[entry for plan in self.plans.halving for entry in plan.describe(found)],
            checkpoints=dict(checkpoints),
        )

    def _widths(self, found: WidenMetrics) -> list[Width]:
        """Return entries of the widths that have a finished stack."""
        made = []
        for width, own in self.study.settings.items():
            stacks = _finished(self.study.counted[width], found.metrics)
            if stacks:
                pilots = [pilot for pilot in self.study.pilots if pilot.setting is own]
                made.append(describe_width(own, found.task, stacks, _finished(pilots, found.metrics)))
        return made

    def _restarts(self, found: WidenMetrics, widths: Sequence[Width]) -> list[Restarts]:
        narrow, recipe = self.study.config.restarts, self.study.config.recipe(self.task)
        if narrow is None:
            return []
        stacks = {width: _finished(works, found.metrics) for width, works in self.study.counted.items()}
        steps = {entry.width: sum(own["net_steps"] for own in stacks[entry.width]) / entry.members for entry in widths}
        problem = problem_of(self.task)

        def multiply_adds(width: int) -> float:
            return problem.multiply_adds(self.study.at(width).model, recipe.batch_size)

        return describe_restarts(narrow, widths, steps, multiply_adds)


def _finished(works: Iterable[Work], metrics: Mapping[str, Metrics]) -> list[Metrics]:
    return [metrics[work.key] for work in works if work.key in metrics]
