"""The summary that a start takes over: the original in the run folder, or where that is damaged its copy at `--out`.

Both are written one after the other, and what they name is deleted only afterwards: so a good copy is a generation that
all checkpoints are still there for. What is damaged is set aside and never deleted.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from escapedim import __version__
from escapedim.errors import BadInput
from escapedim.records import summary
from escapedim.records.folders import RunPaths
from escapedim.records.summary import BadSummary, Summary

DAMAGED = ".damaged"


@dataclass(frozen=True)
class Originals:
    """Where a run has its summaries."""

    paths: RunPaths

    def read(self) -> tuple[Summary, str]:
        """Return the summary to go on from, and a sentence about what was wrong with the original, or nothing.

        Raises
        ------
        BadInput
            The original is damaged, foreign or gone, and there is no good copy; or another version wrote it.
        """
        try:
            found, said = self._original(), ""
        except _Unusable as fault:
            copy = self._copy()
            if copy is None:
                raise BadInput(
                    f"{fault}; put a good copy of it back as {self.paths.summary}, or start anew with --force."
                ) from None
            aside = f", which was set aside as {set_aside(self.paths.summary)}" if self.paths.summary.exists() else ""
            found, said = copy, f"{fault}{aside}; going on from the copy at {self.paths.out}."
        if found.provenance.version != __version__:
            raise BadInput(
                f"{self.paths.folder} was begun by escapedim {found.provenance.version}, this is {__version__}; "
                "finish it with that version, or start anew with --force."
            )
        return found, said

    def _original(self) -> Summary:
        path = self.paths.summary
        if not path.exists():
            raise _Unusable(f"{self.paths.folder} has checkpoints but its summary {path.name} is gone")
        try:
            found = summary.read(path)
        except BadSummary as error:
            raise _Unusable(error.fault) from None
        if not self._is_mine(found):
            raise _Unusable(f"{path} belongs to another run ({found.kind} {found.id})")
        if found.digest is None:  # checkpoints that an edited original does not name would be deleted
            raise _Unusable(f"{path} was edited after it was written (expected its digest, found none)")
        return found

    def _copy(self) -> Summary | None:
        with suppress(BadInput):
            found = summary.read(self.paths.out)
            if self._is_mine(found) and found.digest is not None:
                return found
        return None

    def _is_mine(self, found: Summary) -> bool:
        return (found.kind, found.id) == (self.paths.kind, self.paths.id)


class _Unusable(Exception):
    """An original that is no help; the message is a clause."""


def set_aside(path: Path) -> Path:
    """Give a damaged file a name of which nothing is read, and return it."""
    aside = path.with_name(path.name + DAMAGED)
    os.replace(path, aside)
    return aside
