"""From options, YAML, presets and the task's own recipe to one checked configuration.

Precedence: defaults < task's recipe < preset < YAML file < `-o key=value` < flags. Where each value came from is kept
for `--dry-run` and for messages.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from escapedim import decimal_yaml
from escapedim.errors import BadInput, nearest
from escapedim.machine import usable_cores
from escapedim.models import families
from escapedim.pruning.config import PruneConfig
from escapedim.tasks.base import Task
from escapedim.tasks.registry import load_task
from escapedim.training.config import NetworkConfig, TrainConfig, TrainingConfig
from escapedim.widening.config import WidenConfig

C = TypeVar("C", bound=TrainingConfig)
Layer = tuple[str, Mapping[str, Any]]
Sources = Mapping[str, str]
COMMANDS = (TrainConfig, PruneConfig, WidenConfig)


@dataclass(frozen=True)
class Settings(Generic[C]):
    """A checked configuration, its task, and the source of every value."""

    config: C
    task: Task
    sources: Mapping[str, str]


class BadSettings(BadInput):
    """Values that do not fit. It says the first; `faults` are all, each as its key ("" for several) and a sentence."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__(faults[0][1])
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Given:
    """What the user gave: flags that were used, `-o` items, a YAML file, a preset's name; settings of another run."""

    flags: Mapping[str, Any]
    overrides: Sequence[str] = ()
    file: Path | None = None
    preset: str | None = None
    base: Layer | None = None


def resolve(model: type[C], given: Given, load: Callable[[str], Task] = load_task) -> Settings[C]:
    """Merge and check everything that was given; `load` makes the task of a name.

    Raises
    ------
    BadInput
        An unknown key (with the nearest known one) or a value that does not fit, in one sentence with its source.
    """
    layers = _given_layers(model, given)
    name = next((values["task"] for _, values in reversed(layers) if "task" in values), "digits")
    task = load(str(name))
    own = _defaults(model, task, layers)
    merged: dict[str, Any] = {}
    ranks: dict[str, int] = {}
    stack = [("machine", {"jobs": usable_cores()}), *own, *layers]
    for rank, (_, values) in enumerate(stack):
        merged |= values
        ranks |= dict.fromkeys(values, rank)
    sources = {key: stack[rank][0] for key, rank in ranks.items()}
    implied = model.implied(merged, ranks)
    sources |= dict.fromkeys(implied, "implied")
    _refuse_fixed(model, task, {**merged, **implied}, sources)
    config = _checked(model, merged | implied, sources)
    _check_depth(task, config, sources)
    unset = dict.fromkeys(set(model.model_fields) - set(sources), "default")
    return Settings(config, task, sources | unset)


def _defaults(model: type[TrainingConfig], task: Task, layers: Sequence[Layer]) -> list[Layer]:
    """Return the task's recipe, and its architecture or that of the family of networks that was asked for."""
    named = next((str(values["model"]) for _, values in reversed(layers) if "model" in values), "")
    name = named.partition(":")[0]
    family = families.family(name) if name in families.names() and "model" not in task.fixed else None
    of_task = {**task.recipe, **({} if family else task.architecture)}
    of_family: dict[str, Any] = family.architecture if family else {}
    found = ((f"task {task.name}", of_task), (f"model {name}", of_family))
    return [(source, {key: value for key, value in own.items() if key in model.model_fields}) for source, own in found]


def presets() -> dict[str, Mapping[str, Any]]:
    """Return the presets that come with the package, by name."""
    folder = resources.files("escapedim") / "presets"
    files = [file for file in folder.iterdir() if file.name.endswith(".yaml")]
    return {file.name.removesuffix(".yaml"): decimal_yaml.load(file.read_text()) for file in sorted(files, key=str)}


def _given_layers(model: type[TrainingConfig], given: Given) -> list[Layer]:
    layers: list[Layer] = [] if given.base is None else [given.base]
    if given.preset is not None:
        known = presets()
        if given.preset not in known:
            raise BadInput(f"unknown preset '{given.preset}'; {nearest(given.preset, known)}")
        fits = {key: value for key, value in known[given.preset].items() if key in model.model_fields}
        layers.append((f"preset {given.preset}", fits))
    if given.file is not None:
        layers.append((str(given.file), _yaml_file(given.file)))
    # One layer, so that items that exclude each other are refused in whatever order they come.
    layers.append(("-o", dict(map(_override, given.overrides))))
    layers.append(("flag", given.flags))
    for source, values in layers:
        _refuse_unknown(model, source, values)
    return layers


def _yaml_file(path: Path) -> Mapping[str, Any]:
    try:
        content = decimal_yaml.read(path)
    except OSError as error:
        raise BadInput(f"cannot read --config {path}: {error.strerror}; expected a YAML file.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"--config {path} is not valid YAML: {_one_line(error)}; correct that line.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(f"--config {path}: expected a mapping such as 'lr: 1e-3', found {type(content).__name__}.")
    return {str(key): value for key, value in content.items()}


def _override(item: str) -> tuple[str, Any]:
    key, equals, text = item.partition("=")
    if not equals or not key.strip():
        raise BadInput(f"-o takes key=value, such as -o lr=1e-3, found {item!r:.80}.")
    try:
        return key.strip(), decimal_yaml.load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"-o {item}: the value is not valid YAML: {_one_line(error)}; quote it.") from None


def _refuse_unknown(model: type[TrainingConfig], source: str, values: Mapping[str, Any]) -> None:
    for key in values:
        if key not in model.model_fields:
            raise BadInput(f"{source}: {unknown(model, key)}")


def unknown(model: type[TrainingConfig], key: str) -> str:
    """Say of a key that a command does not have whose it is, or which one was meant."""
    others = [_command(other) for other in COMMANDS if key in other.model_fields]
    if others:
        return f"'{key}' is a setting of {' and '.join(others)}, this is {_command(model)}; leave it out."
    return f"unknown key '{key}'; {nearest(key, model.model_fields)}"


def _refuse_fixed(
    model: type[TrainingConfig], task: Task, values: Mapping[str, Any], sources: Mapping[str, str]
) -> None:
    """Refuse another value than the task's own for a setting that the task fixes; its own may be repeated."""
    own = {**task.recipe, **task.architecture}
    fixed = sorted(task.fixed & model.model_fields.keys())
    kept = {**values, **{key: own[key] for key in fixed}}
    for key in fixed:
        expected = getattr(_checked(model, kept, sources), key)
        try:
            found = getattr(model.model_validate({**kept, key: values[key]}), key)
        except ValidationError:
            found = None
        if found != expected:
            raise BadInput(
                f"{key}: the task {task.name} fixes it at {expected}, found {reprlib.repr(values[key])} "
                f"({sources[key]}); leave it out."
            )


def _check_depth(task: Task, config: TrainingConfig, sources: Mapping[str, str]) -> None:
    if not isinstance(config, NetworkConfig) or not config.hidden:  # a family of networks has no hidden widths
        return
    if task.hidden_layers not in (None, len(config.hidden)):
        number = "exactly one width" if task.hidden_layers == 1 else f"{task.hidden_layers} widths"
        found = ",".join(map(str, config.hidden))
        raise BadInput(
            f"hidden: the task {task.name} takes {number}, found {found} ({sources['hidden']}); "
            f"write --hidden {config.hidden[0]}."
        )


def _checked(model: type[C], merged: Mapping[str, Any], sources: Mapping[str, str]) -> C:
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        faults = [(str(first["loc"][0]) if first["loc"] else "", _sentence(model, first, merged, sources))
                  for first in error.errors(include_url=False)]  # fmt: skip
        raise BadSettings(faults) from None


def _sentence(model: type[TrainingConfig], first: Any, merged: Mapping[str, Any], sources: Sources) -> str:
    """Say what was expected, what was found and where it came from, and what to write instead."""
    message, _, remedy = first["msg"].removeprefix("Value error, ").partition("; ")
    if not first["loc"]:
        named = [key for key in merged if re.search(rf"\b{key}\b", first["msg"])]
        found = ", ".join(f"{key} {_listed(merged[key])} ({sources[key]})" for key in named if key in sources)
        return _joined(message, found and f"found {found}", remedy)
    key = str(first["loc"][0])
    found = f"found {reprlib.repr(first['input'])} ({sources.get(key, 'default')})"
    if first["type"] != "value_error":  # pydantic's words are those of programmers
        return f"{key}: expected {_expected(model.model_fields[key])}, {found}."
    if not remedy and not message.startswith("expected"):
        remedy = f"expected {model.model_fields[key].description}"
    return _joined(f"{key}: {message}, {found}", remedy)


def _joined(*parts: str) -> str:
    text = "; ".join(part for part in parts if part)
    return text if text.endswith("?") else f"{text}."


def _expected(field: FieldInfo) -> str:
    """Return a field's limits, if it is a number, and its description."""
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
    limits = {name: getattr(limit, name) for limit in field.metadata for name in words if hasattr(limit, name)}
    whole = field.annotation is int
    if whole and "lt" in limits:
        limits["le"] = limits.pop("lt") - 1
    if whole and {"ge", "le"} <= limits.keys():
        kind = f"a whole number from {limits['ge']} to {limits['le']}"
    elif limits:
        kind = "a number " + " and ".join(f"{words[name]} {limits[name]:g}" for name in words if name in limits)
    else:
        return str(field.description)
    return f"{kind} ({field.description})"


def _listed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _command(model: type[TrainingConfig]) -> str:
    name = model.__name__.removesuffix("Config").lower()
    return {"widenfrom": "widen --from"}.get(name, name)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
