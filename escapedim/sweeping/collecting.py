"""What a plan found, in one file: the results of all complete runs, and the final comparisons beside it.

`collected.json` has no times, hosts or paths, so that the same plan run elsewhere, in another order or through faults
has an equal file.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from escapedim.records import summary
from escapedim.records.atomic import remove_dead, write_atomic
from escapedim.records.ours import Mark
from escapedim.sweeping.copies import Copies
from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run
from escapedim.sweeping.state import standing

COLLECTED = "collected.json"
_MARK = Mark('{"schema": "escapedim.sweep/', at_start=True)


def collect(plan: Plan, runs: Sequence[Run], out: Path) -> list[Path]:
    """Write what there is, and return the files: `collected.json` and the comparisons.

    Raises
    ------
    BadInput
        Files of these names that no sweep wrote; nothing is written then.
    """
    check_collected(runs, out)
    complete = [run for run in runs if standing(run, out).state == "complete"]
    for folder in (out, *(run.folder(out) for run in complete)):
        remove_dead(folder)  # of a run that was killed when all but its claim was given back nobody starts again
    write_atomic(out / COLLECTED, b"".join(_document(plan, runs, {run.name for run in complete}, out)))
    return [out / COLLECTED, *Copies(runs, out).replace(complete)]


def check_collected(runs: Sequence[Run], out: Path) -> None:
    """Refuse to collect where files of the same names are the user's own; errors as in `collect`."""
    _MARK.require(out / COLLECTED, "--out")
    Copies(runs, out).check()


def _document(plan: Plan, runs: Sequence[Run], complete: Container[str], out: Path) -> Iterator[bytes]:
    """Yield JSON with a line for every run, one after another: thousands of results need not be held apart."""
    yield f'{_MARK.text}1",\n"plan": {json.dumps(plan.name)},\n"runs": ['.encode()
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
