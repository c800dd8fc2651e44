"""The gradient of any network by autograd: a stack at once, or one member after the other.

`torch.func.vmap` turns a stack of convolutions into one grouped convolution. That gains where a network makes few
numbers; larger ones the CPU takes faster one after the other, with convolutions in channels-last memory: conv-2 with 16
channels on 28×28 in 16 for 28 ms a network step, with 2 channels on 8×8 in 1.6 for 0.8 ms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.network import Network
from escapedim.training.kernels.costs import products_s
from escapedim.training.kernels.kernel import Gradient, in_stacks
from escapedim.training.problems.problem import Problem

STACKED_VALUES = 2048  # numbers that one sample makes up to which a stack is faster than its members; ours
LEAST_STACK = 4  # members: grouped convolutions of fewer may be other kernels of torch, which round differently; ours


class Autograd:
    """Takes every network whose loss is one of outputs and targets."""

    def takes(self, network: Network, problem: Problem, whole: bool) -> bool:
        """See `Kernel`."""
        return problem.name in LOSSES

    def gradient(self, network: Network, problem: Problem, weights: Tensor | None) -> Gradient:
        """See `Kernel`: at once on CUDA and where a network is small."""
        stacked = in_stacks(StackedGradient(network, problem.name, weights), LEAST_STACK)
        alone, small = MemberGradient(network, problem.name, weights), network.values <= STACKED_VALUES

        def gradient(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
            several = small and x.shape[-2] > 1  # convolutions of one sample round by the size of their stack
            (stacked if several or flat.is_cuda else alone)(flat, x, targets, out)

        return gradient

    def step_s(self, network: Network, batch: int, dtype: torch.dtype) -> float:
        """See `Kernel`."""
        return products_s(network, batch, dtype)


class StackedGradient:
    """All members at once, by `torch.func.vmap` over `torch.func.grad`."""

    def __init__(self, network: Network, loss: str, weights: Tensor | None = None) -> None:
        layout = Layout(network.shapes)

        def member_loss(row: Tensor, x: Tensor, targets: Tensor) -> Tensor:
            params = {name: view[0] for name, view in layout.views(row[None]).items()}
            return LOSSES[loss](network.apply(params, x), targets, weights)

        self._grad = torch.func.grad(member_loss)

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        if x.dim() == 2:  # convolutions of shared samples are another kernel of torch, which rounds differently
            x, targets = (values.expand(len(flat), *values.shape) for values in (x, targets))
        out.copy_(torch.func.vmap(self._grad)(flat, x, targets))


class MemberGradient:
    """One member after the other."""

    def __init__(self, network: Network, loss: str, weights: Tensor | None = None) -> None:
        self._network, self._layout, self._loss, self._weights = network, Layout(network.shapes), LOSSES[loss], weights

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """See `Gradient`."""
        for n in range(len(flat)):
            row = flat[n : n + 1].detach().requires_grad_()
            params = {name: _channels_last(view[0]) for name, view in self._layout.views(row).items()}
            own = (x[n], targets[n]) if x.dim() == 3 else (x, targets)
            loss = self._loss(self._network.apply(params, own[0]), own[1], self._weights)
            out[n] = torch.autograd.grad(loss, row)[0][0]


def _channels_last(parameter: Tensor) -> Tensor:
    """Return the kernels of a convolution in channels-last memory, which torch takes for its outputs too."""
    return parameter.contiguous(memory_format=torch.channels_last) if parameter.dim() == 4 else parameter
