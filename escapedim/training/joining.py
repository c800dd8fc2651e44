"""Works that are trained as one stack: what each is told, finds and leaves is as if it had been alone.

Small networks cost by the step of a stack and hardly by its members, so that works of one kin are joined: as many as
fit a stack, but no more than leave work for every process. Checkpoints stay those of each work. On the CPU not a bit of
a result depends on who was joined with whom (`training.kernels.kernel`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from escapedim.training.work import Arrays, Context, Outcome, Work


class Kin(Work, Protocol):
    """A work that may be joined with those of an equal `kin`, of which at most `most` make a stack."""

    @property
    def kin(self) -> Any:
        """What works have in common that can be joined."""

    @property
    def most(self) -> int:
        """Works of a stack."""

    def together(
        self, works: Sequence[Any], context: Context, earlier: Sequence[Mapping[str, Arrays]], paused: Sequence[Arrays]
    ) -> list[Outcome]:
        """As `Work.__call__`, on several works at once; all are paused, at the same step, or none."""


@dataclass(frozen=True)
class Joined:
    """Several works as one: arrays are named by work, and metrics listed."""

    works: tuple[Kin, ...]

    @property
    def key(self) -> str:
        """For messages: it names no checkpoint."""
        return f"{self.works[0].key} to {self.works[-1].key}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Those of all works."""
        return tuple(dict.fromkeys(key for work in self.works for key in work.needs))

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Do all of them."""
        own = [{key: earlier[key] for key in work.needs} for work in self.works]
        states = [_named(paused, at) for at in range(len(self.works))] if paused else []
        found = self.works[0].together(self.works, context, own, states)
        arrays = merged_arrays([one.arrays for one in found])
        return Outcome(arrays, None if found[0].metrics is None else {"works": [one.metrics for one in found]})

    def split(self, outcome: Outcome) -> list[tuple[Work, Outcome]]:
        """Return the outcome of each work; all took as long."""
        metrics = [None] * len(self.works) if outcome.metrics is None else outcome.metrics["works"]
        seconds = outcome.seconds / len(self.works)
        return [(work, Outcome(_named(outcome.arrays, at), metrics[at], seconds)) for at, work in enumerate(self.works)]


def as_one(works: Sequence[Work]) -> Work:
    """Return works of one kin as one, and one alone as it is."""
    return works[0] if len(works) == 1 else Joined(tuple(work for work in works if _is_kin(work)))


def split(work: Work, outcome: Outcome) -> list[tuple[Work, Outcome]]:
    """Return the works that `as_one` made one, each with its outcome."""
    return work.split(outcome) if isinstance(work, Joined) else [(work, outcome)]


def merged_arrays(parts: Sequence[Arrays]) -> Arrays:
    """Return the arrays of several works under names of their own."""
    return {f"{at}:{name}": values for at, part in enumerate(parts) for name, values in part.items()}


def _named(arrays: Arrays, at: int) -> Arrays:
    prefix = f"{at}:"
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


Paused = Callable[[str], Arrays | None]


def next_group(ready: Iterable[Work], slots: int, load_paused: Paused) -> tuple[list[Work], Arrays | None]:
    """Return the works of `ready` that are to be worked on now in one of so many free slots, and their paused arrays.

    None where none is ready; works that were paused at different steps are not joined.
    """
    rest = iter(ready)
    if (first := next(rest, None)) is None:
        return [], None
    state = load_paused(first.key)
    if not _is_kin(first):
        return [first], state
    alike = [first, *(work for work in rest if _is_kin(work) and work.kin == first.kin)]
    groups = max(math.ceil(len(alike) / first.most), min(slots, len(alike)))
    wanted = math.ceil(len(alike) / groups)
    chosen: list[Work] = [first]
    states = [state]
    for work in alike[1:]:
        if len(chosen) >= wanted:
            break
        other = load_paused(work.key)
        if _step(other) == _step(state):
            chosen.append(work)
            states.append(other)
    if len(chosen) == 1:
        return chosen, state
    return chosen, None if state is None else merged_arrays([one for one in states if one is not None])


def _is_kin(work: Work) -> TypeGuard[Kin]:
    return hasattr(work, "kin")


def _step(paused: Arrays | None) -> int | None:
    return None if paused is None else int(paused["step"])
