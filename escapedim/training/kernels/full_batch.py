"""The gradient of one-hidden-layer nets on samples that all members share: the hot shape of full-batch descent.

Samples run along the last axis, and biases are weights of an input that is 1: so there are fewer passes over the units'
values, all of them contiguous. With one output, the outgoing weights are multiplied in after the sum over samples, and
the units' values are overwritten by what goes back. Everything else is as in `kernels.dense`, the equality of a
member's bits in every stack included. (One matrix product over the units of all members would be as fast, and not keep
it.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.network import FullyConnected, Network
from escapedim.training.kernels.costs import dense_s
from escapedim.training.kernels.dense import RESIDUALS
from escapedim.training.kernels.kernel import Gradient, in_pairs
from escapedim.training.problems.problem import Problem


class FullBatch:
    """Takes fully connected nets with one hidden layer, in jobs whose members all see all samples at every step."""

    def takes(self, network: Network, problem: Problem, whole: bool) -> bool:
        """See `Kernel`."""
        layers = network.fully_connected
        return whole and layers is not None and len(layers.layers) == 2 and problem.name in RESIDUALS

    def gradient(self, network: Network, problem: Problem, weights: Tensor | None) -> Gradient:
        """See `Kernel`."""
        return in_pairs(FullBatchGradient(network, problem.name, weights))

    def step_s(self, network: Network, batch: int, dtype: torch.dtype) -> float:
        """See `Kernel`."""
        return dense_s(network, batch, dtype)


class FullBatchGradient:
    """See `Gradient`; inputs `(samples, inputs)` and targets `(samples, outputs)` are those of every step."""

    def __init__(self, network: Network, loss: str, weights: Tensor | None = None) -> None:
        layers = network.fully_connected
        assert layers is not None, "there is no layer to derive by hand"
        self._weights, self._layout, self._layers = weights, Layout(network.shapes), layers
        self._activation, self._residual = TABLE[layers.activation], RESIDUALS[loss]
        self._backward = self._backward_of_one if layers.sizes[-1] == 1 else self._backward_of_many
        self._workspace: _Workspace | None = None

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        work = self._workspace
        if work is None or work.flat is not flat or work.out is not out or work.x is not x:
            work = self._workspace = _Workspace.of(flat, x, out, self._layout, self._layers)
        for copy, original in work.copies:
            copy.copy_(original)
        torch.bmm(work.incoming, work.samples, out=work.before)
        values = (self._activation.in_place or self._activation.function)(work.before)
        torch.bmm(work.outgoing, values, out=work.outputs)
        if work.offset is not None:
            work.outputs.add_(work.offset)
        self._residual(work.by_sample, targets, self._weights)
        residual = work.outputs  # not a transposed view of it: with one output, products of that are slow
        work.outgoing_grad.copy_(torch.bmm(residual, values.mT, out=work.products))
        if work.offset_grad is not None:
            torch.sum(residual, 2, out=work.offset_grad)
        self._backward(work, residual, values)

    def _backward_of_one(self, work: _Workspace, residual: Tensor, values: Tensor) -> None:
        delta = self._activation.backward(residual.expand_as(values), work.before, values, work.before)
        torch.bmm(work.samples, delta.mT, out=work.back)
        for grad, columns in work.incoming_grads:
            torch.mul(columns, work.factors, out=grad)

    def _backward_of_many(self, work: _Workspace, residual: Tensor, values: Tensor) -> None:
        back = torch.bmm(work.factors, residual)
        delta = self._activation.backward(back, work.before, values, back)
        torch.bmm(work.samples, delta.mT, out=work.back)
        for grad, columns in work.incoming_grads:
            grad.copy_(columns)


@dataclass(frozen=True)
class _Workspace:
    """Parameters, gradients and samples as views, and room for what passes through the units.

    `incoming` `(members, units, inputs)` has the biases, if any, as its last input, and `samples` `(members, inputs,
    samples)` has ones there. `copies` are views of `incoming` with the parameters that belong there, `incoming_grads`
    are gradients with the views of `back` `(members, inputs, units)` that hold them: that product is faster than its
    transpose.
    """

    flat: Tensor
    x: Tensor
    out: Tensor
    samples: Tensor
    incoming: Tensor
    copies: tuple[tuple[Tensor, Tensor], ...]
    before: Tensor
    outgoing: Tensor
    factors: Tensor
    offset: Tensor | None
    outputs: Tensor
    by_sample: Tensor
    back: Tensor
    products: Tensor
    outgoing_grad: Tensor
    offset_grad: Tensor | None
    incoming_grads: tuple[tuple[Tensor, Tensor], ...]

    @classmethod
    def of(cls, flat: Tensor, x: Tensor, out: Tensor, layout: Layout, layers: FullyConnected) -> _Workspace:
        params, grads, members = layout.views(flat), layout.views(out), len(flat)
        (weight, bias), (leading_out, last_bias) = layers.layers
        outgoing, offset = params[leading_out], None if last_bias is None else params[last_bias]
        samples = x if bias is None else torch.cat([x, x.new_ones(len(x), 1)], 1)
        units, inputs = params[weight].shape[1:]
        incoming = flat.new_empty(members, units, samples.shape[1])
        back = flat.new_empty(members, samples.shape[1], units)
        outputs = flat.new_empty(members, outgoing.shape[1], len(x))
        named = [(weight, slice(inputs)), *([] if bias is None else [(bias, slice(inputs, inputs + 1))])]
        return cls(
            flat=flat,
            x=x,
            out=out,
            samples=samples.T.contiguous().expand(members, *samples.T.shape),
            incoming=incoming,
            copies=tuple((incoming[..., at], params[name].view(members, units, -1)) for name, at in named),
            before=flat.new_empty(members, units, len(x)),
            outgoing=outgoing,
            factors=outgoing.mT,
            offset=None if offset is None else offset.unsqueeze(2),
            outputs=outputs,
            by_sample=outputs.mT if outgoing.shape[1] > 1 else outputs.view(members, len(x), 1),
            back=back,
            products=torch.empty_like(outgoing, memory_format=torch.contiguous_format),
            outgoing_grad=grads[leading_out],
            offset_grad=None if last_bias is None else grads[last_bias],
            incoming_grads=tuple((grads[name].view(members, units, -1), back.mT[..., at]) for name, at in named),
        )
