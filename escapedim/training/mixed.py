"""Stacks of members of which some have few weights left: these are trained packed, the others as they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from escapedim.training.data import Data
from escapedim.training.job import Job, State
from escapedim.training.packed import PackedStack, packable
from escapedim.training.stack import Stack


class MixedStack:
    """Members of which some are trained packed and others not; as `Stack`."""

    def __init__(self, rows: Tensor, parts: Sequence[tuple[Tensor, Stack | PackedStack]]) -> None:
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


AnyStack = Stack | PackedStack | MixedStack


def make_whole_stack(job: Job, state: State, data: Data, gradients: Tensor | None = None) -> AnyStack:
    """Return the members under way as a stack: of those with few weights left, survivors only are trained.

    Members that have just left give their siblings' `gradients`.
    """
    rows = state.under_way()
    packed = packable(job, rows)
    if not packed.any():
        return Stack(job, state, data, rows, state.moments, gradients)
    parts: list[tuple[Tensor, Stack | PackedStack]] = []
    for places in ((~packed).nonzero()[:, 0], packed.nonzero()[:, 0]):
        moments = {name: value[places] if value.dim() == 2 else value for name, value in state.moments.items()}
        if len(places):
            few = bool(packed[places[0]])
            kind = PackedStack if few else Stack
            parts.append((places, kind(job, state, data, rows[places], moments)))
    return parts[0][1] if len(parts) == 1 else MixedStack(rows, parts)
