"""The gradient of one-hidden-layer nets on samples that all members share: the hot shape of full-batch descent.

Samples run along the last axis, and biases are weights of an input that is 1: so there are fewer passes over the units'
values, all of them contiguous. Everything else is as in `training.gradients`, the equality of a member's bits in every
stack included. (One matrix product over the units of all members would be as fast, and not keep it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.training.gradients import RESIDUALS, Gradient, in_pairs, make_gradient


class FullBatchGradient:
    """See `Gradient`; inputs `(samples, inputs)` and targets `(samples, outputs)` are those of every step."""

    def __init__(self, model: MLP, loss: str, weights: Tensor | None) -> None:
        self._weights, self._layout, self._bias = weights, Layout(model.shapes), model.bias
        self._activation, self._residual = TABLE[model.activation], RESIDUALS[loss]
        self._buffers: _Buffers | None = None

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        buffers = self._buffers
        if buffers is None or buffers.flat is not flat or buffers.x is not x:
            buffers = self._buffers = _Buffers.of(flat, x, self._layout, self._bias)
        params, grads = self._layout.views(flat), self._layout.views(out)
        values, slopes = self._forward(params, buffers)
        outgoing = params["layer2.weight"]
        outputs = torch.bmm(outgoing, values, out=buffers.outputs)
        if self._bias:
            outputs.add_(params["layer2.bias"].unsqueeze(2))
        residual = self._residual(outputs.mT, targets, self._weights).mT
        grads["layer2.weight"].copy_(torch.bmm(residual, values.mT))
        if self._bias:
            grads["layer2.bias"].copy_(residual.sum(2))
        self._backward(outgoing, residual, values, slopes, grads, buffers)

    def _forward(self, params: dict[str, Tensor], buffers: _Buffers) -> tuple[Tensor, Tensor]:
        """Return the units' values `(members, units, samples)` and what came into their activation."""
        inputs = params["layer1.weight"].shape[2]
        buffers.incoming[..., :inputs].copy_(params["layer1.weight"])
        if self._bias:
            buffers.incoming[..., inputs].copy_(params["layer1.bias"])
        before = torch.bmm(buffers.incoming, buffers.samples.mT, out=buffers.before)
        activate = self._activation.in_place or self._activation.function
        return activate(before), before

    def _backward(
        self,
        outgoing: Tensor,
        residual: Tensor,
        values: Tensor,
        before: Tensor,
        grads: dict[str, Tensor],
        buffers: _Buffers,
    ) -> None:
        if residual.shape[1] == 1:  # a product of a column and a row: not worth a matrix product
            torch.mul(outgoing.mT, residual, out=buffers.back)
        else:
            torch.bmm(outgoing.mT, residual, out=buffers.back)
        delta = self._activation.backward(buffers.back, before, values)
        incoming = torch.bmm(delta, buffers.samples)
        inputs = grads["layer1.weight"].shape[2]
        grads["layer1.weight"].copy_(incoming[..., :inputs])
        if self._bias:
            grads["layer1.bias"].copy_(incoming[..., inputs])


@dataclass(frozen=True)
class _Buffers:
    """The samples with a column of ones where there are biases, and room for what passes through the units."""

    flat: Tensor
    x: Tensor
    samples: Tensor
    incoming: Tensor
    before: Tensor
    back: Tensor
    outputs: Tensor

    @classmethod
    def of(cls, flat: Tensor, x: Tensor, layout: Layout, bias: bool) -> _Buffers:
        units, inputs = layout.shapes["layer1.weight"]
        outputs = layout.shapes["layer2.weight"][0]
        samples = torch.cat([x, x.new_ones(len(x), 1)], 1) if bias else x
        before = flat.new_empty(len(flat), units, len(x))
        return cls(
            flat=flat,
            x=x,
            samples=samples.expand(len(flat), *samples.shape),
            incoming=flat.new_empty(len(flat), units, inputs + bias),
            before=before,
            back=torch.empty_like(before),
            outputs=flat.new_empty(len(flat), outputs, len(x)),
        )


def make_full_batch_gradient(model: MLP, loss: str, weights: Tensor | None = None) -> Gradient:
    """Return the fastest gradient that is known for a model whose members all see all samples at every step.

    `weights` `(samples,)` replace the mean over samples.
    """
    if model.depth == 2 and loss in RESIDUALS and len(model.shapes) > 1:
        return in_pairs(FullBatchGradient(model, loss, weights))
    return make_gradient(model, loss, weights)
