"""Activation functions with their derivatives, as the hand-derived gradient of a fully connected net needs them.

Conventions: `erf` is erf(z / √2), the sigmoidal unit of the soft-committee literature; `gelu` is the exact
one (through erf); `sigmoid` the logistic function. Every derivative is held against autograd in the tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_ops = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """An elementwise function and its vector-Jacobian product.

    `backward(grad, z, a)` overwrites grad by grad · σ'(z) and returns it, where a = σ(z); all tensors of one shape.
    With `in_place` the derivative needs only a, so that a may be written over z.
    """

    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    in_place: Callable[[Tensor], Tensor] | None = None


def _erf(z: Tensor) -> Tensor:
    return torch.erf(z / math.sqrt(2))


def _erf_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    return grad.mul_(torch.exp(-0.5 * z * z)).mul_(math.sqrt(2 / math.pi))


def _relu_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    _ops.threshold_backward.grad_input(grad, a, 0, grad_input=grad)
    return grad


def _tanh_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    _ops.tanh_backward.grad_input(grad, a, grad_input=grad)
    return grad


def _sigmoid_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    _ops.sigmoid_backward.grad_input(grad, a, grad_input=grad)
    return grad


def _gelu_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    _ops.gelu_backward.grad_input(grad, z, grad_input=grad)
    return grad


def _softplus_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    _ops.softplus_backward.grad_input(grad, z, 1, 20, grad_input=grad)
    return grad


TABLE: dict[str, Activation] = {
    "relu": Activation(torch.relu, _relu_backward, torch.relu_),
    "tanh": Activation(torch.tanh, _tanh_backward, torch.tanh_),
    "sigmoid": Activation(torch.sigmoid, _sigmoid_backward, torch.sigmoid_),
    "gelu": Activation(torch.nn.functional.gelu, _gelu_backward),
    "softplus": Activation(torch.nn.functional.softplus, _softplus_backward),
    "erf": Activation(_erf, _erf_backward),
}
