"""Loss and accuracy of every member on a set of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP
from escapedim.tasks import relu_teacher_forms
from escapedim.training.data import Samples

BLOCK = 4096  # samples at once, so that memory does not grow with the data; ours


@dataclass(frozen=True)
class Scores:
    """Per member: average loss and share of samples that are right, both float64 `(members,)`.

    A sample is right where its largest output is its label, or by the squared loss where all outputs have the signs of
    their targets.
    """

    loss: Tensor
    accuracy: Tensor


def evaluate(model: MLP, loss: str, flat: Tensor, samples: Samples) -> Scores:
    """Evaluate members `(members, parameters)`; a member with a non-finite output has the accuracy NaN.

    Without samples both are NaN, but for a loss in closed form, which needs none.
    A lone member is evaluated as a stack of two, for the sake of its last bits: see `training.gradients`.
    """
    if len(flat) == 1:
        both = evaluate(model, loss, _twice(flat), samples)
        return Scores(both.loss[:1], both.accuracy[:1])
    total = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    if loss == "relu-teacher":
        # No loss is below 0, but the sum of its parts rounds to 1e-15 of them.
        views = Layout(model.shapes).views(flat)
        exact = relu_teacher_forms.loss(views["layer1.weight"].double()).clamp_min(0)
        return Scores(exact, torch.full_like(total, torch.nan))
    right, count = torch.zeros_like(total), len(samples.x)
    for outputs, part in _blocks(model, flat, samples):
        targets = part.targets.double()
        if part.weights is None:
            total += LOSSES[loss](outputs.double(), targets) * len(targets)
        else:
            total += LOSSES[loss](outputs.double(), targets, count * part.weights.double())
        right += _right(loss, outputs, part.targets)
    return Scores(total / count, right / count)


def accuracy(model: MLP, loss: str, flat: Tensor, samples: Samples) -> Tensor:
    """Return the accuracies `(members,)` of `evaluate` alone, in half of its time."""
    if len(flat) == 1:
        return accuracy(model, loss, _twice(flat), samples)[:1]
    right = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    for outputs, part in _blocks(model, flat, samples):
        right += _right(loss, outputs, part.targets)
    return right / len(samples.x)


def _twice(flat: Tensor) -> Tensor:
    return flat.expand(2, -1).contiguous()


def _blocks(model: MLP, flat: Tensor, samples: Samples) -> Iterator[tuple[Tensor, Samples]]:
    """Yield outputs `(members, block, outputs)` of one block of samples after the other."""
    views = Layout(model.shapes).views(flat)
    for start in range(0, len(samples.x), BLOCK):
        part = slice(start, start + BLOCK)
        x, targets = samples.x[part], samples.targets[part]
        weights = None if samples.weights is None else samples.weights[part]
        outputs = model.apply_stack(views, x.expand(len(flat), *x.shape))
        yield outputs, Samples(x, targets, weights)


def _right(loss: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """How many samples are right `(members,)`, NaN where an output is not finite."""
    if loss == "cross-entropy":
        hits = outputs.argmax(-1) == targets.argmax(-1)
    else:
        hits = (outputs.sign() == targets.sign()).all(-1)
    return torch.where(outputs.flatten(1).isfinite().all(1), hits.sum(-1).double(), torch.nan)
