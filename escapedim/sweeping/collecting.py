"""What a plan found, in one file: the results of all complete runs, and the final comparisons beside it.

`collected.json` has no times, hosts or paths, so that the same plan run elsewhere, in another order or through faults
has an equal file. The folder may be one that a user works in: `runs/copies.json` has the hashes of the copies that were
written, and other files of their names are left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from escapedim.errors import BadInput
from escapedim.records import summary
from escapedim.records.atomic import remove_dead, write_atomic
from escapedim.records.ours import require_ours
from escapedim.records.regular import read_regular
from escapedim.records.strict_json import parse_object
from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run
from escapedim.sweeping.state import standing

COLLECTED, COPIES = "collected.json", "runs/copies.json"
NO_FILE = "no file"
_MARK = '{"schema": "escapedim.sweep/'


def collect(plan: Plan, runs: Sequence[Run], out: Path) -> list[Path]:
    """Write what there is, and return the files: `collected.json` and the comparisons.

    Raises
    ------
    BadInput
        Files of these names that no sweep wrote; nothing is written then.
    """
    check_collected(runs, out)
    complete = {run.name for run in runs if standing(run, out).state == "complete"}
    remove_dead(out)
    write_atomic(out / COLLECTED, b"".join(_document(plan, runs, complete, out)))
    return [out / COLLECTED, *_copy(_copies(runs), complete, out)]


def check_collected(runs: Sequence[Run], out: Path) -> None:
    """Refuse to collect where files of the same names are the user's own.

    Raises
    ------
    BadInput
        Such a file.
    """
    require_ours(out / COLLECTED, _MARK.encode(), "--out", at_start=True)
    written = _written(out)
    for name, run in _copies(runs).items():
        found, own = _hash(out / name), {*written.get(name, ()), _hash(run.summary(out))} - {NO_FILE}
        if found is not None and found not in own:
            raise BadInput(
                f"{out / name} is not what this sweep wrote; move it away, or choose another --out: the sweep puts its "
                "comparisons there."
            )


def _document(plan: Plan, runs: Sequence[Run], complete: Container[str], out: Path) -> Iterator[bytes]:
    """Yield JSON with a line for every run, one after another: thousands of results need not be held apart."""
    yield f'{_MARK}1",\n"plan": {json.dumps(plan.name)},\n"runs": ['.encode()
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


def _copies(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the comparisons by the name of their copy, which is looked for in the sweep's folder.

    They are numbered as in the plan, whichever of them are there.
    """
    planned = [run for run in runs if run.command == "compare"]
    return {"compare.json" if len(planned) == 1 else f"compare-{n}.json": run for n, run in enumerate(planned, 1)}


def _copy(copies: Mapping[str, Run], complete: Container[str], out: Path) -> list[Path]:
    """Copy the comparisons that are there, remove copies of an earlier plan, and return the copies."""
    found = {name: read_regular(run.summary(out)) for name, run in copies.items() if run.name in complete}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    before = _written(out)
    # Both, so that whenever a kill comes what lies there is known.
    _write_record({**before, **{name: [*before.get(name, ()), value] for name, value in hashes.items()}}, out)
    for name, data in found.items():
        write_atomic(out / name, data)
    for name in before.keys() - found.keys():
        if _hash(out / name) in before[name]:
            (out / name).unlink()
    _write_record({name: [value] for name, value in hashes.items()}, out)
    return [out / name for name in found]


def _written(out: Path) -> dict[str, list[str]]:
    """Return the hashes of the copies that sweeps have written here, by name."""
    with suppress(OSError, ValueError):
        found = parse_object(read_regular(out / COPIES, 1 << 24))
        return {name: hashes for name, hashes in found.items() if isinstance(hashes, list) and Path(name).name == name}
    return {}


def _write_record(hashes: Mapping[str, Sequence[str]], out: Path) -> None:
    if hashes or (out / COPIES).exists():
        (out / COPIES).parent.mkdir(exist_ok=True)
        write_atomic(out / COPIES, json.dumps(hashes, indent=1).encode())


def _hash(path: Path) -> str | None:
    """Return the hash of what lies there, `NO_FILE` if that is no file, or None if nothing does."""
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except FileNotFoundError:
        return None
    except OSError:
        return NO_FILE
