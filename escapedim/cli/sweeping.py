"""`escapedim sweep`: a plan of many runs, from its YAML file to its collected results."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from escapedim.cli import slurm_jobs
from escapedim.cli.plan_checking import check
from escapedim.cli.settings import usable_cores
from escapedim.cli.signals import Interrupts
from escapedim.cli.streams import standard_output
from escapedim.errors import BadInput, EscapedimError, Interrupted
from escapedim.reporting.numbers import counted, duration
from escapedim.reporting.table import text_table
from escapedim.sweeping.attempt import Ended
from escapedim.sweeping.collecting import collect
from escapedim.sweeping.plan import Plan, read
from escapedim.sweeping.runner import Asked, chosen, execute
from escapedim.sweeping.runs import Run, expand
from escapedim.sweeping.slurm import Cluster
from escapedim.sweeping.state import Standing, standings

_MOST_SHOWN = 40


@dataclass(frozen=True)
class Wanted:
    """What is to be done with a plan besides running it."""

    dry_run: bool = False
    status: bool = False
    collect: bool = False
    json: bool = False
    cluster: Cluster | None = None
    submit: bool = False


def sweep(path: Path, out: Path | None, asked: Asked, wanted: Wanted) -> int:
    """Do what was asked for with a plan, and return the exit code.

    Raises
    ------
    BadInput
        A plan that cannot be, all its errors at once; a shard or stage that it has not.
    """
    plan = read(path)
    runs = expand(plan)
    folder = out or Path(f"sweep-{plan.name}")
    _check_asked(plan, asked)
    if wanted.status:
        return _status(plan, runs, folder, wanted.json)
    check(path, runs)
    if wanted.cluster is not None:
        (slurm_jobs.submit if wanted.submit else slurm_jobs.show)(plan, runs, path, folder, wanted.cluster)
        return 0
    if wanted.dry_run:
        return _dry_run(plan, chosen(runs, asked), folder, wanted.json)
    if wanted.collect:
        return _collect(plan, runs, folder)
    return _run(plan, runs, folder, asked, path)


def parse_shard(text: str) -> tuple[int, int]:
    """Read `I/N`, I from 0.

    Raises
    ------
    BadInput
        Another form, or an index beyond the number of shards.
    """
    index, _, of = text.partition("/")
    if index.isdecimal() and of.isdecimal() and 0 <= int(index) < int(of):
        return int(index), int(of)
    raise BadInput(f"--shard: expected I/N with I from 0 to N-1, such as 0/10, found {text!r}.")


def _check_asked(plan: Plan, asked: Asked) -> None:
    stages = len(plan.stages)
    if asked.stage is not None and not 0 <= asked.stage < stages:
        raise BadInput(f"--stage: expected a stage from 0 to {stages - 1}, found {asked.stage}.")


def _run(plan: Plan, runs: Sequence[Run], folder: Path, asked: Asked, path: Path) -> int:
    total = len(chosen(runs, asked))
    say = _Said(total)
    with Interrupts() as interrupts:
        ended = execute(runs, folder, asked, interrupts.came, say)
    if interrupts.came():
        raise Interrupted(
            f"stopped by a signal; everything is saved in {folder}: the same command continues.", interrupts.exit_code
        )
    found = Counter(one.state for one in standings(chosen(runs, asked), folder))
    sys.stderr.write(f"escapedim: {plan.name}: {_counted(found, total)}.\n")
    whole = asked.shard == (0, 1) and asked.stage is None
    if whole and found["complete"] == total:
        _collect(plan, runs, folder)
    elif found["failed"]:
        failed = (
            next(one for one in ended if one.state == "failed") if any(e.state == "failed" for e in ended) else None
        )
        more = f": {failed.run.name}: {failed.detail}" if failed else ""
        raise EscapedimError(f"{counted(found['failed'], 'run')} failed{more}; see escapedim sweep {path} --status.")
    return 0


class _Said:
    """One line a run that has ended."""

    def __init__(self, total: int) -> None:
        self._total, self._count = total, 0

    def __call__(self, ended: Ended) -> None:
        self._count += 1
        detail = f": {ended.detail}" if ended.detail else ""
        sys.stderr.write(f"{self._count} of {self._total}: {ended.run.name} {ended.state}{detail}\n")
        sys.stderr.flush()


def _counted(found: Mapping[Any, int], total: int) -> str:
    parts = [f"{found[state]:,} {state}" for state in ("complete", "running", "failed", "missing") if found.get(state)]
    return f"{counted(total, 'run')}: {', '.join(parts) or 'none'}"


def _status(plan: Plan, runs: Sequence[Run], folder: Path, as_json: bool) -> int:
    found = standings(runs, folder)
    counts = Counter(one.state for one in found)
    with standard_output():
        if as_json:
            entries = [
                {"run": one.run.name, "stage": one.run.stage, "state": one.state, "detail": one.detail} for one in found
            ]
            sys.stdout.write(json.dumps({"plan": plan.name, "counts": counts, "runs": entries}) + "\n")
            return 0
        sys.stdout.write(f"{plan.name}: {_counted(counts, len(found))}.\n")
        _table([one for one in found if one.state != "complete"])
    return 0


def _table(found: Sequence[Standing]) -> None:
    ranked = sorted(found, key=lambda one: ("failed", "running", "missing").index(one.state))
    if not ranked:
        return
    rows = [[one.run.name, str(one.run.stage), one.state, one.detail] for one in ranked[:_MOST_SHOWN]]
    sys.stdout.write("\n".join(text_table(["run", "stage", "state", ""], rows, left=4)) + "\n")
    if len(ranked) > _MOST_SHOWN:
        sys.stdout.write(f"and {len(ranked) - _MOST_SHOWN:,} more (--json has all)\n")


def _dry_run(plan: Plan, runs: Sequence[Run], folder: Path, as_json: bool) -> int:
    found = standings(runs, folder)
    counts = Counter(one.state for one in found)
    with standard_output():
        if as_json:
            entries = [
                {"run": one.run.name, "stage": one.run.stage, "command": one.run.command, "state": one.state,
                 "settings": dict(one.run.settings), "sources": [source.name for source in one.run.sources]}
                for one in found
            ]  # fmt: skip
            sys.stdout.write(json.dumps({"plan": plan.name, "folder": str(folder), "runs": entries}) + "\n")
            return 0
        sys.stdout.write(f"{plan.name}: {_counted(counts, len(found))}; in {folder}.\n")
        rows = [[one.run.name, str(one.run.stage), one.state, _settings(one.run)] for one in found[:_MOST_SHOWN]]
        sys.stdout.write("\n".join(text_table(["run", "stage", "state", "settings"], rows, left=4)) + "\n")
        if len(found) > _MOST_SHOWN:
            sys.stdout.write(f"and {len(found) - _MOST_SHOWN:,} more (--json has all)\n")
    return 0


def _settings(run: Run) -> str:
    parts = [f"{key} {value}" for key, value in run.settings.items()]
    if run.sources:
        named = run.sources[0].name if len(run.sources) == 1 else f"{len(run.sources)} summaries"
        parts.insert(0, f"of {named}")
    return ", ".join(parts)


def _collect(plan: Plan, runs: Sequence[Run], folder: Path) -> int:
    from escapedim.records import summary
    from escapedim.reporting.render import make_console, render

    if not folder.is_dir():
        raise BadInput(f"{folder} does not exist; run escapedim sweep first, or give its --out.")
    files = collect(plan, runs, folder)
    took = sum(one.wall_s or 0.0 for one in standings(runs, folder))
    sys.stderr.write(f"escapedim: wrote {', '.join(map(str, files))} ({duration(took)} of runs).\n")
    with standard_output():
        console = make_console(sys.stdout)
        for number, file in enumerate(files[1:]):
            if number:
                console.print()
            render(summary.read(file), console)
    return 0


def default_jobs() -> int:
    """Return how many processes a sweep may use."""
    return usable_cores()
