"""Choosing members of a width by how they ended: in order of replicates, from the arrays of its stacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from escapedim.landscape.vocabulary import Ending
from escapedim.models.network import Network
from escapedim.training.experiment import stack_size
from escapedim.training.work import Arrays
from escapedim.widening.counted_members import WidthWork
from escapedim.widening.stack import ENDINGS, Begin, Earlier, Setting, StackWork

CANDIDATES = 10_000  # members of a width that are chosen from, the first ones: they pass between processes; ours


_PER_MEMBER = ("success", "ending", "loss")


@dataclass(frozen=True)
class Chosen:
    """Finished members: replicates, final weights `(members, parameters)` in float64, endings, and final losses."""

    replicates: list[int]
    rows: Tensor
    endings: list[Ending]
    losses: list[float]


class Choice(Protocol):
    """Members that an experiment starts from; it can be pickled."""

    def __call__(self, model: Network, earlier: Earlier) -> Chosen:
        """Return the members, the same every time."""


@dataclass(frozen=True)
class BySuccess:
    """From the `start`-th to before the `stop`-th member that succeeded (or failed), by replicate.

    `stacks` are keys with their replicates, of which those below `CANDIDATES` count. Diverged members are left out:
    they have no weights to go on from.
    """

    stacks: tuple[tuple[str, tuple[int, ...]], ...]
    success: bool
    start: int
    stop: int

    def __call__(self, model: Network, earlier: Earlier) -> Chosen:
        """See `Choice`."""
        arrays = [earlier[key] for key, _ in self.stacks]
        replicates = np.concatenate([np.array(numbers) for _, numbers in self.stacks])
        success, ending, loss = (np.concatenate([part[name] for part in arrays]) for name in _PER_MEMBER)
        fit = (success == self.success) & (ending != ENDINGS.index(Ending.DIVERGED))
        order = np.flatnonzero(fit & (replicates < CANDIDATES))  # whatever else is in the stack of the last of them
        order = order[np.argsort(replicates[order])][self.start : self.stop]
        rows = torch.cat([rows_of(model, part) for part in arrays])[torch.from_numpy(order)]
        return Chosen(
            replicates[order].tolist(),
            rows,
            [ENDINGS[n] for n in ending[order]],
            loss[order].tolist(),
        )


@dataclass(frozen=True)
class FromAnotherRun:
    """Members that another run left: rows `(members, parameters)`."""

    replicates: tuple[int, ...]
    rows: np.ndarray
    endings: tuple[Ending, ...]
    losses: tuple[float, ...]

    def __call__(self, model: Network, earlier: Earlier) -> Chosen:
        """See `Choice`."""
        return Chosen(list(self.replicates), torch.from_numpy(self.rows), list(self.endings), list(self.losses))


def rows_of(model: Network, arrays: Arrays) -> Tensor:
    """Return the weights in a finished stack's arrays as rows `(members, parameters)` in float64."""
    parts = [arrays[name].reshape(len(arrays[name]), -1).astype(np.float64) for name in model.shapes]
    return torch.from_numpy(np.concatenate(parts, 1))


class Pool(Protocol):
    """Members to choose from, at most `most` of them, in stacks."""

    @property
    def most(self) -> int:
        """Members that are chosen at most."""

    def part(self, start: int, stop: int) -> Choice:
        """Return the choice of those from `start` to before `stop`."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the works that decide."""

    @property
    def name(self) -> str:
        """What tells keys of works that start from this pool from those that start from another."""


@dataclass(frozen=True)
class Counted:
    """The counted members of a width, of which those that succeeded, or failed, are chosen."""

    works: tuple[WidthWork, ...]
    most: int
    success: bool

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Pool`."""
        return tuple(work.key for work in self._candidates)

    @property
    def name(self) -> str:
        """See `Pool`: with more members others may be chosen."""
        return f"of-{sum(n < CANDIDATES for work in self._candidates for n in work.replicates):06d}"

    def part(self, start: int, stop: int) -> BySuccess:
        """See `Pool`."""
        return BySuccess(tuple((work.key, work.replicates) for work in self._candidates), self.success, start, stop)

    @property
    def _candidates(self) -> list[WidthWork]:
        return [work for work in self.works if work.replicates[0] < CANDIDATES]


@dataclass(frozen=True)
class Handed:
    """Members that another run left."""

    members: FromAnotherRun

    @property
    def most(self) -> int:
        """See `Pool`."""
        return len(self.members.replicates)

    @property
    def needs(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def name(self) -> str:
        """See `Pool`."""
        return f"given-{self.most:06d}"

    def part(self, start: int, stop: int) -> FromAnotherRun:
        """See `Pool`."""
        own = self.members
        return FromAnotherRun(
            own.replicates[start:stop], own.rows[start:stop], own.endings[start:stop], own.losses[start:stop]
        )


def stacks_of(
    pool: Pool, prefix: str, setting: Setting, begin: Callable[[Choice], Begin], each: int = 1
) -> tuple[StackWork, ...]:
    """Return stacks that begin with the pool's members, `each` networks for one of them."""
    return tuple(
        StackWork(part_key(pool, prefix, start, stop), setting, begin(pool.part(start, stop)), most, pool.needs)
        for start, stop, most in parts(pool, setting, each)
    )


def parts(pool: Pool, setting: Setting, each: int = 1) -> list[tuple[int, int, int]]:
    """Cut a pool into parts that fill a stack each: the first, the one after the last, and networks at most."""
    size = max(1, stack_size(setting.model, setting.recipe) // each)
    bounds = [(start, min(start + size, pool.most)) for start in range(0, pool.most, size)]
    return [(start, stop, each * (stop - start)) for start, stop in bounds]


def part_key(pool: Pool, prefix: str, start: int, stop: int) -> str:
    """Key of the stack of a part of a pool."""
    return f"{prefix}-{pool.name}-part-{start:06d}-{stop - 1:06d}"
