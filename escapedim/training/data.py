"""A task's arrays as tensors on the training device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from escapedim.tasks.base import Split, Task


@dataclass(frozen=True)
class Samples:
    """Inputs `(samples, inputs)` and targets `(samples, outputs)`: one-hot labels or values."""

    x: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Data:
    """A task's three parts in one dtype on one device."""

    train: Samples
    validation: Samples
    test: Samples

    @classmethod
    def of(cls, task: Task, dtype: str, device: str) -> Data:
        """Turn stored arrays into network inputs `(raw - shift) * scale`, computed in float64."""
        parts = (_samples(task, split, dtype, device) for split in (task.train, task.validation, task.test))
        return cls(*parts)


def _samples(task: Task, split: Split, dtype: str, device: str) -> Samples:
    kind = getattr(torch, dtype)
    x = np.empty(split.x.shape, dtype)
    for start in range(0, len(x), 8192):  # in blocks, so that float64 copies of large data never exist
        x[start : start + 8192] = (split.x[start : start + 8192].astype(np.float64) - task.shift) * task.scale
    if task.has_accuracy:
        targets = torch.zeros(len(split), task.outputs, dtype=kind)
        targets[torch.arange(len(split)), torch.from_numpy(split.y.astype(np.int64))] = 1
    else:
        targets = torch.from_numpy(split.y.reshape(len(split), -1).astype(dtype))
    return Samples(torch.from_numpy(x).to(device), targets.to(device))
