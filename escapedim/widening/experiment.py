"""The experiment of `escapedim widen`: stacks of members at every width, narrow ones first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from escapedim.errors import BadInput
from escapedim.records.results import WidenResult
from escapedim.specs import parse_spec
from escapedim.tasks.base import Criterion, Task
from escapedim.tasks.criteria import parse_criterion
from escapedim.training.experiment import Experiment, columns, make_network, stack_size, stacks
from escapedim.training.recipe import Recipe
from escapedim.training.units import Metrics
from escapedim.widening.config import WidenConfig
from escapedim.widening.parametrization import scales
from escapedim.widening.result import describe_width
from escapedim.widening.stack import Setting
from escapedim.widening.unit import PILOT_MEMBERS, RATE_FACTORS, PilotUnit, WidthUnit

_KEY = re.compile(r"width-(\d+)-members-(\d+)-(\d+)")


def widen_experiment(config: WidenConfig, task: Task, keys: Iterable[str] = ()) -> Experiment:
    """Return the units of `escapedim widen`: those `keys` that an earlier start has begun, and stacks of the rest."""
    recipe, criterion = config.recipe(task), success_criterion(config, task)
    settings = [_setting(config, task, recipe, criterion, width) for width in config.widths]
    begun = covered(keys)
    units: list[PilotUnit | WidthUnit] = []
    for setting in settings:
        if config.lr_per_width:
            units += [PilotUnit(setting, factor) for factor in RATE_FACTORS]
        done = begun.get(setting.width, [])
        rest = stacks(range(config.replicates), done, stack_size(setting.model, recipe))
        units += [WidthUnit(setting, replicates, config.lr_per_width) for replicates in sorted((*done, *rest))]
    net_steps = len(config.widths) * members_per_width(config) * recipe.steps
    networks = f"{config.replicates:,} networks × {len(config.widths)} widths"
    describe = _Describe(tuple(settings), tuple(units), task)
    return Experiment("widen", units, net_steps, networks, describe)


def members_per_width(config: WidenConfig) -> int:
    """Return how many networks are trained at each width, pilots included."""
    return config.replicates + (len(RATE_FACTORS) * PILOT_MEMBERS if config.lr_per_width else 0)


def success_criterion(config: WidenConfig, task: Task) -> Criterion:
    """Return the criterion that was asked for, or the task's; errors as in `parse_criterion`."""
    if config.success is None:
        return task.criterion
    without = () if task.stream is None else ("train_loss",)  # which is there, but null
    return parse_criterion(config.success, [name for name in columns(task) if name not in without])


def covered(keys: Iterable[str]) -> dict[int, list[tuple[int, ...]]]:
    """Return by width the replicates of each unit of a widen run, in order; pilots are left out."""
    found: dict[int, list[tuple[int, ...]]] = {}
    for match in filter(None, map(_KEY.fullmatch, sorted(keys))):
        width, first, last = (int(text) for text in match.groups())
        found.setdefault(width, []).append(tuple(range(first, last + 1)))
    return found


def _setting(config: WidenConfig, task: Task, recipe: Recipe, criterion: Criterion, width: int) -> Setting:
    model = make_network(config, task, (width,))
    if model.output_layer is None and (config.lazy or config.parametrization != "standard"):
        raise BadInput(
            f"{task.name}: the outgoing weights are fixed, so that --parametrization and --lazy have no meaning; "
            "leave them out."
        )
    scaled = scales(model, recipe.optimizer, parse_spec(config.parametrization), config.lazy)
    return Setting(model, recipe, scaled, criterion, config.seed)


@dataclass(frozen=True)
class _Describe:
    settings: tuple[Setting, ...]
    units: tuple[PilotUnit | WidthUnit, ...]
    task: Task

    def __call__(self, metrics: Mapping[str, Metrics], checkpoints: Mapping[str, str]) -> WidenResult:
        stacks_of: dict[int, list[Metrics]] = {}
        pilots: dict[int, list[Metrics]] = {}
        for unit in self.units:
            if unit.key in metrics:
                kind = stacks_of if isinstance(unit, WidthUnit) else pilots
                kind.setdefault(unit.setting.width, []).append(metrics[unit.key])
        widths = [
            describe_width(setting, setting.judged(self.task), stacks_of[setting.width], pilots.get(setting.width, []))
            for setting in self.settings
            if setting.width in stacks_of
        ]
        criterion = str(self.settings[0].criterion)
        return WidenResult(success_criterion=criterion, widths=widths, checkpoints=dict(checkpoints))
