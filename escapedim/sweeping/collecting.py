"""What a plan found, in one file: the results of all complete runs, and the final comparisons beside it.

`collected.json` has no times, hosts or paths, so that the same plan run elsewhere, in another order or through faults
has an equal file.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from escapedim.records import summary
from escapedim.records.atomic import remove_dead
from escapedim.records.ledger import Ledger, hash_of
from escapedim.regular_files import open_regular, read_regular
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.state import standing
from escapedim.sweeping.sweep_plan import SweepPlan

COLLECTED = "collected.json"


def collect(plan: SweepPlan, runs: Sequence[SweepRun], out: Path) -> list[Path]:
    """Write what there is, and return the files: `collected.json` and the comparisons.

    Raises
    ------
    BadInput
        Files of these names that no sweep wrote; nothing is written then.
    """
    check_collected(plan, runs, out)
    complete = [run for run in runs if standing(run, out).state == "complete"]
    for folder in (out, *(run.folder(out) for run in complete)):
        remove_dead(folder)  # of a run that was killed when all but its claim was given back nobody starts again
    names = {run.name for run in complete}
    copies = {name: run.summary(out) for name, run in _copies(runs).items() if run.name in names}
    ledger = Ledger(out, "--out")
    document = b"".join(_document(plan, runs, names, out))
    earlier = [name for name in ledger.recorded() if name not in copies]
    ledger.write({COLLECTED: document, **{name: read_regular(path) for name, path in copies.items()}}, earlier)
    return [out / COLLECTED, *(out / name for name in copies)]


def check_collected(plan: SweepPlan, runs: Sequence[SweepRun], out: Path) -> None:
    """Refuse to collect where files of the same names are the user's own; errors as in `collect`."""
    ledger = Ledger(out, "--out")
    ours = {} if ledger.recorded() else _of_earlier_versions(plan, runs, out)
    ledger.require_ours([COLLECTED, *_copies(runs)], ours)


def _copies(runs: Sequence[SweepRun]) -> dict[str, SweepRun]:
    """Return the comparisons by the name of their copy: numbered as in the plan, whichever of them are there."""
    planned = [run for run in runs if run.command == "compare"]
    return {"compare.json" if len(planned) == 1 else f"compare-{n}.json": run for n, run in enumerate(planned, 1)}


def _of_earlier_versions(plan: SweepPlan, runs: Sequence[SweepRun], out: Path) -> dict[str, list[str]]:
    """Return the hashes of what versions without a ledger have written: this plan's results, and its comparisons."""
    compared = [found for path in out.glob("runs/compare-*/compare.json") if (found := hash_of(path)) is not None]
    ours = dict.fromkeys(_copies(runs), compared)
    with suppress(OSError), open_regular(out / COLLECTED) as file:
        start = _start(plan)
        if file.read(len(start)) == start and (found := hash_of(out / COLLECTED)) is not None:
            ours[COLLECTED] = [found]
    return ours


def _start(plan: SweepPlan) -> bytes:
    return f'{{"schema": "escapedim.sweep/1",\n"plan": {json.dumps(plan.name)},\n'.encode()


def _document(plan: SweepPlan, runs: Sequence[SweepRun], complete: Container[str], out: Path) -> Iterator[bytes]:
    """Yield JSON with a line for every run, one after another: thousands of results need not be held apart."""
    yield _start(plan) + b'"runs": ['
    between = "\n"
    for run in runs:
        if run.name in complete:
            yield f"{between}{json.dumps(_entry(run, out), allow_nan=False)}".encode()
            between = ",\n"
    missing = [run.name for run in runs if run.name not in complete]
    yield f'],\n"missing": {json.dumps(missing)}}}\n'.encode()


def _entry(run: SweepRun, out: Path) -> dict[str, Any]:
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
