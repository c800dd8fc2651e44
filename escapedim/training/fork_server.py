"""The process that workers are forked from. It imports torch once, for all of them.

That takes a second or more, as importing torch does here: started before this process imports it, both do so at the
same time. So nothing in this module imports torch.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker, util

from escapedim import children
from escapedim.stop_signals import EXIT_CODES

SIGNALS = tuple(EXIT_CODES)


def start() -> None:
    """Start it where it does not run. It ends when this process has ended and its own imports are done."""
    forkserver.set_forkserver_preload(["escapedim.training.preload"])
    with children.child_environment(OMP_NUM_THREADS="1"):
        with _blocked_signals():
            resource_tracker.ensure_running()  # by itself, since it unblocks signals
        with _blocked_signals():
            forkserver.ensure_running()


def end() -> None:
    """Kill it and remove its folder: for a process that is about to end without Python's own tidying."""
    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if pid is not None:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(util.get_temp_dir(), ignore_errors=True)


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block the signals that the parent handles. Children that start meanwhile inherit that, and never get them.

    A signal to the whole process group is the parent's; one that comes meanwhile gets to it afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
