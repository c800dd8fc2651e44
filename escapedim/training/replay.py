"""The work of a step, recorded once and replayed: on CUDA a small step is mostly the launching of its kernels.

A CUDA graph (Gray 2019; torch.cuda.CUDAGraph) repeats the same kernels on the same memory: whatever changes from step
to step must be written into tensors that stay. On other devices the work is simply done.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

RECORD_AFTER = 20  # calls before recording pays: a stack that members are leaving does not live much longer; ours


class Replay:
    """Does `work` at every call, from some call on by replaying what it did."""

    def __init__(self, work: Callable[[], None], cuda: bool) -> None:
        self._work, self._cuda, self._calls = work, cuda, 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        """Do the work once."""
        if self._graph is not None:
            self._graph.replay()
            return
        self._calls += 1
        if not self._cuda or self._calls <= RECORD_AFTER:
            self._work()
            return
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._work()
        self._graph = graph
        graph.replay()
