"""Loss and accuracy of every member on a set of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP, Params
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
    A lone member is evaluated as a stack of two, whatever its shape: products of one member may be other kernels of
    torch, which round differently (`training.gradients`).
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
    for outputs, block in _blocks(model, flat, samples):
        targets = block.targets.double()
        if block.weights is None:
            total += LOSSES[loss](outputs.double(), targets) * len(targets)
        else:  # they sum to 1 over all samples, and the total is divided by `count`
            total += LOSSES[loss](outputs.double(), targets, count * block.weights.double())
        right += _right(loss, outputs, block.targets)
    return Scores(total / count, right / count)


def accuracy(model: MLP, loss: str, flat: Tensor, samples: Samples) -> Tensor:
    """Return the accuracies `(members,)` of `evaluate` alone: without the losses, which take as long."""
    if len(flat) == 1:
        return accuracy(model, loss, _twice(flat), samples)[:1]
    if loss == "relu-teacher":
        return torch.full((1,), torch.nan, dtype=torch.float64, device=flat.device).expand(len(flat))
    right = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    for outputs, block in _blocks(model, flat, samples):
        right += _right(loss, outputs, block.targets)
    return right / len(samples.x)


def _twice(flat: Tensor) -> Tensor:
    return flat.expand(2, -1).contiguous()


def _blocks(model: MLP, flat: Tensor, samples: Samples) -> Iterator[tuple[Tensor, Samples]]:
    """Yield one block of samples after the other, each with the outputs `(members, block, outputs)`."""
    views = Layout(model.shapes).views(flat)
    for start in range(0, len(samples.x), BLOCK):
        block = slice(start, start + BLOCK)
        x, targets = samples.x[block], samples.targets[block]
        weights = None if samples.weights is None else samples.weights[block]
        yield stack_outputs(model, views, x.expand(len(flat), *x.shape)), Samples(x, targets, weights)


def stack_outputs(model: MLP, params: Params, x: Tensor) -> Tensor:
    """Outputs `(members, samples, outputs)` of a stack, whose parameters and inputs begin with `(members, ...)`.

    On the CPU they are those of `torch.func.vmap` over `model.apply` to the last bit, as all published results are. One
    product of torch does what vmap copies inputs for.
    """
    activation = TABLE[model.activation]
    # Under vmap, where tanh is torch's: NumPy's, of `models.elementwise`, rounds differently.
    activate = torch.func.vmap(activation.in_place or activation.function)
    for n in range(1, model.depth + 1):
        transposed, bias = params[f"layer{n}.weight"].mT, params.get(f"layer{n}.bias")
        x = torch.bmm(x, transposed)
        if bias is not None:  # not by baddbmm, which rounds differently where there are hundreds of inputs
            x += bias.unsqueeze(1)
        if n < model.depth:
            x = activate(x)  # in place where it can be: the products are new
    return x


def _right(loss: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """How many samples are right `(members,)`, NaN where an output is not finite."""
    if loss == "cross-entropy":
        hits = outputs.argmax(-1) == targets.argmax(-1)
    else:
        hits = (outputs.sign() == targets.sign()).all(-1)
    return torch.where(outputs.flatten(1).isfinite().all(1), hits.sum(-1).double(), torch.nan)
