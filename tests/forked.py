"""Runs of a sweep as copies of the test's process, which has imported all that they need: each ends seconds sooner.

For tests that are about what the runs of a sweep leave, and not about how their processes start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import IO, Any

import pytest
import scipy.stats  # noqa: F401  # imported before the fork, like `commands` and `comparing`: no copy does it again
import torch

from escapedim.cli import commands, comparing, signals  # noqa: F401
from escapedim.cli.main import app, run
from escapedim.sweeping import attempt


class Forked:
    """A command in a copy of this process, with the part of `subprocess.Popen` that an attempt uses."""

    def __init__(self, command: Sequence[str], stdout: IO[bytes], env: Mapping[str, str], **how: Any) -> None:
        assert how == {"stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, "start_new_session": True}
        self.returncode: int | None = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads: one of this process's own waits for us
            self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                code = _run(list(command), stdout.fileno(), env)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        """Return the exit code once the process has ended."""
        if self.returncode is None and (ended := os.waitpid(self._pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, which has not been waited for."""
        os.kill(self._pid, number)


def _run(command: list[str], log: int, env: Mapping[str, str]) -> int:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.environ.clear()
    os.environ.update(env)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signals.AT_END.clear()  # the fork server is the test's
    signals.take_over()
    sys.argv = ["escapedim", *command[command.index("escapedim") + 1 :]]
    code = run(lambda: app(sys.argv[1:], prog_name="escapedim"))
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def fork_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sweeps of a test fork their runs, one at a time and of one process each."""
    torch.func.vmap(torch.func.grad(torch.square))(torch.zeros(1))  # its first use imports as much as torch itself
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    fake_subprocess = SimpleNamespace(Popen=Forked, STDOUT=subprocess.STDOUT, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(attempt, "subprocess", fake_subprocess)
