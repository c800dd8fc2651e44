"""A finished run, as later commands start from it: its summary, and its checkpoints by their recorded hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from escapedim import __version__
from escapedim.errors import BadInput
from escapedim.records import checkpoint, summary
from escapedim.records.checkpoint import Arrays
from escapedim.records.strict_json import canonical
from escapedim.records.summary import Kind, Summary
from escapedim.text import excerpt


@dataclass(frozen=True)
class FinishedRun:
    """A complete summary and where it was read."""

    path: Path
    summary: Summary

    @classmethod
    def read(cls, path: Path, kinds: Sequence[Kind]) -> Self:
        """Read a summary of one of these kinds.

        Raises
        ------
        BadInput
            No such summary, one of another kind, an unfinished one, or one of another version.
        """
        found = summary.read(path)
        if found.kind not in kinds:
            raise BadInput(f"{path}: expected a {' or '.join(kinds)} summary, found a {found.kind} summary; name one.")
        if found.status != "complete":
            raise BadInput(f"{path}: expected a finished run, found one that is {found.status}; finish it first.")
        if found.provenance.version != __version__:
            raise BadInput(
                f"{path} was written by escapedim {found.provenance.version}, this is {__version__}; "
                "repeat that run, or use that version."
            )
        return cls(path, found)

    @property
    def name(self) -> str:
        """Kind, identity and a hash of what was found: equal for equal results, wherever they lie."""
        content = hashlib.sha256(canonical(self.summary.result.model_dump(mode="json")).encode()).hexdigest()
        return f"{self.summary.kind}-{self.summary.id}-{content[:16]}"

    @contextmanager
    def taken_apart(self) -> Iterator[None]:
        """Context in which an edited run may turn out to be of another form than escapedim writes.

        With its digest a summary vouches for the hashes of its checkpoints, and an error is a fault of escapedim.

        Raises
        ------
        BadInput
            The summary has no digest, and its checkpoints are not of that form.
        """
        try:
            yield
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if self.summary.digest is not None:
                raise
            found = excerpt(f"{type(error).__name__}: {error}")
            raise BadInput(
                f"{self.path} was edited after it was written (expected its digest, found none), and its checkpoints "
                f"are not as escapedim writes them ({found}); repeat the command that wrote it with --force."
            ) from error

    def checkpoints(self) -> dict[str, tuple[Arrays, dict[str, Any]]]:
        """Return arrays and metrics of all finished works, by key.

        Raises
        ------
        BadInput
            A checkpoint is missing, damaged or another run's.
        """
        files = {Path(file).stem: value for file, value in sorted(self.summary.result.checkpoints.items())}
        return {key: self.checkpoint(key, value) for key, value in files.items()}

    def checkpoint(self, key: str, expected: str) -> tuple[Arrays, dict[str, Any]]:
        """Return arrays and metrics of one finished work by its hash; errors as in `checkpoints`."""
        path = self._folder / "checkpoints" / f"{key}.safetensors"
        try:
            arrays, metadata = checkpoint.read(path, expected)
        except BadInput as error:
            raise BadInput(str(error).replace("the command", f"the command that wrote {self.path}")) from None
        if metadata.get("run") != self.summary.id or metadata.get("key") != key:
            raise BadInput(f"the checkpoint {path} belongs to another run; {checkpoint.REMEDY}.")
        return arrays, metadata["metrics"]

    @property
    def _folder(self) -> Path:
        """The run folder: beside the summary, or around it where the original was named."""
        beside = self.path.parent / str(self.summary.provenance.run_folder)
        return beside if os.path.exists(beside) else self.path.parent  # False too for what can be no path


def damage(path: Path) -> str:
    """Return what is wrong with a finished run's checkpoints, with the remedy, or nothing."""
    try:
        found = FinishedRun(path, summary.read(path))
        for file, value in found.summary.result.checkpoints.items():
            found.checkpoint(Path(file).stem, value)
    except BadInput as error:
        return str(error)
    return ""
