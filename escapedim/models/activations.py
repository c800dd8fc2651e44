"""Activation functions with their derivatives, as hand-derived gradients and Hessians of nets need them.

Conventions: `erf` is erf(z / √2), the sigmoidal unit of the soft-committee literature; `gelu` is the exact
one (through erf); `sigmoid` the logistic function. Every derivative is held against autograd in the tests.

sigmoid, softplus and gelu are written out: torch's own round the last few numbers of a tensor differently from the
rest, so that a member's result would depend on how many members it is stacked with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.elementwise import tanh, tanh_

_ops = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """An elementwise function and its vector-Jacobian product.

    `backward(grad, z, a, out)` writes grad · σ'(z) into out and returns it, where a = σ(z); out may be any of the other
    three, and grad may be broadcast. With `in_place` the derivative needs only a, so that a may be written over z.
    `first` and `second` are σ' and σ'' of z; torch can differentiate them in turn. An `odd` function has σ(-z) = -σ(z):
    its units have mirror images.
    """

    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    first: Callable[[Tensor], Tensor]
    second: Callable[[Tensor], Tensor]
    odd: bool = False
    in_place: Callable[[Tensor], Tensor] | None = None


def _erf(z: Tensor) -> Tensor:
    return torch.erf(z / math.sqrt(2))


def _erf_backward(grad: Tensor, z: Tensor, a: Tensor, out: Tensor) -> Tensor:
    return torch.mul(grad, torch.exp(-0.5 * z * z), out=out).mul_(math.sqrt(2 / math.pi))


def _erf_first(z: Tensor) -> Tensor:
    return math.sqrt(2 / math.pi) * torch.exp(-0.5 * z * z)


def _erf_second(z: Tensor) -> Tensor:
    return -z * _erf_first(z)


def _relu_backward(grad: Tensor, z: Tensor, a: Tensor, out: Tensor) -> Tensor:
    _ops.threshold_backward.grad_input(grad, a, 0, grad_input=out)
    return out


def _relu_first(z: Tensor) -> Tensor:
    return (z > 0).to(z.dtype)


def _tanh_backward(grad: Tensor, z: Tensor, a: Tensor, out: Tensor) -> Tensor:
    _ops.tanh_backward.grad_input(grad, a, grad_input=out)
    return out


def _tanh_first(z: Tensor) -> Tensor:
    return 1 - tanh(z) ** 2


def _tanh_second(z: Tensor) -> Tensor:
    return -2 * tanh(z) * _tanh_first(z)


def _sigmoid(z: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-z))


def _sigmoid_in_place(z: Tensor) -> Tensor:
    return z.neg_().exp_().add_(1).reciprocal_()


def _sigmoid_backward(grad: Tensor, z: Tensor, a: Tensor, out: Tensor) -> Tensor:
    rest = 1 - a
    return torch.mul(grad, a, out=out).mul_(rest)


def _sigmoid_first(z: Tensor) -> Tensor:
    return _sigmoid(z) * _sigmoid(-z)


def _sigmoid_second(z: Tensor) -> Tensor:
    return _sigmoid_first(z) * (1 - 2 * _sigmoid(z))


def _gelu(z: Tensor) -> Tensor:
    return _normal_cdf(z) * z


def _gelu_backward(grad: Tensor, z: Tensor, a: Tensor, out: Tensor) -> Tensor:
    density = torch.exp(-0.5 * z * z).mul_(1 / math.sqrt(2 * math.pi))
    return torch.mul(grad, _normal_cdf(z).add_(density.mul_(z)), out=out)


def _gelu_first(z: Tensor) -> Tensor:
    return _normal_cdf(z) + z * _normal_density(z)


def _gelu_second(z: Tensor) -> Tensor:
    return (2 - z * z) * _normal_density(z)


def _normal_density(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def _softplus(z: Tensor) -> Tensor:
    size = z.abs()
    return torch.log1p(torch.exp(-size)) + 0.5 * (z + size)


def _softplus_backward(grad: Tensor, z: Tensor, a: Tensor, out: Tensor) -> Tensor:
    return torch.mul(grad, _sigmoid(z), out=out)


TABLE: dict[str, Activation] = {
    "relu": Activation(torch.relu, _relu_backward, _relu_first, torch.zeros_like, in_place=torch.relu_),
    "tanh": Activation(tanh, _tanh_backward, _tanh_first, _tanh_second, odd=True, in_place=tanh_),
    "sigmoid": Activation(_sigmoid, _sigmoid_backward, _sigmoid_first, _sigmoid_second, in_place=_sigmoid_in_place),
    "gelu": Activation(_gelu, _gelu_backward, _gelu_first, _gelu_second),
    "softplus": Activation(_softplus, _softplus_backward, _sigmoid, _sigmoid_first),
    "erf": Activation(_erf, _erf_backward, _erf_first, _erf_second, odd=True),
}
