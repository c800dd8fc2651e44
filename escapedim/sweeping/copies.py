"""Comparisons copied into a sweep's folder, where they are looked for.

`runs/copies.json` records the hash of each copy, so that a file of that name which the user put there is never
overwritten: the folder may be one that the user works in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.records.atomic import write_atomic
from escapedim.records.strict_json import read_object
from escapedim.regular_files import read_regular
from escapedim.sweeping.runs import Run

RECORD = "runs/copies.json"
MOST_RECORD_BYTES = 1 << 24  # ours; a hundred bytes for each of a hundred thousand comparisons


class Copies:
    """The copies of a plan's comparisons in the folder `out`, numbered as in the plan, whichever of them are there."""

    def __init__(self, runs: Sequence[Run], out: Path) -> None:
        planned = [run for run in runs if run.command == "compare"]
        self._out = out
        self._runs = {
            "compare.json" if len(planned) == 1 else f"compare-{number}.json": run
            for number, run in enumerate(planned, 1)
        }

    def check(self) -> None:
        """Refuse a file in the place of a copy that no sweep put there.

        Raises
        ------
        BadInput
            Such a file.
        """
        recorded = self._recorded()
        for name, run in self._runs.items():
            there = _hash_of(self._out / name)
            # Versions before this one left no record; a copy that is up to date is known by its source.
            if there is not None and there not in recorded.get(name, []) and there != _hash_of(run.summary(self._out)):
                raise self._foreign(name)
        for name in self._runs:
            if (self._out / name).exists() and not (self._out / name).is_file():
                raise self._foreign(name)

    def replace(self, complete: Sequence[Run]) -> list[Path]:
        """Copy the comparisons that are complete, remove copies of an earlier plan, and return the copies."""
        names = {run.name for run in complete}
        found = {name: read_regular(run.summary(self._out)) for name, run in self._runs.items() if run.name in names}
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
        before = self._recorded()
        # Old and new hashes first: wherever a kill comes, the copy that is there is known.
        self._record({**before, **{name: [*before.get(name, []), value] for name, value in hashes.items()}})
        for name, data in found.items():
            write_atomic(self._out / name, data)
        for name in before.keys() - found.keys():
            if _hash_of(self._out / name) in before[name]:
                (self._out / name).unlink()
        self._record({name: [value] for name, value in hashes.items()})
        return [self._out / name for name in found]

    def _recorded(self) -> dict[str, list[str]]:
        """Return the hashes of the copies that were written here, by name; a damaged record is as good as none."""
        with suppress(OSError, ValueError):
            found = read_object(self._out / RECORD, MOST_RECORD_BYTES)
            return {
                name: hashes for name, hashes in found.items() if isinstance(hashes, list) and Path(name).name == name
            }
        return {}

    def _record(self, hashes: Mapping[str, Sequence[str]]) -> None:
        if hashes or (self._out / RECORD).exists():
            (self._out / RECORD).parent.mkdir(exist_ok=True)
            write_atomic(self._out / RECORD, json.dumps(hashes, indent=1).encode())

    def _foreign(self, name: str) -> BadInput:
        return BadInput(
            f"{self._out / name} is not what this sweep wrote, and its comparisons go there; move it away, or choose "
            "another --out."
        )


def _hash_of(path: Path) -> str | None:
    """Return the SHA-256 of a regular file, or None where there is none."""
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except OSError:
        return None
