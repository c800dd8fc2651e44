"""Runs of a plan: what each of them is, what it starts from, and where it lies.

A run's name is a hash of all that it is made of, so that the same run in another plan, or in a plan with more runs,
is the same folder: `OUT/runs/COMMAND-HASH/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from escapedim.comparison.compatibility import KEYS
from escapedim.records.strict_json import canonical
from escapedim.sweeping.plan import Plan, Stage

ON_DISK = ("idx", "npz")
"""Tasks whose data lie on disk."""
SUMMARIES = {
    "train": "train.json",
    "prune": "lottery.json",
    "rewind": "rewind.json",
    "widen": "widen.json",
    "compare": "compare.json",
}


@dataclass(frozen=True)
class Run:
    """One command with its settings; `sources` are runs whose summaries it takes, `stage` counts from 0.

    `data` is the hash of data that lie on disk: other content under the same path is another run.
    """

    stage: int
    command: str
    settings: Mapping[str, Any]
    sources: tuple[Run, ...] = field(default=())
    data: str | None = None

    @cached_property
    def name(self) -> str:
        """Command and 16 hex digits of what it is made of."""
        made_of = {"command": self.command, "settings": self.settings, "sources": [one.name for one in self.sources]}
        made_of |= {} if self.data is None else {"data": self.data}
        return f"{self.command}-{hashlib.sha256(canonical(made_of).encode()).hexdigest()[:16]}"

    def folder(self, out: Path) -> Path:
        """Return where it lies."""
        return out / "runs" / self.name

    def summary(self, out: Path) -> Path:
        """Return its summary."""
        return self.folder(out) / SUMMARIES[self.command]


Recipe = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""From a command and its settings to what must be equal where runs are compared, defaults included."""


def as_written(command: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the plan itself says of task and recipe."""
    return {name: settings[name] for name in KEYS if name in settings}


def expand(plan: Plan, recipe: Recipe = as_written) -> list[Run]:
    """Return all runs of a plan, stage after stage; the same run twice is one."""
    found: list[Run] = []
    for number, stage in enumerate(plan.stages):
        made = _of_stage(number, stage, found, recipe)
        found += {run.name: run for run in made}.values()
    return list({run.name: run for run in found}.values())


def _of_stage(number: int, stage: Stage, earlier: Sequence[Run], recipe: Recipe) -> list[Run]:
    if stage.command == "rewind":
        pruned = [run for run in earlier if run.command == "prune"]
        return [Run(number, "rewind", settings, (run,)) for run in pruned for settings in stage.settings()]
    if stage.command == "compare":
        compared = [run for run in earlier if run.command in ("prune", "rewind", "widen")]
        return [
            Run(number, "compare", settings, group)
            for settings in stage.settings()
            for group in _groups(compared, recipe, settings.get("allow", ()))
        ]
    digests: dict[str, str | None] = {}
    made = []
    for settings in stage.settings():
        task = str(settings.get("task", ""))
        digests[task] = digests[task] if task in digests else _digest(task)
        made.append(Run(number, stage.command, settings, data=digests[task]))
    return made


def _digest(task: str) -> str | None:
    if task.partition(":")[0] not in ON_DISK:
        return None
    from escapedim.tasks.registry import load_task  # imports torch, which other plans can do without

    return str(load_task(task).identity["data"])


def _groups(runs: Sequence[Run], recipe: Recipe, allow: object) -> list[tuple[Run, ...]]:
    """Put runs of one task and recipe together; what may differ keeps none apart."""
    free = allow if isinstance(allow, list | tuple) else (allow,)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        made = run.sources[0] if run.command == "rewind" else run
        found = recipe(made.command, made.settings)
        key = canonical({name: value for name, value in found.items() if name not in free})
        groups.setdefault(key, []).append(run)
    return [tuple(group) for group in groups.values()]
