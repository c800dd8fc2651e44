"""Files that escapedim writes into a folder that a user may work in: a record of what it wrote there.

`.escapedim-files.json` has the hashes of those files by name, so that a file of the same name which the user put there,
or changed, is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from escapedim.errors import BadInput
from escapedim.records.atomic import write_atomic
from escapedim.records.strict_json import read_object
from escapedim.regular_files import read_regular

LEDGER = ".escapedim-files.json"
MOST_BYTES = 1 << 24  # ours; a hundred bytes for each of a hundred thousand files


class Ledger:
    """The record of a folder; `option` is what the user would change."""

    def __init__(self, folder: Path, option: str) -> None:
        self._folder, self._option = folder, option

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder / LEDGER

    def require_ours(self, names: Iterable[str], known: Mapping[str, Sequence[str]] | None = None) -> None:
        """Raise unless each name is free, or is that of a file which was written here and has not changed since.

        `known` are more hashes of files that are ours, such as those of what would be written.

        Raises
        ------
        BadInput
            A file that escapedim did not write, or that cannot be read.
        """
        recorded = self.recorded()
        for name in names:
            path = self._folder / name
            ours = [*recorded.get(name, []), *(known or {}).get(name, [])]
            if os.path.lexists(path) and hash_of(path) not in ours:
                raise BadInput(
                    f"{self._option} {path} is a file that escapedim did not write, or that was changed since; move it "
                    f"away, or choose another {self._option}."
                )

    def write(self, files: Mapping[str, bytes], obsolete: Iterable[str] = ()) -> None:
        """Write files, and remove those that are no longer wanted where they are ours.

        Raises
        ------
        EscapedimError
            A file cannot be written.
        """
        before = self.recorded()
        new = {name: [hashlib.sha256(data).hexdigest()] for name, data in files.items()}
        # Old and new hashes first: wherever a kill comes, the file that is there is known.
        self._record({**before, **{name: [*before.get(name, []), *hashes] for name, hashes in new.items()}})
        for name, data in files.items():
            write_atomic(self._folder / name, data, self._option)
        gone = [name for name in obsolete if name in before and name not in files]
        for name in gone:
            if hash_of(self._folder / name) in before[name]:
                (self._folder / name).unlink()
        self._record({name: hashes for name, hashes in {**before, **new}.items() if name not in gone})

    def recorded(self) -> dict[str, list[str]]:
        """Return the hashes of the files that were written here, by name; a damaged record is as good as none."""
        with suppress(OSError, ValueError):
            found = read_object(self.path, MOST_BYTES)
            return {
                name: hashes for name, hashes in found.items() if isinstance(hashes, list) and Path(name).name == name
            }
        return {}

    def _record(self, hashes: Mapping[str, Sequence[str]]) -> None:
        if hashes or self.path.exists():
            write_atomic(self.path, f"{json.dumps(hashes, indent=1)}\n".encode(), self._option)


def hash_of(path: Path) -> str | None:
    """Return the SHA-256 of a regular file, or None where there is none that can be read."""
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except OSError:
        return None
