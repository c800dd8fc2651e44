"""Loss and accuracy of every member on a set of samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP
from escapedim.training.data import Samples

BLOCK = 4096  # samples at once, so that memory does not grow with the data; ours


@dataclass(frozen=True)
class Scores:
    """Per member: mean loss and share of samples whose largest output is their label, both float64 `(members,)`."""

    loss: Tensor
    accuracy: Tensor


def evaluate(model: MLP, loss: str, flat: Tensor, samples: Samples) -> Scores:
    """Evaluate members `(members, parameters)`; a member with a non-finite output has the accuracy NaN.

    A lone member is evaluated as a stack of two, for the sake of its last bits: see `training.gradients`.
    """
    if len(flat) == 1:
        both = evaluate(model, loss, flat.expand(2, -1).contiguous(), samples)
        return Scores(both.loss[:1], both.accuracy[:1])
    layout, count = Layout(model.shapes), len(samples.x)
    total = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    right = torch.zeros_like(total)
    for start in range(0, count, BLOCK):
        x, targets = samples.x[start : start + BLOCK], samples.targets[start : start + BLOCK]
        outputs = torch.func.vmap(model.apply, in_dims=(0, 0))(layout.views(flat), x.expand(len(flat), *x.shape))
        total += LOSSES[loss](outputs.double(), targets.double()) * len(x)
        hits = (outputs.argmax(-1) == targets.argmax(-1)).sum(-1).double()
        right += torch.where(outputs.isfinite().all(-1).all(-1), hits, torch.nan)
    return Scores(total / count, right / count)
