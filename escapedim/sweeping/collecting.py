"""What a plan found, in one file: the results of all complete runs, and the final comparisons beside it.

`collected.json` has no times, hosts or paths, so that the same plan run elsewhere, in another order or through faults
has an equal file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from escapedim.records import summary
from escapedim.records.atomic import remove_dead, write_atomic
from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run
from escapedim.sweeping.state import standing

COLLECTED = "collected.json"
_COPY = re.compile(r"compare(-[0-9]+)?\.json")


def collect(plan: Plan, runs: Sequence[Run], out: Path) -> list[Path]:
    """Write what there is, and return the files: `collected.json` and the comparisons."""
    complete = {run.name for run in runs if standing(run, out).state == "complete"}
    remove_dead(out)
    write_atomic(out / COLLECTED, b"".join(_document(plan, runs, complete, out)))
    return [out / COLLECTED, *_comparisons(runs, complete, out)]


def _document(plan: Plan, runs: Sequence[Run], complete: Container[str], out: Path) -> Iterator[bytes]:
    """Yield JSON with a line for every run, one after another: thousands of results need not be held apart."""
    yield f'{{"schema": "escapedim.sweep/1",\n"plan": {json.dumps(plan.name)},\n"runs": ['.encode()
    between = "\n"
    for run in runs:
        if run.name in complete:
            yield f"{between}{json.dumps(_entry(run, out), allow_nan=False)}".encode()
            between = ",\n"
    missing = [run.name for run in runs if run.name not in complete]
    yield f'],\n"missing": {json.dumps(missing)}}}\n'.encode()


def _entry(run: Run, out: Path) -> dict[str, Any]:
    found = summary.read(run.summary(out))
    result = found.result.model_dump(mode="json")
    if run.command == "compare":  # named by paths, and there whole beside it
        result = {key: value for key, value in result.items() if key != "sources"}
        for row in result["rows"]:
            row.pop("inputs"), row.pop("command")
    return {
        "run": run.name,
        "command": run.command,
        "settings": dict(run.settings),
        "sources": [source.name for source in run.sources],
        "id": found.id,
        "result": result,
    }


def _comparisons(runs: Sequence[Run], complete: Container[str], out: Path) -> list[Path]:
    """Copy the comparisons to where they are looked for: compare.json, or compare-1.json and so on for several.

    They are numbered as in the plan, whichever of them are there; copies of an earlier plan are removed.
    """
    planned = [run for run in runs if run.command == "compare"]
    made = []
    for number, run in enumerate(planned, 1):
        if run.name in complete:
            made.append(out / ("compare.json" if len(planned) == 1 else f"compare-{number}.json"))
            write_atomic(made[-1], run.summary(out).read_bytes())
    for path in out.glob("compare*.json"):
        if _COPY.fullmatch(path.name) and path not in made:
            path.unlink()
    return made
