"""The contract of a gradient kernel, and why a member that is trained alone gets the bits that it gets in a stack.

On the CPU a member's gradient is the same to the last bit whatever stack it is in. Batched products of torch are, but
for a stack of one where a side of a matrix is 1: there they turn into products with vectors, which round differently.
So such a lone member is computed twice, as a stack of two, and convolutions in stacks of four at least.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from escapedim.models.network import Network
from escapedim.training.problems.problem import Problem


class Gradient(Protocol):
    """Writes the gradient of every member's loss `(members, parameters)` into `out`."""

    def __call__(self, flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        """`x` is `([members,] batch, inputs)`, `targets` `([members,] batch, outputs)`."""


class Kernel(Protocol):
    """A way to compute gradients of a stack of members of one network."""

    def takes(self, network: Network, problem: Problem, whole: bool) -> bool:
        """Say whether it can; `whole` are jobs whose members all see all samples at every step."""

    def gradient(self, network: Network, problem: Problem, weights: Tensor | None) -> Gradient:
        """Return the gradient; `weights` `(samples,)` replace the mean over samples."""

    def step_s(self, network: Network, batch: int, dtype: torch.dtype) -> float:
        """Seconds that a step of one network takes on one core, roughly."""


def in_pairs(gradient: Gradient, narrow: bool = True) -> Gradient:
    """Let a gradient compute a lone member twice, as a stack of two: a `narrow` network, and batches of one sample."""
    paired = in_stacks(gradient, 2)

    def computed(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        (paired if narrow or x.shape[-2] == 1 else gradient)(flat, x, targets, out)

    return computed


def in_stacks(gradient: Gradient, least: int) -> Gradient:
    """Let a gradient compute a stack of fewer members than `least` with copies of the first one beside them."""
    stacks: list[tuple[Tensor, Tensor]] = []

    def filled(values: Tensor, members: int) -> Tensor:
        return torch.cat([values, values[:1].expand(least - members, *values.shape[1:])])

    def computed(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        members = len(flat)
        if members >= least:
            gradient(flat, x, targets, out)
            return
        if not stacks:
            stacks.append((filled(flat, members), filled(out, members)))
        rows, gradients = stacks[0]  # the same tensors at every step, as the kernels that reuse buffers ask for
        rows[:members] = flat
        rows[members:] = flat[:1]
        own = (filled(x, members), filled(targets, members)) if x.dim() == 3 else (x, targets)
        gradient(rows, *own, gradients)
        out.copy_(gradients[:members])

    return computed
