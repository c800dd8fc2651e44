"""The work of a step, recorded once and replayed: on CUDA a small step is mostly the launching of its kernels.

A CUDA graph (Gray 2019; torch.cuda.CUDAGraph) repeats the same kernels on the same memory: whatever changes from step
to step must be written into tensors that stay. On other devices the work is simply done.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

RECORD_AFTER = 20  # calls before recording pays: a stack that members are leaving does not live much longer; ours


class Replay:
    """Does the same work at every call, from some call on by replaying what it did.

    Who does the work owns its replay, and the replay does not know it: so a graph goes with the last name of its owner,
    and not whenever Python collects cycles, which is forbidden while another graph is recorded.
    """

    def __init__(self, cuda: bool) -> None:
        self._cuda, self._calls = cuda, 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        """Do the work once; it is the same at every call."""
        if self._graph is not None:
            self._graph.replay()
            return
        self._calls += 1
        if not self._cuda or self._calls <= RECORD_AFTER:
            work()
            return
        self._graph = _recorded(work)
        self._graph.replay()


def _recorded(work: Callable[[], None]) -> torch.cuda.CUDAGraph:
    graph, collects = torch.cuda.CUDAGraph(), gc.isenabled()
    gc.disable()
    try:
        with torch.cuda.graph(graph):
            work()
    finally:
        if collects:
            gc.enable()
    return graph
