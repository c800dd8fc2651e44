"""The one class that knows all paths of a run, and the checks that its output can be written.

Run folders are `escapedim-runs/KIND-ID` beside the summary, so that they follow `--out` and never fill the
home folder unasked.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self

from escapedim.errors import BadInput
from escapedim.records import atomic
from escapedim.records.summary import Kind, Label, label_of, read_bytes

RUNS = "escapedim-runs"
_COMPARE = "compare-"  # comparisons have no run folder
PROBE = "probe"


@dataclass(frozen=True)
class RunPaths:
    """All paths of one run: its folder, and `out`, where the copy of its summary goes."""

    out: Path
    folder: Path
    kind: Kind
    id: str

    @classmethod
    def locate(cls, out: Path, kind: Kind, id: str, force: bool) -> Self:
        """Find the newest folder of this run, or with `force` a new one; creates nothing.

        Raises
        ------
        BadInput
            The folder of run folders cannot be listed.
        """
        base, stem = out.parent / RUNS, f"{kind}-{id}"
        number = max(_numbers(base, stem), default=0)
        if force or number == 0:
            number += 1
        return cls(out=out, folder=base / (stem if number == 1 else f"{stem}-{number}"), kind=kind, id=id)

    @property
    def relative_folder(self) -> str:
        """The run folder as seen from the folder of `out`: the same wherever both are moved."""
        return f"{RUNS}/{self.folder.name}"

    @property
    def summary(self) -> Path:
        """The original summary; the one at `out` is a copy."""
        return self.folder / f"{self.kind}.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    def checkpoint(self, key: str) -> Path:
        """Return the path of the checkpoint `key`."""
        return self.checkpoints / f"{key}.safetensors"

    @property
    def label(self) -> Label:
        """What the summary of this run says of itself."""
        return Label(f"{self.kind}-{self.id}", self.relative_folder)

    def prepare(self) -> None:
        """Create the folders, try out that files can be written there and beside `out`, and clear up after the killed.

        Raises
        ------
        BadInput
            A folder cannot be made or written.
        """
        for folder in self._folders():
            prepare_folder(folder)
        target = Path(os.path.realpath(self.out))
        for folder, name in ((self.out.parent, PROBE), (target.parent, target.name)):
            atomic.remove_dead(folder, name)  # in the run folder its new holder does that

    def check(self) -> None:
        """Try out that `prepare` will succeed, in the nearest folders that are there; errors as in `prepare`."""
        for folder in self._folders():
            with _explained(folder):
                _try_out(next((near for near in (folder, *folder.parents) if near.exists()), folder))

    def _folders(self) -> tuple[Path, ...]:
        return self.out.parent, self.folder, self.checkpoints


def prepare_folder(folder: Path) -> None:
    """Create a folder, and try out that files can be written there.

    Raises
    ------
    BadInput
        It cannot be made or written.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _try_out(folder)


def check_out(out: Path, new: Label) -> str:
    """Refuse to overwrite what would be lost; say which summary the one of `new` replaces at `out`, or nothing.

    Raises
    ------
    BadInput
        `out` is in a run folder, where originals and checkpoints are; a folder, a device, or a file that is not a
        complete summary of escapedim; or the only copy of another run's summary.
    """
    old = _label_at(out)
    if old is None:
        return ""
    inside = PurePath(old.folder).parts[:-1] == (RUNS,)
    if old == new and (not old.folder or (inside and os.path.isdir(out.parent / old.folder))):
        return ""  # which goes on from there
    if inside and os.path.isfile(out.parent / old.folder / f"{old.run.partition('-')[0]}.json"):
        stays = f"{out} is the summary of {old.folder}, where the original stays"
        return f"{stays}; that of {new.folder or new.run} takes its place."
    if old.run.startswith(_COMPARE) and new.run.startswith(_COMPARE):
        # Its command makes it again.
        return f"{out} is another comparison, {old.run}; {new.run} takes its place."
    raise BadInput(
        f"--out {out} is the only copy of the summary of {old.run}, of which no original is here; move it away, or "
        "choose another --out."
    )


def _label_at(out: Path) -> Label | None:
    # A link is followed: writing goes through it.
    if RUNS in Path(os.path.realpath(out)).parent.parts:
        raise BadInput(f"--out {out} is inside a run folder; choose another --out.")
    try:
        mode = out.stat().st_mode
        if stat.S_ISDIR(mode):
            raise BadInput(f"--out {out} is a folder, expected a file; add a file name such as {out / 'lottery.json'}.")
        if not stat.S_ISREG(mode):
            raise BadInput(f"--out {out} is not a regular file; choose another --out.")
        raw = read_bytes(out)
    except (FileNotFoundError, NotADirectoryError):
        return None  # `prepare` reports a file in the place of a folder
    except OSError as error:
        raise BadInput(f"cannot read --out {out}: {error.strerror}; choose another --out.") from None
    try:
        return label_of(raw, str(out))
    except BadInput:
        raise BadInput(
            f"--out {out} exists and is not a complete escapedim summary; choose another --out or remove it."
        ) from None


def _numbers(base: Path, stem: str) -> list[int]:
    try:
        names = os.listdir(base)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise BadInput(f"cannot list {base}: {error.strerror}; choose another --out.") from None
    pattern = re.compile(rf"{re.escape(stem)}(?:-([2-9]|[1-9][0-9]+))?")
    return [int(match[1] or 1) for match in map(pattern.fullmatch, names) if match]


def _try_out(folder: Path) -> None:
    # Permission bits do not tell: root ignores them, and a mount may be read-only.
    with atomic.temporary(folder / PROBE, b"probe"):
        pass


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(_unwritable(folder, error)) from None


def _unwritable(folder: Path, error: OSError) -> str:
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"expected a folder at {folder}, found a file in its path; choose another --out or move it away."
    return f"cannot write in {folder}: {error.strerror}; choose another --out, or make room or rights there."
