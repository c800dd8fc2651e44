"""Runs the command line without one kernel: `python -m benchmarking.without_kernel KERNEL ARGUMENT...`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from unittest.mock import patch

import torch
from torch import Tensor

from escapedim.__main__ import main
from escapedim.training import descent
from escapedim.training.data import Data
from escapedim.training.job import Job, State
from escapedim.training.kernels import choice, mixed
from escapedim.training.kernels.dense import Dense
from escapedim.training.kernels.full_batch import FullBatch
from escapedim.training.kernels.mixed import make_whole_stack
from escapedim.training.kernels.stack import Trained


def _without(kind: type) -> Callable[[], None]:
    kept = tuple(kernel for kernel in choice.KERNELS if not isinstance(kernel, kind))
    return lambda: _replace(choice, "KERNELS", kept)


def _unpacked() -> None:
    _replace(mixed, "packable", lambda job, rows: torch.zeros(len(rows), dtype=torch.bool))


def _with_idle() -> None:
    def whole(job: Job, state: State, data: Data, gradients: Tensor | None = None) -> Trained:
        return make_whole_stack(job, state, data, state.under_way(), state.moments, gradients)

    _replace(descent, "make_stack", whole)


def _replace(module: ModuleType, name: str, value: object) -> None:
    patch.object(module, name, value).start()


WITHOUT: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "dense": _without(Dense),
    "full batch": _without(FullBatch),
    "packed": _unpacked,
    "without idle": _with_idle,
}
"""What takes each kernel away."""

if __name__ == "__main__":
    WITHOUT[sys.argv[1]]()
    sys.argv = ["escapedim", *sys.argv[2:]]
    main()
