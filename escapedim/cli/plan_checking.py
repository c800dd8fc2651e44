"""Checks of a plan's settings before anything runs, by the models of the commands; torch is not needed for that."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from escapedim.cli.settings import BadSettings, Given, resolve, unknown
from escapedim.comparison.compatibility import KEYS, PERMITTED, UNSET
from escapedim.errors import BadInput, nearest
from escapedim.pruning.config import PruneConfig
from escapedim.records.strict_json import canonical
from escapedim.rewinding.config import RewindConfig, rewind_base
from escapedim.sweeping.runs import SweepRun, as_written
from escapedim.sweeping.sweep_plan import SweepPlan
from escapedim.tasks.base import Task
from escapedim.tasks.registry import load_task
from escapedim.training.config import NetworkConfig, TrainConfig, TrainingConfig
from escapedim.training.points import rewind_step
from escapedim.widening.config import WidenConfig

MODELS: dict[str, type[TrainingConfig]] = {"train": TrainConfig, "prune": PruneConfig, "widen": WidenConfig}
MOST_ERRORS = 20
_SOURCE = "the plan"
_SET_BY_SWEEP = ("jobs", "device")
_OF_ITS_OWN = RewindConfig.model_fields.keys() - NetworkConfig.model_fields.keys() - {"source"}
C = TypeVar("C", bound=TrainingConfig)
Fault = tuple[str, str]
"""The key that is wrong ("" where several are), and what is wrong with it."""


class ComparePlan(BaseModel):
    """Settings of `compare` in a plan: its options, within the same limits."""

    model_config = ConfigDict(extra="forbid", strict=True)

    allow: list[str] | str = []
    base_width: int | None = Field(default=None, ge=1)
    minimal: int | None = Field(default=None, ge=1)
    margin: float = Field(default=0.05, ge=0.0, le=0.5)
    level: float = Field(default=0.005, ge=1e-6, le=0.5)
    seed: int = Field(default=0, ge=0)

    @field_validator("allow")
    @classmethod
    def _permitted(cls, value: list[str] | str) -> list[str] | str:
        for key in value if isinstance(value, list) else [value]:
            if key not in PERMITTED:
                raise ValueError(f"expected some of {', '.join(PERMITTED)}, found {key!r:.40}")
        return value


def check(path: Path, plan: SweepPlan, runs: Sequence[SweepRun]) -> None:
    """Check the settings of all runs.

    Raises
    ------
    BadInput
        All errors at once, each with its place in the file.
    """
    found = list(dict.fromkeys(_Checks(plan).errors(runs)))
    if found:
        more = f"; {len(found) - MOST_ERRORS} errors more" if len(found) > MOST_ERRORS else ""
        raise BadInput(f"{path}: {'; '.join(found[:MOST_ERRORS])}{more}.")


def recipes() -> Callable[[str, Mapping[str, Any]], Mapping[str, Any]]:
    """Return what tells task and recipe of a command's settings, defaults included, as `compare` will see them."""
    load, known = cache(load_task), dict[str, Mapping[str, Any]]()

    def recipe(command: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        written = as_written(command, settings)
        key = canonical([command, written])
        if key not in known:
            try:
                config = resolve(MODELS[command], Given({}, base=(_SOURCE, written)), load).config
            except BadInput:
                return written  # `check` says what is wrong with it
            resolved = config.model_dump(mode="json")
            known[key] = {name: resolved.get(name, UNSET.get(name)) for name in KEYS}
        return known[key]

    return recipe


class _Checks:
    """Checks of one plan; each kind of settings is checked once, whatever its seed."""

    def __init__(self, plan: SweepPlan) -> None:
        self._plan, self._load = plan, cache(load_task)
        self._seen, self._same = set[str](), dict[str, SweepRun]()

    def errors(self, runs: Sequence[SweepRun]) -> Iterator[str]:
        for run in runs:
            source = run.sources[0].settings if run.command == "rewind" else None
            if (key := canonical([run.stage, _seedless(run.settings), _seedless(source or {})])) not in self._seen:
                self._seen.add(key)
                yield from (self._placed(run, *fault) for fault in self._faults(run, source))

    def _placed(self, run: SweepRun, key: str, text: str) -> str:
        stage = self._plan.stages[run.stage]
        place = stage.place(key, dict(run.settings)) if key in run.settings else ""
        within = f"then.{run.stage - 1}" if run.stage else ""
        return f"{'.'.join(part for part in (within, place) if part) or run.command}: {text}"

    def _faults(self, run: SweepRun, source: Mapping[str, Any] | None) -> Iterator[Fault]:
        if run.command == "compare":
            yield from _compare_faults(run.settings)
        elif source is not None:
            yield from self._rewind_faults(run, source)
        else:
            known = yield from _known(run.settings, MODELS[run.command].model_fields.keys(), MODELS[run.command])
            resolved = yield from self._resolved(MODELS[run.command], known)
            if resolved is not None and len(known) == len(run.settings):
                yield from self._twice(run, resolved[0])

    def _twice(self, run: SweepRun, config: TrainingConfig) -> Iterator[Fault]:
        """Refuse two spellings of one run: both would be trained, and could not be compared."""
        key = canonical([run.stage, {**config.model_dump(mode="json"), "seed": 0, "jobs": 0}])
        other = self._same.setdefault(key, run)
        if other is not run:
            differing = [key for key in {**run.settings, **other.settings}
                         if run.settings.get(key) != other.settings.get(key) and key != "seed"]  # fmt: skip
            for key in differing[:1]:
                one, twin = run.settings.get(key), other.settings.get(key)
                yield key, f"{one!r:.40} makes the same run as {twin!r:.40}; leave one out"

    def _rewind_faults(self, run: SweepRun, source: Mapping[str, Any]) -> Iterator[Fault]:
        known = yield from _known(run.settings, _OF_ITS_OWN, RewindConfig)
        try:
            origin, sound = resolve(PruneConfig, Given({}, base=(_SOURCE, source)), self._load).config, True
        except BadInput:  # told at the prune run; what is wrong here, whatever that is, is told too
            origin, sound = resolve(PruneConfig, Given({}), self._load).config, False
        base = {**rewind_base(origin, origin.rewind_to, origin.rounds, "lottery"), **known}
        resolved = yield from self._resolved(RewindConfig, base)
        if resolved is not None and sound:
            yield from _beside(*resolved, origin)

    def _resolved(self, model: type[C], settings: Mapping[str, Any]) -> Generator[Fault, None, tuple[C, Task] | None]:
        """Yield what is wrong with settings that a command has, and return its configuration and task, or None.

        What is refused at once is left out then, to see what else is wrong.
        """
        left = dict(settings)
        while True:
            try:
                found = resolve(model, Given({}, base=(_SOURCE, left)), self._load)
            except BadSettings as error:
                yield from (_fault(text, left, key) for key, text in error.faults)
                return None
            except BadInput as error:
                yield (fault := _fault(str(error), left, ""))
                if fault[0] in ("", "task"):
                    return None
                del left[fault[0]]
            else:
                return (found.config, found.task) if len(left) == len(settings) else None


def _beside(config: RewindConfig, task: Task, origin: PruneConfig) -> Iterator[Fault]:
    """Yield what a rewind run asks for that its prune run will not have."""
    late = [number for number in config.round if number > origin.rounds]
    if late:
        yield "round", f"the prune run before it has rounds 1 to {origin.rounds}, found {late[0]}"
    for point in config.to:
        try:
            rewind_step(point, origin.recipe(task))
        except BadInput as error:
            yield "to", str(error).removesuffix(".")


def _known(
    settings: Mapping[str, Any], own: Set[str], model: type[TrainingConfig]
) -> Generator[Fault, None, dict[str, Any]]:
    """Yield what a plan cannot set, and return the other settings."""
    known = {}
    for key, value in settings.items():
        if key in _SET_BY_SWEEP:
            yield key, "is set by the sweep; leave it out"
        elif key in own:
            known[key] = value
        elif model is RewindConfig and key in model.model_fields:
            yield key, "a rewind run has that of its prune run; leave it out"
        else:
            yield key, unknown(model, key).removesuffix(".")
    return known


def _compare_faults(settings: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        ComparePlan.model_validate(settings)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            key = str(one["loc"][0])
            if one["type"] == "extra_forbidden":
                yield key, f"unknown key '{key}'; {nearest(key, ComparePlan.model_fields)}"
            else:
                words = one["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
                text = words if words.startswith("expected") else f"expected {words}"
                yield key, text if "found" in text else f"{text}, found {one['input']!r:.40}"


def _fault(sentence: str, settings: Mapping[str, Any], key: str) -> Fault:
    """Return a fault without what its place says anyway; where no key is known, that of the value it speaks of."""
    text = sentence.removesuffix(".").replace(f" ({_SOURCE})", "")
    named = re.match(r"([a-z_]+): ", text)
    if named and named[1] in settings:
        return named[1], text[named.end() :]
    meant = [one for one, value in settings.items() if isinstance(value, str) and repr(value) in text]
    return (key or (meant[0] if len(meant) == 1 else "")), text


def _seedless(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings with a seed of 0 for one that is as good: what differs in a good seed is checked once."""
    seed = settings.get("seed", 0)
    return {**settings, "seed": 0 if type(seed) is int and 0 <= seed < 2**63 else seed}
