"""The process that workers are forked from. It imports torch once, for all of them.

That takes as long as this process takes to import torch, so whoever knows that workers will be needed starts it before:
nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker

from escapedim import children
from escapedim.stop_signals import EXIT_CODES

SIGNALS = tuple(EXIT_CODES)


def start() -> None:
    """Start it where it does not run; it ends with this process."""
    forkserver.set_forkserver_preload(["escapedim.training.server"])
    with children.child_environment(OMP_NUM_THREADS="1"):
        with _blocked_signals():
            resource_tracker.ensure_running()  # by itself, since it unblocks signals
        with _blocked_signals():
            forkserver.ensure_running()


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """Start children that never get what the parent handles: a signal to the whole process group is the parent's.

    One that comes meanwhile gets to the parent afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
