"""Gradients of a stack of members.

`AutogradGradient` takes any model through `torch.func`; `MLPGradient` is the same gradient of a fully connected net,
derived by hand over preallocated buffers: the hot shape of this tool. The tests hold one against the other.

Losses are means over the batch: cross-entropy of the logits against one-hot targets, or the squared error averaged
over samples and outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.mlp import MLP
from escapedim.training.layout import Layout


class Gradient(Protocol):
    """Writes the gradient of every member's loss `(members, parameters)` into `out`."""

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """`x` is `([members,] batch, inputs)`, `targets` `([members,] batch, outputs)`."""


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


class AutogradGradient:
    """The gradient of any model that is written for one network, by `torch.func.vmap` over `torch.func.grad`."""

    def __init__(self, model: MLP, loss: str) -> None:
        layout = Layout(model.shapes)

        def member_loss(row: Tensor, x: Tensor, targets: Tensor) -> Tensor:
            params = {name: view[0] for name, view in layout.views(row[None]).items()}
            return LOSSES[loss](model.apply(params, x), targets)

        self._grad = torch.func.grad(member_loss)

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        data_axis = 0 if x.dim() == 3 else None
        out.copy_(torch.func.vmap(self._grad, in_dims=(0, data_axis, data_axis))(flat, x, targets))


class MLPGradient:
    """The gradient of a stack of fully connected nets by hand: batched products into reused buffers."""

    def __init__(self, model: MLP, loss: str) -> None:
        self._model, self._layout, self._loss = model, Layout(model.shapes), loss
        self._activation = TABLE[model.activation]
        self._buffers: dict[tuple[str, int], Tensor] = {}

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        members = len(flat)
        params, grads = self._layout.views(flat), self._layout.views(out)
        inputs, before = [x.expand(members, *x.shape[-2:])], []
        for n in range(1, self._model.depth + 1):
            z = self._affine(n, inputs[-1], params)
            before.append(z)
            if n < self._model.depth:
                inputs.append((self._activation.in_place or self._activation.function)(z))
        delta = self._residual(before[-1], targets)
        for n in range(self._model.depth, 0, -1):
            torch.bmm(delta.mT, inputs[n - 1], out=grads[f"layer{n}.weight"])
            torch.sum(delta, 1, out=grads[f"layer{n}.bias"])
            if n > 1:
                back = self._buffer("back", n, (members, delta.shape[1], self._model.sizes[n - 1]), flat)
                torch.bmm(delta, params[f"layer{n}.weight"], out=back)
                delta = self._activation.backward(back, before[n - 2], inputs[n - 1])

    def _affine(self, n: int, x: Tensor, params: dict[str, Tensor]) -> Tensor:
        weight, bias = params[f"layer{n}.weight"], params[f"layer{n}.bias"]
        out = self._buffer("forward", n, (len(x), x.shape[1], weight.shape[1]), weight)
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT, out=out)

    def _residual(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._loss == "cross-entropy":
            return torch.softmax(outputs, -1).sub_(targets).div_(outputs.shape[1])
        return (outputs - targets).mul_(2 / (outputs.shape[1] * outputs.shape[2]))

    def _buffer(self, role: str, n: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
        buffer = self._buffers.get((role, n))
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[role, n] = torch.empty(shape, dtype=like.dtype, device=like.device)
        return buffer


def make_gradient(model: MLP, loss: str) -> Gradient:
    """Return the fastest gradient that is known for a model."""
    return MLPGradient(model, loss)
