"""Losses: means over the samples of the cross-entropy of logits against one-hot targets, or of the squared error.

The squared error is averaged over outputs too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy over the samples `(..., samples, classes)` against one-hot targets."""
    return -(torch.log_softmax(outputs, -1) * targets).sum(-1).mean(-1)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error over samples and outputs `(..., samples, outputs)`."""
    return ((outputs - targets) ** 2).mean((-1, -2))


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": cross_entropy,
    "squared": squared_error,
}
