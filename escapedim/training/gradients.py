"""Gradients of a stack of members.

`AutogradGradient` takes any model through `torch.func`; `MLPGradient` is the same gradient of a fully connected net,
derived by hand over preallocated buffers: the hot shape of this tool. The tests hold one against the other.

`ReluTeacherGradient` is the closed form of its task.

On the CPU a member's gradient by hand is the same to the last bit whatever stack it is in. Batched products of torch
are, but for a stack of one where a side of a matrix is 1: there they turn into products with vectors, which round
differently. So such a lone member is computed twice, as a stack of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP
from escapedim.tasks import relu_teacher_forms


class Gradient(Protocol):
    """Writes the gradient of every member's loss `(members, parameters)` into `out`."""

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """`x` is `([members,] batch, inputs)`, `targets` `([members,] batch, outputs)`."""


class AutogradGradient:
    """The gradient of any model that is written for one network, by `torch.func.vmap` over `torch.func.grad`."""

    def __init__(self, model: MLP, loss: str, weights: Tensor | None = None) -> None:
        layout = Layout(model.shapes)

        def member_loss(row: Tensor, x: Tensor, targets: Tensor) -> Tensor:
            params = {name: view[0] for name, view in layout.views(row[None]).items()}
            return LOSSES[loss](model.apply(params, x), targets, weights)

        self._grad = torch.func.grad(member_loss)

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        data_axis = 0 if x.dim() == 3 else None
        out.copy_(torch.func.vmap(self._grad, in_dims=(0, data_axis, data_axis))(flat, x, targets))


def in_pairs(gradient: Gradient, narrow: bool = True) -> Gradient:
    """Let a gradient compute a lone member twice, as a stack of two: a `narrow` model, and batches of one sample."""
    pairs: list[tuple[Tensor, Tensor]] = []

    def paired(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        if len(flat) > 1 or not (narrow or x.shape[-2] == 1):
            gradient(flat, x, targets, out)
            return
        if not pairs:
            pairs.append((torch.cat([flat, flat]), torch.cat([out, out])))
        twice, gradients = pairs[0]
        twice.copy_(flat)
        gradient(twice, x, targets, gradients)
        out.copy_(gradients[:1])

    return paired


class ReluTeacherGradient:
    """The gradient of relu students in closed form (`tasks.relu_teacher_forms`); inputs and targets are not used."""

    def __init__(self, model: MLP) -> None:
        self._layout = Layout(model.shapes)

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        out.copy_(relu_teacher_forms.gradient(self._layout.views(flat)["layer1.weight"]).reshape(out.shape))


class MLPGradient:
    """The gradient of a stack of fully connected nets by hand: batched products into reused buffers."""

    def __init__(self, model: MLP, loss: str, weights: Tensor | None = None) -> None:
        self._layout, self._depth, self._weights = Layout(model.shapes), model.depth, weights
        self._activation, self._residual = TABLE[model.activation], RESIDUALS[loss]
        self._workspace: _Workspace | None = None

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        layers = self._layers(flat, out, x.shape[-2])
        activate = self._activation.in_place or self._activation.function
        inputs, before = [x.expand(len(flat), *x.shape[-2:])], []
        for n, layer in enumerate(layers, start=1):
            before.append(layer.forward_from(inputs[-1]))
            if n < self._depth:
                inputs.append(activate(before[-1]))
        delta = self._residual(before[-1], targets, self._weights)
        for n in range(self._depth - 1, -1, -1):
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
            layers = tuple(_layer(params, grads, n, batch) for n in range(1, self._depth + 1))
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


def _layer(params: dict[str, Tensor], grads: dict[str, Tensor], n: int, batch: int) -> _Layer:
    weight, bias = params[f"layer{n}.weight"], params.get(f"layer{n}.bias")
    members, units, inputs = weight.shape
    return _Layer(
        weight=weight,
        transposed=weight.mT,
        bias=None if bias is None else bias.unsqueeze(1),
        weight_grad=grads[f"layer{n}.weight"],
        bias_grad=grads.get(f"layer{n}.bias"),
        forward=weight.new_empty(members, batch, units),
        back=weight.new_empty(members, batch, inputs if n > 1 else 0),  # nothing goes back into the data
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


def make_gradient(model: MLP, loss: str, weights: Tensor | None = None) -> Gradient:
    """Return the fastest gradient that is known for a model; `weights` `(samples,)` replace the mean over samples."""
    if loss == "relu-teacher":
        return in_pairs(ReluTeacherGradient(model))
    return in_pairs(MLPGradient(model, loss, weights), narrow=1 in model.sizes)
