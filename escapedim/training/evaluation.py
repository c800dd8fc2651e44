"""Loss and accuracy of every member on a set of samples."""

from __future__ import annotations

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
        both = evaluate(model, loss, flat.expand(2, -1).contiguous(), samples)
        return Scores(both.loss[:1], both.accuracy[:1])
    layout, count = Layout(model.shapes), len(samples.x)
    total = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    if loss == "relu-teacher":
        # No loss is below 0, but the sum of its parts rounds to 1e-15 of them.
        exact = relu_teacher_forms.loss(layout.views(flat)["layer1.weight"].double()).clamp_min(0)
        return Scores(exact, torch.full_like(total, torch.nan))
    right = torch.zeros_like(total)
    for start in range(0, count, BLOCK):
        x, targets = samples.x[start : start + BLOCK], samples.targets[start : start + BLOCK]
        outputs = torch.func.vmap(model.apply, in_dims=(0, 0))(layout.views(flat), x.expand(len(flat), *x.shape))
        weights = None if samples.weights is None else count * samples.weights[start : start + BLOCK].double()
        if weights is None:
            total += LOSSES[loss](outputs.double(), targets.double()) * len(x)
        else:
            total += LOSSES[loss](outputs.double(), targets.double(), weights)
        hits = _right(loss, outputs, targets).sum(-1).double()
        right += torch.where(outputs.isfinite().all(-1).all(-1), hits, torch.nan)
    return Scores(total / count, right / count)


def _right(loss: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Which samples are right `(members, samples)`."""
    if loss == "cross-entropy":
        return outputs.argmax(-1) == targets.argmax(-1)
    return (outputs.sign() == targets.sign()).all(-1)
