"""Losses: averages over the samples of the cross-entropy of logits against one-hot targets, or of the squared error.

The squared error is averaged over outputs too. Samples count alike, or as `weights` (samples,) say, which sum to 1: a
quadrature.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def cross_entropy(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Average cross-entropy over the samples `(..., samples, classes)` against one-hot targets."""
    return _average(-(torch.log_softmax(outputs, -1) * targets).sum(-1), weights)


def squared_error(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Average squared error over samples and outputs `(..., samples, outputs)`."""
    errors = (outputs - targets) ** 2
    return errors.mean((-1, -2)) if weights is None else _average(errors.mean(-1), weights)


def _average(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean(-1) if weights is None else (values * weights).sum(-1)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross-entropy": cross_entropy,
    "squared": squared_error,
}
"""Losses of outputs and targets `(..., samples, outputs)`, and weights or None; the result is `(...)`."""
