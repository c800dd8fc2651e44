"""Who holds a claim: a process, told apart from others of its pid, its host and its Slurm job."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from escapedim.records import provenance

_UNKNOWN = "unknown"


class SlurmJob(BaseModel):
    """The Slurm job of a process, as its environment names it.

    The last task of an array has `job`, the number of all of it: `name` is what scancel takes for one task.
    """

    model_config = ConfigDict(frozen=True)

    job: str
    array_job: str | None = None
    array_task: str | None = None
    restarts: str | None = None

    @property
    def name(self) -> str:
        """The job's number, or ARRAY_TASK."""
        return f"{self.array_job}_{self.array_task}" if self.array_job and self.array_task else self.job


class Holder(BaseModel):
    """The content of a claim file, made at `started`; `process_started` tells reused pids apart."""

    model_config = ConfigDict(frozen=True)

    host: str
    boot_id: str | None
    pid_namespace: str | None
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    process_started: str | None
    slurm: SlurmJob | None
    started: str
    token: str
    released: bool = False

    @classmethod
    def this_process(cls) -> Self:
        """Describe this process, with a new random token."""
        return cls(
            host=socket.gethostname(),
            boot_id=_boot_id(),
            pid_namespace=_pid_namespace(),
            pid=os.getpid(),
            process_started=process_started(os.getpid()),
            slurm=_slurm_job(),
            started=provenance.now(),
            token=secrets.token_hex(16),
        )

    def encode(self) -> bytes:
        """Return the bytes of the claim file."""
        return (json.dumps(self.model_dump(), indent=1) + "\n").encode()

    def on_this_host(self) -> bool:
        """Say whether this holder's pid means something here: same host, same boot, same pid namespace."""
        here = (socket.gethostname(), _boot_id(), _pid_namespace())
        return (self.host, self.boot_id, self.pid_namespace) == here

    def is_running(self) -> bool:
        """Say whether the holder's process is there, and not another one of the same pid."""
        found = process_started(self.pid)
        return found is not None and (found == self.process_started or _UNKNOWN in (found, self.process_started))


def process_started(pid: int) -> str | None:
    """Return what tells the process `pid` from others of that pid: its start; None when it is gone.

    A zombie counts as gone, since it cannot write; "unknown" is a process that may not be looked at.
    """
    found = _from_proc(pid) or _from_ps(pid)
    if found is None:
        return _UNKNOWN if _is_there(pid) else None
    state, started = found
    return None if state[0] in "ZX" else started


def _boot_id() -> str | None:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None


def _pid_namespace() -> str | None:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return None


def _slurm_job() -> SlurmJob | None:
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return None
    return SlurmJob(
        job=job,
        array_job=os.environ.get("SLURM_ARRAY_JOB_ID"),
        array_task=os.environ.get("SLURM_ARRAY_TASK_ID"),
        restarts=os.environ.get("SLURM_RESTART_COUNT"),
    )


def _from_proc(pid: int) -> tuple[str, str] | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The second field is the command in parentheses, and may hold spaces and parentheses itself.
    fields = line.rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None


def _from_ps(pid: int) -> tuple[str, str] | None:
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    state, _, started = answer.stdout.strip().partition(" ")
    return (state, started.strip()) if state and started else None


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
