"""Stacks of members that are trained in several ways, each as suits its own mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from escapedim.training.data import Data
from escapedim.training.job import Job, State
from escapedim.training.kernels.packed import PackedStack, packable
from escapedim.training.kernels.stack import Stack, Trained
from escapedim.training.optimizers import Moments, of_members


class MixedStack:
    """Several stacks behind the interface of one: `parts` are stacks, with the places of their members in `rows`."""

    def __init__(self, rows: Tensor, parts: Sequence[tuple[Tensor, Trained]]) -> None:
        self.rows, self._parts = rows, parts

    @property
    def flat(self) -> Tensor:
        """Parameters `(members, parameters)`."""
        return self._whole([part.flat for _, part in self._parts])

    @property
    def gradients(self) -> Tensor:
        """Those of the last step `(members, parameters)`, as far as they are known."""
        return self._whole([part.gradients for _, part in self._parts])

    def step(self, step: int, lr: float) -> None:
        """Take one step of the descent at the learning rate `lr`."""
        for _, part in self._parts:
            part.step(step, lr)

    def finite(self) -> Tensor:
        """Say which members are finite `(members,)`."""
        return self._whole([part.finite() for _, part in self._parts])

    def moments(self, keep: Tensor) -> dict[str, Tensor]:
        """Moments of a part of the stack; one-dimensional ones are shared counters."""
        found = [part.moments(torch.ones(len(part.rows), dtype=torch.bool)) for _, part in self._parts]
        return {
            name: self._whole([one[name] for one in found])[keep] if value.dim() == 2 else value
            for name, value in found[0].items()
        }

    def _whole(self, values: Sequence[Tensor]) -> Tensor:
        whole = values[0].new_empty(len(self.rows), *values[0].shape[1:])
        for (places, _), value in zip(self._parts, values, strict=True):
            whole[places] = value
        return whole


def as_one(rows: Tensor, parts: Sequence[tuple[Tensor, Trained]]) -> Trained:
    """Return stacks as one, and one alone as it is."""
    return parts[0][1] if len(parts) == 1 else MixedStack(rows, parts)


def make_whole_stack(
    job: Job, state: State, data: Data, rows: Tensor, moments: Moments, gradients: Tensor | None = None
) -> Trained:
    """Return the members `rows` as a stack: of those with few weights left, survivors only are trained.

    `moments` and the `gradients` of the last step, if there are any, are theirs.
    """
    packed = packable(job, rows)
    if not packed.any():
        return Stack(job, state, data, rows, moments, gradients)
    parts = list[tuple[Tensor, Trained]]()
    for kind, places in ((Stack, (~packed).nonzero()[:, 0]), (PackedStack, packed.nonzero()[:, 0])):
        if len(places):
            parts.append((places, kind(job, state, data, rows[places], of_members(moments, places))))
    return as_one(rows, parts)
