"""`escapedim sweep PLAN --dry-run`: the runs, which of them exist, what they take, and each shard's command line."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from escapedim.cli.costing import RunCosts, shares
from escapedim.cli.plan_states import counted_states, first_rows
from escapedim.cli.streams import show, standard_output
from escapedim.reporting.numbers import counted, duration
from escapedim.reporting.page import prose
from escapedim.reporting.render import make_console
from escapedim.sweeping.runner import Asked, chosen
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.state import Standing, standings
from escapedim.sweeping.sweep_plan import SweepPlan
from escapedim.training.estimate import Estimate

_LATER = ("missing", "failed")  # what a sweep would start


@dataclass(frozen=True)
class GivenPlan:
    """A plan with what was asked for; `shards` is the number of shards whose command lines are wanted, or 0."""

    plan: SweepPlan
    path: Path
    out: Path | None
    asked: Asked
    shards: int

    @property
    def folder(self) -> Path:
        """Where its runs lie."""
        return self.out or Path(f"sweep-{self.plan.name}")


@dataclass(frozen=True)
class Shard:
    """A command line, its runs that are missing, and the stage if it is of one."""

    command: str
    due: Sequence[SweepRun]
    stage: int | None
    shard: tuple[int, int]


def dry_run(given: GivenPlan, runs: Sequence[SweepRun], as_json: bool) -> None:
    """Print what a sweep would do, and do nothing."""
    found = standings(chosen(runs, given.asked), given.folder)
    due = [one.run for one in found if one.state in _LATER]
    shards, costs, jobs = list(_shards(given, found)), RunCosts(), given.asked.jobs
    own = shares([one.run for one in found], jobs)
    costs.ask([*own, *shares(due, jobs), *(share for one in shards for share in shares(one.due, jobs))])
    each, total = [costs.of(*share) for share in own], costs.together(due, jobs)
    with standard_output():
        if as_json:
            _json(given, found, each, total, [(one, costs.together(one.due, jobs)) for one in shards])
            return
        states = counted_states(Counter(one.state for one in found), len(found))
        show(f"{given.plan.name}: {states}; in {given.folder}.")
        _table(found, each)
        show("\n" + "\n".join(prose(_sentence(due, total, jobs), make_console(sys.stdout).width)))
        if given.shards:
            show("Shards, those of a stage side by side and stages one after another:\n")
            _shard_table([(one, costs.together(one.due, jobs)) for one in shards])
        else:
            show(f"Command line: {shards[0].command}")


def _shards(given: GivenPlan, found: Sequence[Standing]) -> Iterator[Shard]:
    asked = given.asked
    if not given.shards:
        yield Shard(_command(given, asked.stage, asked.shard), _due(found), asked.stage, asked.shard)
        return
    for stage in sorted({one.run.stage for one in found}):
        own = [one for one in found if one.run.stage == stage]
        for index in range(min(given.shards, len(own))):
            shard = (index, given.shards)
            yield Shard(_command(given, stage, shard), _due(own[index :: given.shards]), stage, shard)


def _due(found: Sequence[Standing]) -> list[SweepRun]:
    return [one.run for one in found if one.state in _LATER]


def _command(given: GivenPlan, stage: int | None, shard: tuple[int, int]) -> str:
    words = ["escapedim", "sweep", str(given.path), *(["--out", str(given.out)] if given.out else [])]
    words += [] if stage is None else ["--stage", str(stage)]
    words += [] if shard == (0, 1) else ["--shard", f"{shard[0]}/{shard[1]}"]
    words += ["--jobs", str(given.asked.jobs), *(["--device", given.asked.device] if given.asked.device else [])]
    return shlex.join(words)


def _table(found: Sequence[Standing], each: Sequence[Estimate]) -> None:
    rows = [
        [one.run.name, str(one.run.stage), one.state, duration(cost.seconds), f"{cost.memory_mb:,.0f}",
         _settings(one.run)]
        for one, cost in zip(found, each, strict=True)
    ]  # fmt: skip
    first_rows(["run", "stage", "state", "about", "MB", "settings"], rows, left=6)


def _settings(run: SweepRun) -> str:
    parts = [f"{key} {value}" for key, value in run.settings.items()]
    if run.sources:
        named = run.sources[0].name if len(run.sources) == 1 else f"{len(run.sources)} summaries"
        parts.insert(0, f"of {named}")
    return ", ".join(parts)


def _sentence(due: Sequence[SweepRun], cost: Estimate, jobs: int) -> str:
    if not due:
        return "Nothing is missing."
    text = (
        f"What is missing: {counted(len(due), 'run')}, {counted(cost.networks, 'network')}, "
        f"{counted(cost.net_steps, 'network step')}: about {duration(cost.seconds)} and {cost.memory_mb:,.0f} MB of "
        f"memory with --jobs {jobs}."
    )
    return f"{text} That is the most: networks that have landed in a minimum stop." if cost.most else text


def _shard_table(shards: Sequence[tuple[Shard, Estimate]]) -> None:
    rows = [
        [str(one.stage), f"{one.shard[0]}/{one.shard[1]}", f"{len(one.due):,}",
         *((duration(cost.seconds), f"{cost.memory_mb:,.0f}") if one.due else ("-", "-")), one.command]
        for one, cost in shards
    ]  # fmt: skip
    first_rows(["stage", "shard", "missing", "about", "MB", "command line"], rows, left=6, copied=True)


def _json(
    given: GivenPlan,
    found: Sequence[Standing],
    each: Sequence[Estimate],
    total: Estimate,
    shards: Sequence[tuple[Shard, Estimate]],
) -> None:
    entries = [
        {"run": one.run.name, "stage": one.run.stage, "command": one.run.command, "state": one.state,
         "settings": dict(one.run.settings), "sources": [source.name for source in one.run.sources], **_cost(cost)}
        for one, cost in zip(found, each, strict=True)
    ]  # fmt: skip
    lines = [
        {"stage": one.stage, "shard": f"{one.shard[0]}/{one.shard[1]}", "missing": len(one.due), "command": one.command,
         **_cost(cost)}
        for one, cost in shards
    ]  # fmt: skip
    document = {"plan": given.plan.name, "folder": str(given.folder), "jobs": given.asked.jobs, **_cost(total)}
    sys.stdout.write(json.dumps({**document, "runs": entries, "shards": lines}) + "\n")


def _cost(cost: Estimate) -> dict[str, Any]:
    return {
        "networks": cost.networks,
        "net_steps": cost.net_steps,
        "estimated_wall_s": round(cost.seconds, 1),
        "estimated_memory_mb": round(cost.memory_mb),
    }
