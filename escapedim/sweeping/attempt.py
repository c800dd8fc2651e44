"""One attempt at one run: its command as a process of its own, under a claim, with a log.

The command continues what an earlier attempt left. `done.json` is written only after it has ended well and its summary
is complete; an attempt that is killed at any moment leaves neither a mark nor a lie.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from escapedim.children import python_module
from escapedim.errors import BadInput, EscapedimError
from escapedim.records import summary
from escapedim.records.atomic import remove_dead, write_atomic
from escapedim.records.claim import HELD, Claim, ClaimLost
from escapedim.records.finished import damage
from escapedim.records.folders import RUNS
from escapedim.records.original import set_aside
from escapedim.records.provenance import now
from escapedim.records.summary import Summary
from escapedim.regular_files import open_appending, read_regular
from escapedim.stop_signals import EXIT_CODES
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.state import BEGUN, DONE, FAILED, LOG, command_holder, is_whole, mark_of, tail

CONFIG, SOURCES = "config.yaml", "sources.txt"
_POLL_S = 0.05
TOLD_TO_STOP = {*EXIT_CODES.values(), *(-number for number in EXIT_CODES)}
"""Exit codes of a command that was told to stop, perhaps by somebody else; the negative ones before it could save."""
Stopping = Callable[[], bool]


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: `complete`, `failed`, `stopped` by a signal, or `held` by somebody else."""

    run: SweepRun
    state: str
    detail: str = ""


def attempt(run: SweepRun, out: Path, jobs: int, device: str | None, stopping: Stopping) -> Ended:
    """Run a command to its end, or until `stopping` says yes: then it saves its state first.

    What goes wrong concerns this run alone: others go on.
    """
    try:
        return _attempt(run, out, jobs, device, stopping)
    except ClaimLost as error:
        return Ended(run, "held", str(error))
    except (EscapedimError, OSError) as error:
        return Ended(run, "failed", str(error))


def _attempt(run: SweepRun, out: Path, jobs: int, device: str | None, stopping: Stopping) -> Ended:
    folder = run.folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        claim = Claim.acquire(folder)
    except BadInput as error:
        return Ended(run, "held", str(error))
    with claim:
        remove_dead(folder)
        (folder / FAILED).unlink(missing_ok=True)  # so that one that is killed leaves no earlier one's mark
        mended = _set_damaged_aside(run, out)
        write_atomic(folder / CONFIG, yaml.safe_dump(dict(run.settings), sort_keys=True).encode())
        if run.command == "compare":
            write_atomic(
                folder / SOURCES,
                "".join(f"{one.summary(out)}\n" for one in run.sources).encode(errors="surrogateescape"),
            )
        began = time.monotonic()
        code = _process(arguments(run, out, jobs, device), folder / LOG, stopping)
        if code in TOLD_TO_STOP or (stopping() and code != 0):
            return Ended(run, "stopped")
        claim.verify()
        if code != 0 and (holder := _holder(folder)):  # what a killed sweep had started: no failure
            return Ended(run, "held", f"its run is held by {holder}")
        found, fault = _found(run, out, code)
        times = {"ended": now(), "wall_s": time.monotonic() - began}
        if found is None:
            _mark(claim, folder / FAILED, {"code": code, **times})
            read = run.sources if run.command == "rewind" else ()  # compare reads summaries only
            return Ended(run, "failed", " ".join([fault, *_unmark_damaged(read, out)]))
        digest = hashlib.sha256(read_regular(run.summary(out))).hexdigest()
        _mark(claim, folder / DONE, {"code": 0, **times, "summary": digest, "id": found.id})
        return Ended(run, "complete", mended)


def _holder(folder: Path) -> str | None:
    """Return who holds the command's own run folder, or held it when the command was refused and has ended since."""
    if held := command_holder(folder):
        return held[0]
    prefix, sentence = f"{folder / RUNS}{os.sep}", tail(folder / LOG)
    name, _, holder = sentence.removeprefix(prefix).partition(HELD)
    return holder if sentence.startswith(prefix) and os.sep not in name and holder else None


def _unmark_damaged(sources: Sequence[SweepRun], out: Path) -> list[str]:
    """Let sources with damaged checkpoints count as missing, so that their command mends them; a sentence for each."""
    damaged = [source for source in sources if damage(source.summary(out))]
    for source in damaged:
        (source.folder(out) / DONE).unlink(missing_ok=True)
    return [f"The next sweep does so for {source.name}." for source in damaged]


def _set_damaged_aside(run: SweepRun, out: Path) -> str:
    """Make room for another summary than one that is damaged, over which no command writes; say so, or nothing."""
    path, done = run.summary(out), mark_of(run.folder(out))
    if done is None or is_whole(path, run, done):
        return ""
    (run.folder(out) / DONE).unlink()
    if not path.exists():
        return "its summary was gone, and was made again"
    return f"its summary had changed since it was written, was set aside as {set_aside(path)}, and made again"


def arguments(run: SweepRun, out: Path, jobs: int, device: str | None) -> list[str]:
    """Return the arguments of the command that makes a run."""
    folder = run.folder(out)
    if run.command == "compare":  # of thousands of runs, too many for a command line
        return ["compare", f"@{folder / SOURCES}", *_flags(run.settings), "--out", str(run.summary(out))]
    given = [str(source.summary(out)) for source in run.sources]
    where = ["--config", str(folder / CONFIG), "--out", str(run.summary(out)), "--jobs", str(jobs)]
    return [run.command, *given, *where, *(["--device", device] if device else [])]


def _flags(settings: Mapping[str, Any]) -> list[str]:
    """Return the settings of compare, which takes no file of them."""
    flags: list[str] = []
    for key, value in settings.items():
        for item in value if isinstance(value, list) else [value]:
            flags += [f"--{key.replace('_', '-')}", str(item)]
    return flags


def _process(given: Sequence[str], log: Path, stopping: Stopping) -> int:
    """Run escapedim in a process with its output appended to a log; pass a signal to stop on, and wait for its end.

    It is passed on as SIGUSR1: a batch system may have sent SIGTERM to the process itself, and a second one would end
    it unsaved.
    """
    with open_appending(log) as file:
        file.write(f"{BEGUN}{now()}: escapedim {' '.join(given)}\n".encode(errors="surrogateescape"))
        file.flush()
        process = subprocess.Popen(
            python_module("escapedim", *given), stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "COLUMNS": "80"},
        )  # fmt: skip
        told = False
        while process.poll() is None:
            if stopping() and not told:
                process.send_signal(signal.SIGUSR1)
                told = True
            time.sleep(_POLL_S)
        return process.returncode


def _found(run: SweepRun, out: Path, code: int) -> tuple[Summary | None, str]:
    """Return the complete summary of an attempt, or why it has failed."""
    if code != 0:
        return None, f"exit code {code}: {tail(run.folder(out) / LOG)}"
    try:
        found = summary.read(run.summary(out))
    except BadInput as error:
        return None, str(error)
    return (found, "") if found.status == "complete" else (None, f"its summary is {found.status}")


def _mark(claim: Claim, path: Path, content: Mapping[str, Any]) -> None:
    write_atomic(path, json.dumps(content).encode(), require=claim.verify)
