"""Plans: one YAML file from which a study of many runs follows, checked whole before anything runs.

    name: widths-of-parity
    command: widen
    base: {task: "parity:n=30,k=3", widths: "8:11"}
    grid: {lr: [0.1, 0.05]}          # every combination
    seeds: 3                         # 0, 1 and 2
    then:
      - command: compare

A stage takes `base`, times the product of `grid`, times the rows of `zip` (lists of equal length) and of `list` (whole
settings), times `seeds`. Stages after the first are in `then`: rewind takes every prune run before it, compare all
summaries before it, task by task and recipe by recipe.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from escapedim import decimal_yaml
from escapedim.errors import BadInput, nearest
from escapedim.records.strict_json import canonical

Command = Literal["train", "prune", "rewind", "widen", "compare"]
Values = dict[str, Any]

EXAMPLES = Path(__file__).parent / "plans"
"""The plans that come with the package: in a checkout a link to `sweeps/`."""

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Strict):
    """One kind of runs: `base` is shared, the others say in what they differ."""

    command: Command
    base: Values = Field(default={})
    grid: dict[str, list[Any]] = Field(default={})
    zip: dict[str, list[Any]] = Field(default={})
    rows: list[Values] = Field(default=[], alias="list")
    seeds: int | tuple[int, ...] | None = None

    @field_validator("grid", "zip", mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        for key, items in values.items() if isinstance(values, dict) else ():
            if not isinstance(items, list):
                raise ValueError(f"{key} is no list; write [{items!r:.40}]")
            if not items:
                raise ValueError(f"{key} has no values")
        return values

    @field_validator("grid")
    @classmethod
    def _different_values(cls, values: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for key, items in values.items():
            if twice := _twice(items):
                raise ValueError(f"{key} has {twice} twice")
        return values

    @field_validator("rows", mode="before")
    @classmethod
    def _different_rows(cls, rows: Any) -> Any:
        if rows == []:
            raise ValueError("expected settings of at least one run; leave it out")
        if isinstance(rows, list) and (twice := _twice(rows)):
            raise ValueError(f"{twice} is there twice")
        return rows

    @field_validator("zip")
    @classmethod
    def _rows(cls, values: dict[str, list[Any]]) -> dict[str, list[Any]]:
        lengths = {key: len(items) for key, items in values.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
            raise ValueError(f"lists of different lengths ({listed})")
        return values

    @field_validator("seeds", mode="before")
    @classmethod
    def _at_least_one(cls, value: Any) -> Any:
        several = isinstance(value, list) and value and all(type(seed) is int for seed in value)
        if value is not None and not several and (type(value) is not int or value < 1):
            raise ValueError(f"expected a number of seeds, or a list of them such as [0, 1, 5], found {value!r:.40}")
        if several and (twice := _twice(value)):
            raise ValueError(f"{twice} is there twice")
        return value

    @model_validator(mode="after")
    def _each_setting_once(self) -> Stage:
        listed = {key for row in self.rows for key in row}
        seeds = {"seed"} if self.seeds is not None else set()
        for one, other in itertools.combinations(
            (("grid", set(self.grid)), ("zip", set(self.zip)), ("list", listed), ("seeds", seeds)), 2
        ):
            both = sorted(one[1] & other[1])
            if both:
                raise ValueError(f"{both[0]} is in {one[0]} and in {other[0]}")
        return self

    @property
    def size(self) -> int:
        """Number of settings."""
        count = len(self.rows or [{}]) * max(1, len(next(iter(self.zip.values()), [0])))
        for items in self.grid.values():
            count *= len(items)
        return count * (1 if self.seeds is None else self.seeds if isinstance(self.seeds, int) else len(self.seeds))

    def place(self, key: str, settings: Values) -> str:
        """Return where a plan says a setting of a run: `base.lr`, `grid.lr.1`, `zip.lr.1`, `list.1.lr` or `seeds`."""
        value = settings.get(key)
        for name, lists in (("grid", self.grid), ("zip", self.zip)):
            if key in lists:
                return f"{name}.{key}.{lists[key].index(value)}"
        for number, row in enumerate(self.rows):
            if key in row and row[key] == value:
                return f"list.{number}.{key}"
        return "seeds" if key == "seed" and self.seeds is not None else f"base.{key}"

    def settings(self) -> Iterator[Values]:
        """Yield the settings of every run, in the order of the plan."""
        zipped = [dict(zip(self.zip, row, strict=True)) for row in zip(*self.zip.values(), strict=True)] or [{}]
        product = [dict(zip(self.grid, row, strict=True)) for row in itertools.product(*self.grid.values())]
        seeds: Sequence[Values] = [{}]
        if self.seeds is not None:
            numbers = range(self.seeds) if isinstance(self.seeds, int) else self.seeds
            seeds = [{"seed": number} for number in numbers]
        for parts in itertools.product(self.rows or [{}], product, zipped, seeds):
            merged = dict(self.base)
            for part in parts:
                merged |= part
            yield merged


def _twice(items: Sequence[Any]) -> str:
    """Return the first item that is there before, as text, or nothing."""
    seen = set[str]()
    for item in items:
        if (text := canonical(item)) in seen:
            return f"{item!r:.60}"
        seen.add(text)
    return ""


class SweepPlan(Stage):
    """A first stage, its name, and the stages that come `then`."""

    name: str
    then: list[Stage] = Field(default=[])

    @property
    def stages(self) -> list[Stage]:
        """All stages, in order."""
        return [self, *self.then]

    @field_validator("name", mode="before")
    @classmethod
    def _of_a_folder(cls, name: Any) -> Any:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"expected a word of letters, digits, '.', '_' and '-', up to 61, found {name!r:.80}")
        return name

    @model_validator(mode="after")
    def _stages_have_what_they_need(self) -> SweepPlan:
        before: set[str] = set()
        for number, stage in enumerate(self.stages):
            if stage.command == "rewind" and "prune" not in before:
                raise ValueError(f"{_place(number)}rewind needs a stage with prune before it")
            if stage.command == "compare" and not before & {"prune", "widen", "rewind"}:
                raise ValueError(f"{_place(number)}compare needs a stage with prune, widen or rewind before it")
            before.add(stage.command)
        return self


_EXPECTED = {
    "dict_type": "settings such as {lr: 0.1}",
    "list_type": "a list",
    "literal_error": "train, prune, rewind, widen or compare",
    "model_type": "settings such as {command: compare}",
}
"""In the words of plans; those of pydantic are for programmers."""


def _place(number: int) -> str:
    return f"then.{number - 1}: " if number else ""


def read(path: Path) -> SweepPlan:
    """Read and check a plan's own structure; settings are checked by the command.

    Raises
    ------
    BadInput
        All errors at once, each with its place in the file.
    """
    content = _yaml(path)
    try:
        plan = SweepPlan.model_validate(content)
    except ValidationError as error:
        found = "; ".join(dict.fromkeys(_told(one) for one in error.errors(include_url=False)))
        raise BadInput(f"{path}: {found}.") from None
    return plan


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        content = decimal_yaml.read(path)
    except OSError as error:
        raise BadInput(
            f"cannot read {path}: {error.strerror}; expected a plan such as {EXAMPLES / 'quick.yaml'}."
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{path} is not valid YAML: {' '.join(str(error).split())[:160]}; correct that line.") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path}: expected a mapping with name and command, found {type(content).__name__}.")
    return {str(key): value for key, value in content.items()}


def _told(error: Any) -> str:
    """Return the place and what is wrong there."""
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = (SweepPlan if len(error["loc"]) == 1 else Stage).model_fields
        message = f"unknown key; {nearest(str(error['loc'][-1]), known)}"
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] in _EXPECTED:
        message = f"expected {_EXPECTED[error['type']]}, found {error['input']!r:.60}"
    return f"{place}: {message[0].lower()}{message[1:]}" if place else message
