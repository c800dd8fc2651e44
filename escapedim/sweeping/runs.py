"""Runs of a plan: what each of them is, what it starts from, and where it lies.

A run's name is a hash of all that it is made of, so that the same run in another plan, or in a plan with more runs,
is the same folder: `OUT/runs/COMMAND-HASH/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from escapedim.comparison.compatibility import KEYS
from escapedim.errors import BadInput
from escapedim.records.strict_json import canonical
from escapedim.sweeping.sweep_plan import Stage, SweepPlan

MOST_RUNS = 100_000
"""Runs of a plan: more are a slip of the pen (ours)."""
MOST_COMPARED = 1_000_000
"""Summaries that the comparisons of a plan name, each as often as it is named (ours)."""
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
class SweepRun:
    """One command with its settings; `sources` are runs whose summaries it takes, `stage` counts from 0.

    `data` is the hash of data that lie on disk: other content under the same path is another run.
    """

    stage: int
    command: str
    settings: Mapping[str, Any]
    sources: tuple[SweepRun, ...] = field(default=())
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


def expand(plan: SweepPlan, recipe: Recipe = as_written) -> list[SweepRun]:
    """Return all runs of a plan, stage after stage; the same run twice is one.

    Raises
    ------
    BadInput
        More than `MOST_RUNS`, or comparisons of more than `MOST_COMPARED` summaries in all.
    """
    runs: dict[str, SweepRun] = {}
    named = 0
    for number, stage in enumerate(plan.stages):
        if stage.size > MOST_RUNS:
            raise _too_many(plan, number)
        if stage.command == "compare":
            named += stage.size * len(_comparable(runs.values()))
            if named > MOST_COMPARED:
                raise BadInput(
                    f"{plan.name}: comparisons that name more than {MOST_COMPARED:,} summaries in all (up to stage "
                    f"{number}); make its grid smaller."
                )
        for count, run in enumerate(_of_stage(number, stage, list(runs.values()), recipe), 1):
            runs.setdefault(run.name, run)
            # Repeats count: a stage of equal runs would take for ever otherwise.
            if max(count, len(runs)) > MOST_RUNS:
                raise _too_many(plan, number)
    return list(runs.values())


def _too_many(plan: SweepPlan, number: int) -> BadInput:
    return BadInput(f"{plan.name}: more than {MOST_RUNS:,} runs (in stage {number}); make its grid smaller.")


def _of_stage(number: int, stage: Stage, earlier: Sequence[SweepRun], recipe: Recipe) -> Iterator[SweepRun]:
    """Yield the runs of a stage, one after another: the runs before it may multiply them beyond what a memory holds."""
    if stage.command == "rewind":
        pruned = [run for run in earlier if run.command == "prune"]
        yield from (SweepRun(number, "rewind", settings, (run,)) for run in pruned for settings in stage.settings())
    elif stage.command == "compare":
        compared, grouped = _comparable(earlier), dict[str, list[tuple[SweepRun, ...]]]()
        for settings in stage.settings():
            allow = settings.get("allow", ())
            if (key := canonical(allow)) not in grouped:
                grouped[key] = _groups(compared, recipe, allow)
            for group in grouped[key]:
                yield SweepRun(number, "compare", settings, group)
    else:
        digests: dict[str, str | None] = {}
        for settings in stage.settings():
            task = str(settings.get("task", ""))
            digests[task] = digests[task] if task in digests else _digest(task)
            yield SweepRun(number, stage.command, settings, data=digests[task])


def _digest(task: str) -> str | None:
    if task.partition(":")[0] not in ON_DISK:
        return None
    from escapedim.tasks.registry import load_task  # imports torch, which other plans can do without

    return str(load_task(task).identity["data"])


def _comparable(runs: Iterable[SweepRun]) -> list[SweepRun]:
    return [run for run in runs if run.command in ("prune", "rewind", "widen")]


def _groups(runs: Sequence[SweepRun], recipe: Recipe, allow: object) -> list[tuple[SweepRun, ...]]:
    """Put runs of one task and recipe together; what may differ keeps none apart."""
    free = allow if isinstance(allow, list | tuple) else (allow,)
    groups: dict[str, list[SweepRun]] = {}
    for run in runs:
        made = run.sources[0] if run.command == "rewind" else run
        found = recipe(made.command, made.settings)
        key = canonical({name: value for name, value in found.items() if name not in free})
        groups.setdefault(key, []).append(run)
    return [tuple(group) for group in groups.values()]
