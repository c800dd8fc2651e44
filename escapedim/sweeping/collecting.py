"""What a plan found, in one file: the results of all complete runs, and the final comparisons beside it.

`collected.json` has no times, hosts or paths, so that the same plan run elsewhere, in another order or through faults
has an equal file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from escapedim.records import summary
from escapedim.records.atomic import write_atomic
from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run
from escapedim.sweeping.state import standing

COLLECTED = "collected.json"


def collect(plan: Plan, runs: Sequence[Run], out: Path) -> list[Path]:
    """Write what there is, and return the files: `collected.json` and the comparisons."""
    complete = [run for run in runs if standing(run, out).state == "complete"]
    document = {
        "schema": "escapedim.sweep/1",
        "plan": plan.name,
        "runs": [_entry(run, out) for run in complete],
        "missing": [run.name for run in runs if run not in complete],
    }
    write_atomic(out / COLLECTED, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    return [out / COLLECTED, *_comparisons([run for run in complete if run.command == "compare"], out)]


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


def _comparisons(runs: Sequence[Run], out: Path) -> list[Path]:
    """Copy the comparisons to where they are looked for: compare.json, or compare-1.json and so on for several."""
    made = []
    for number, run in enumerate(runs, 1):
        target = out / ("compare.json" if len(runs) == 1 else f"compare-{number}.json")
        write_atomic(target, run.summary(out).read_bytes())
        made.append(target)
    return made
