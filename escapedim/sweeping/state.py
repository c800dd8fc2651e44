"""Where the runs of a plan stand, from files alone: no server, no lock, nothing in memory.

A run is complete once `done.json` is there, which is written after its command has ended well, and as long as its
summary is whole: the mark has the hash of its bytes. It failed if the last attempt left `failed.json`, is running while
somebody holds the claim of its folder, and missing otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from escapedim.errors import BadInput
from escapedim.records import summary
from escapedim.records.claim import holder_of
from escapedim.records.folders import RUNS
from escapedim.regular_files import open_regular, read_regular
from escapedim.sweeping.runs import SUMMARIES, SweepRun

DONE, FAILED, LOG = "done.json", "failed.json", "log.txt"
LOST = "its summary is gone or damaged: it is made again"
State = Literal["complete", "running", "failed", "missing"]
BEGUN = "\n# "
"""What a command's part of a log begins with, before the time and the command line."""
_LOG_LINES, _LOG_BYTES = 3, 4096
MOST_MARK_BYTES, LONGEST_S = 1 << 16, 1e9  # ours; 30 years
_SENTENCE, _FRAME = "escapedim: ", " \t╭╮╰╯│─"


@dataclass(frozen=True)
class Standing:
    """A run and its state; `detail` says who runs it and since when, or how its log ends."""

    run: SweepRun
    state: State
    detail: str = ""
    wall_s: float | None = None


def standing(run: SweepRun, out: Path) -> Standing:
    """Return where a run stands."""
    folder = run.folder(out)
    done = mark_of(folder)
    if done is not None and is_whole(run.summary(out), run, done):
        return Standing(run, "complete", wall_s=_seconds(done))
    held = (holder_of(folder) if folder.is_dir() else None) or command_holder(folder)
    if held is not None:
        return Standing(run, "running", f"{held[0]}, heartbeat {held[1]:.0f} s ago")
    if (folder / FAILED).exists():
        code = (_read(folder / FAILED) or {}).get("code")
        told = code if isinstance(code, int) and abs(code) < 1000 else "unknown"
        return Standing(run, "failed", f"exit code {told}: {tail(folder / LOG)}")
    return Standing(run, "missing", "" if done is None else LOST)


def mark_of(folder: Path) -> dict[str, Any] | None:
    """Return what an attempt that ended well has left, if there is one."""
    return _read(folder / DONE)


def is_whole(path: Path, run: SweepRun, done: Mapping[str, Any]) -> bool:
    """Say whether a summary is the one that was marked as done, or at least a complete one of the same run."""
    try:
        raw = read_regular(path)
    except OSError:
        return False
    if done.get("summary") == hashlib.sha256(raw).hexdigest():
        return True
    with suppress(BadInput):  # a command that was repeated by hand has written another one
        found = summary.decode(raw, str(path))
        same = (found.kind, found.id) == (Path(SUMMARIES[run.command]).stem, done.get("id"))
        return same and found.digest is not None and found.status == "complete"
    return False


def command_holder(folder: Path) -> tuple[str, float] | None:
    """Return who holds the command's own run folder: it may outlive the sweep that started it."""
    inner = [path for path in folder.glob(f"{RUNS}/*") if path.is_dir()]
    return next((held for path in inner if (held := holder_of(path)) is not None), None)


def standings(runs: Iterable[SweepRun], out: Path) -> list[Standing]:
    """Return where all runs stand."""
    return [standing(run, out) for run in runs]


def tail(log: Path) -> str:
    """Return what the last command of a log says at its end: its sentence, or the last lines as one."""
    with suppress(OSError), open_regular(log) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
        text = file.read().decode(errors="replace")
        _, begun, own = text.rpartition(BEGUN)
        lines = [line.strip(_FRAME) for line in (own.partition("\n")[2] if begun else text).splitlines()]
        lines = [line for line in lines if line]
        said = [line for line in lines if line.startswith(_SENTENCE)]
        return said[-1].removeprefix(_SENTENCE) if said else " / ".join(lines[-_LOG_LINES:])
    return "no log"


def _seconds(done: Mapping[str, Any]) -> float | None:
    value = done.get("wall_s")
    return float(value) if isinstance(value, float | int) and 0 <= value < LONGEST_S else None


def _read(path: Path) -> dict[str, Any] | None:
    """Return a mark; one that is damaged counts as none."""
    # Not as strict as `strict_json`: a time that is no number is no reason to make a run again.
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(read_regular(path, MOST_MARK_BYTES))
        return found if isinstance(found, dict) else None
    return None
