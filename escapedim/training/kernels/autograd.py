"""The gradient of any network by autograd: a stack at once, or one member after the other.

`torch.func.vmap` turns a stack of convolutions into one grouped convolution, which gains on small images; on larger
ones the CPU is faster on one member after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.network import Network
from escapedim.training.kernels.costs import products_s
from escapedim.training.kernels.kernel import Gradient, in_pairs
from escapedim.training.problems.problem import Problem

STACKED_INPUTS = 16 * 16  # numbers of a plane of inputs up to which a stack is faster than its members; ours


class Autograd:
    """Takes every network whose loss is one of outputs and targets."""

    def takes(self, network: Network, problem: Problem, whole: bool) -> bool:
        """See `Kernel`."""
        return problem.name in LOSSES

    def gradient(self, network: Network, problem: Problem, weights: Tensor | None) -> Gradient:
        """See `Kernel`: on CUDA all members at once, on the CPU only those of small images."""
        stacked, alone = (kind(network, problem.name, weights) for kind in (StackedGradient, MemberGradient))
        small = math.prod(network.input_shape[-2:]) <= STACKED_INPUTS

        def gradient(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
            (stacked if small or flat.is_cuda else alone)(flat, x, targets, out)

        return in_pairs(gradient)

    def step_s(self, network: Network, batch: int, dtype: torch.dtype) -> float:
        """See `Kernel`."""
        return products_s(network, batch, dtype)


def _member_gradient(network: Network, loss: str, weights: Tensor | None) -> Callable[..., Tensor]:
    layout = Layout(network.shapes)

    def member_loss(row: Tensor, x: Tensor, targets: Tensor) -> Tensor:
        params = {name: view[0] for name, view in layout.views(row[None]).items()}
        return LOSSES[loss](network.apply(params, x), targets, weights)

    return torch.func.grad(member_loss)


class StackedGradient:
    """All members at once, by `torch.func.vmap` over `torch.func.grad`."""

    def __init__(self, network: Network, loss: str, weights: Tensor | None = None) -> None:
        self._grad = _member_gradient(network, loss, weights)

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        data_axis = 0 if x.dim() == 3 else None
        out.copy_(torch.func.vmap(self._grad, in_dims=(0, data_axis, data_axis))(flat, x, targets))


class MemberGradient:
    """One member after the other."""

    def __init__(self, network: Network, loss: str, weights: Tensor | None = None) -> None:
        self._grad = _member_gradient(network, loss, weights)

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        for n, row in enumerate(flat):
            own = (x[n], targets[n]) if x.dim() == 3 else (x, targets)
            out[n] = self._grad(row, *own)
