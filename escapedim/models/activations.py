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

    `backward(grad, z, a)` returns grad · σ'(z) where a = σ(z); all tensors of one shape. With `in_place`
    the derivative needs only a, so that a may be written over z.
    """

    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    in_place: Callable[[Tensor], Tensor] | None = None


def _erf(z: Tensor) -> Tensor:
    return torch.erf(z / math.sqrt(2))


def _erf_backward(grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    return grad * torch.exp(-0.5 * z * z) * math.sqrt(2 / math.pi)


TABLE: dict[str, Activation] = {
    "relu": Activation(torch.relu, lambda g, z, a: _ops.threshold_backward(g, a, 0), torch.relu_),
    "tanh": Activation(torch.tanh, lambda g, z, a: _ops.tanh_backward(g, a), torch.tanh_),
    "sigmoid": Activation(torch.sigmoid, lambda g, z, a: _ops.sigmoid_backward(g, a), torch.sigmoid_),
    "gelu": Activation(torch.nn.functional.gelu, lambda g, z, a: _ops.gelu_backward(g, z)),
    "softplus": Activation(torch.nn.functional.softplus, lambda g, z, a: _ops.softplus_backward(g, z, 1, 20)),
    "erf": Activation(_erf, _erf_backward),
}
