"""What a gradient kernel is, and how a lone member is kept from other rounding.

On the CPU a member's gradient is the same to the last bit whatever stack it is in. Batched products of torch are, but
for a stack of one where a side of a matrix is 1: there they turn into products with vectors, which round differently.
So such a lone member is computed twice, as a stack of two.
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
    pairs: list[tuple[Tensor, Tensor]] = []

    def paired(flat: Tensor, x: Tensor, targets: Tensor, out: Tensor) -> None:
        if len(flat) > 1 or not (narrow or x.shape[-2] == 1):
            gradient(flat, x, targets, out)
            return
        if not pairs:
            pairs.append((torch.cat([flat, flat]), torch.cat([out, out])))
        twice, gradients = pairs[0]
        twice.copy_(flat)
        both = (x.expand(2, *x.shape[1:]), targets.expand(2, *targets.shape[1:])) if x.dim() == 3 else (x, targets)
        gradient(twice, *both, gradients)
        out.copy_(gradients[:1])

    return paired
