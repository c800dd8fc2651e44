"""A task's arrays as tensors on the training device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from escapedim.tasks.base import Split, Stream, Task


@dataclass(frozen=True)
class Samples:
    """Inputs `(samples, inputs)` and targets `(samples, outputs)`: one-hot labels or values.

    With `weights` `(samples,)`, which sum to 1, the loss is a weighted average; with a `stream` there are no samples,
    and every step draws its own.
    """

    x: Tensor
    targets: Tensor
    weights: Tensor | None = None
    stream: Stream | None = None


@dataclass(frozen=True)
class Data:
    """A task's three parts in one dtype on one device."""

    train: Samples
    validation: Samples
    test: Samples

    @classmethod
    def of(cls, task: Task, dtype: str, device: str) -> Data:
        """Turn stored arrays into network inputs `(raw - shift) * scale`, computed in float64."""
        train, validation, test = (
            _samples(task, split, dtype, device) for split in (task.train, task.validation, task.test)
        )
        if task.weights is not None:
            train = replace(train, weights=torch.from_numpy(task.weights.astype(dtype)).to(device))
        return cls(replace(train, stream=task.stream), validation, test)


def _samples(task: Task, split: Split, dtype: str, device: str) -> Samples:
    kind = getattr(torch, dtype)
    x = np.empty(split.x.shape, dtype)
    for start in range(0, len(x), 8192):  # in blocks, so that float64 copies of large data never exist
        x[start : start + 8192] = (split.x[start : start + 8192].astype(np.float64) - task.shift) * task.scale
    if task.classifies:
        targets = torch.zeros(len(split), task.outputs, dtype=kind)
        targets[torch.arange(len(split)), torch.from_numpy(split.y.astype(np.int64))] = 1
    else:
        targets = torch.from_numpy(split.y.reshape(len(split), task.outputs).astype(dtype))
    return Samples(torch.from_numpy(x).to(device), targets.to(device))
