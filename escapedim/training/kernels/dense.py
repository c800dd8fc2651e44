"""The gradient of a stack of fully connected nets by hand: batched products into reused buffers.

The hot shape of this tool. The tests hold it against autograd.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.training.kernels.costs import dense_s
from escapedim.training.kernels.kernel import Gradient, in_pairs
from escapedim.training.problems.problem import Problem


class Dense:
    """Takes every fully connected net whose loss is one of outputs and targets."""

    def takes(self, network: Network, problem: Problem, whole: bool) -> bool:
        """See `Kernel`."""
        return network.fully_connected is not None and problem.name in RESIDUALS

    def gradient(self, network: Network, problem: Problem, weights: Tensor | None) -> Gradient:
        """See `Kernel`."""
        layers = network.fully_connected
        assert layers is not None, "taken"
        return in_pairs(DenseGradient(network, problem.name, weights), narrow=1 in layers.sizes)

    def step_s(self, network: Network, batch: int, dtype: torch.dtype) -> float:
        """See `Kernel`."""
        return dense_s(network, batch, dtype)


class DenseGradient:
    """The gradient of a stack of fully connected nets by hand: batched products into reused buffers."""

    def __init__(self, network: Network, loss: str, weights: Tensor | None = None) -> None:
        layers = network.fully_connected
        assert layers is not None, "there is no layer to derive by hand"
        self._layout, self._names, self._weights = Layout(network.shapes), layers.layers, weights
        self._activation, self._residual = TABLE[layers.activation], RESIDUALS[loss]
        self._workspace: _Workspace | None = None

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        layers = self._layers(flat, out, x.shape[-2])
        activate = self._activation.in_place or self._activation.function
        inputs, before = [x.expand(len(flat), *x.shape[-2:])], []
        for n, layer in enumerate(layers, start=1):
            before.append(layer.forward_from(inputs[-1]))
            if n < len(layers):
                inputs.append(activate(before[-1]))
        delta = self._residual(before[-1], targets, self._weights)
        for n in range(len(layers) - 1, -1, -1):
            layer = layers[n]
            torch.bmm(delta.mT, inputs[n], out=layer.weight_grad)
            if layer.bias_grad is not None:
                torch.sum(delta, 1, out=layer.bias_grad)
            if n:
                torch.bmm(delta, layer.weight, out=layer.back)
                delta = self._activation.backward(layer.back, before[n - 1], inputs[n], layer.back)

    def _layers(self, flat: Tensor, out: Tensor, batch: int) -> tuple[_Layer, ...]:
        """Views and buffers of the last call, made anew only for other tensors or another batch size."""
        last = self._workspace
        if last is None or last.flat is not flat or last.out is not out or last.batch != batch:
            params, grads = self._layout.views(flat), self._layout.views(out)
            layers = tuple(_layer(params, grads, names, batch, first=not n) for n, names in enumerate(self._names))
            last = self._workspace = _Workspace(flat, out, batch, layers)
        return last.layers


@dataclass(frozen=True)
class _Layer:
    """One layer of a stack: its parameters and gradients as views, and buffers for what passes through it."""

    weight: Tensor
    transposed: Tensor
    bias: Tensor | None
    weight_grad: Tensor
    bias_grad: Tensor | None
    forward: Tensor
    back: Tensor

    def forward_from(self, inputs: Tensor) -> Tensor:
        """Write what the layer makes of its inputs `(members, batch, inputs)` into its buffer, and return that."""
        if self.bias is None:
            return torch.bmm(inputs, self.transposed, out=self.forward)
        return torch.baddbmm(self.bias, inputs, self.transposed, out=self.forward)


@dataclass(frozen=True)
class _Workspace:
    flat: Tensor
    out: Tensor
    batch: int
    layers: tuple[_Layer, ...]


def _layer(
    params: dict[str, Tensor], grads: dict[str, Tensor], names: tuple[str, str | None], batch: int, first: bool
) -> _Layer:
    weight, bias = params[names[0]], None if names[1] is None else params[names[1]]
    members, units, inputs = weight.shape
    return _Layer(
        weight=weight,
        transposed=weight.mT,
        bias=None if bias is None else bias.unsqueeze(1),
        weight_grad=grads[names[0]],
        bias_grad=None if names[1] is None else grads[names[1]],
        forward=weight.new_empty(members, batch, units),
        back=weight.new_empty(members, batch, 0 if first else inputs),  # nothing goes back into the data
    )


def _softmax_residual(outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    # By hand: torch's softmax takes twice as long on rows of ten.
    shares = outputs.sub_(outputs.amax(-1, keepdim=True)).exp_()
    residual = shares.div_(shares.sum(-1, keepdim=True)).sub_(targets)
    return residual.div_(outputs.shape[1]) if weights is None else residual.mul_(weights.unsqueeze(-1))


def _squared_residual(outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    residual, (batch, count) = outputs.sub_(targets), outputs.shape[1:]
    if weights is None:
        return residual.mul_(2 / (batch * count))
    return residual.mul_(2 / count * weights.unsqueeze(-1))


RESIDUALS = {"cross-entropy": _softmax_residual, "squared": _squared_residual}
"""Derivatives of the losses by the outputs `(members, batch, outputs)`, written over the outputs and returned."""
