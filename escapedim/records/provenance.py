"""Where a summary comes from: version and commit of escapedim, machine, arguments, start, largest memory."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import escapedim
from escapedim.records.summary import Provenance

GIT_TIMEOUT_S = 5.0


def collect(
    argv: Sequence[str],
    torch_version: str | None,
    device: str | None,
    threads: int | None,
    seeds: dict[str, Any] | None,
    run_folder: Path | str | None,
) -> Provenance:
    """Return the provenance of a run that starts now; `finished` is filled in at its end."""
    return Provenance(
        version=escapedim.__version__,
        git=commit_of(Path(escapedim.__file__)),
        torch=torch_version,
        device=device,
        threads=threads,
        host=_text(platform.node()),
        argv=[_text(argument) for argument in argv],
        started=now(),
        seeds=seeds,
        run_folder=None if run_folder is None else _text(str(run_folder)),
    )


def now() -> str:
    """Return the time in UTC, in ISO format, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_rss_mb(workers: Iterable[int] = ()) -> float:
    """Return the largest resident memory so far of this process and of living workers, added up, in MiB.

    Pages that processes share count for each of them, so that this is an upper bound. Workers are counted where the
    system has /proc.
    """
    return (_peak_of(os.getpid()) or _peak_by_usage()) + sum(_peak_of(pid) for pid in workers)


def _peak_by_usage() -> float:
    # On Linux this is never less than the memory of whatever process started this one.
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 2**10  # bytes on macOS, KiB elsewhere


def _peak_of(pid: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    return 0.0


def commit_of(file: Path) -> str | None:
    """Return the commit of the checkout that tracks `file`, with "-dirty" where tracked files differ from it.

    None without git, outside a checkout, and where a checkout contains the file but does not track it (an
    installation in a virtual environment inside somebody else's repository).
    """
    if _git(file.parent, "ls-files", "--error-unmatch", "--", file.name) is None:
        return None
    commit = _git(file.parent, "rev-parse", "--verify", "HEAD")
    changes = _git(file.parent, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return f"{commit}-dirty" if changes else commit


def _git(folder: Path, *arguments: str) -> str | None:
    # GIT_DIR and its like are set inside git's hooks, and would point at another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        answer = subprocess.run(
            [
                "git",
                "-c",
                "core.fsmonitor=false",
                "-C",
                str(folder),
                *arguments,
            ],  # a repository's own settings may name a program to run
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT_S,
            check=False,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else None


def _text(argument: str) -> str:
    # Bytes that are not UTF-8 arrive as lone surrogates, which no JSON file can hold.
    return argument.encode(errors="backslashreplace").decode()
