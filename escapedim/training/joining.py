"""Units that are trained as one stack: what each is told, finds and leaves is as if it had been alone.

Small networks cost by the step of a stack and hardly by its members, so that units of one kin are joined: as many as
fit a stack, but no more than leave work for every process. Checkpoints stay those of each unit. On the CPU not a bit of
a result depends on who was joined with whom (`training.gradients`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from escapedim.training.units import Arrays, Context, Outcome, Unit


class Kin(Unit, Protocol):
    """A unit that may be joined with those of an equal `kin`, of which at most `most` make a stack."""

    @property
    def kin(self) -> Any:
        """What units have in common that can be joined."""

    @property
    def most(self) -> int:
        """Units of a stack."""

    def together(
        self, units: Sequence[Any], context: Context, earlier: Sequence[Mapping[str, Arrays]], paused: Sequence[Arrays]
    ) -> list[Outcome]:
        """Work as `Unit.__call__`, on several units; all are paused, at the same step, or none."""


@dataclass(frozen=True)
class Joined:
    """Several units as one: arrays are named by unit, and metrics listed."""

    units: tuple[Kin, ...]

    @property
    def key(self) -> str:
        """For messages: it names no checkpoint."""
        return f"{self.units[0].key} to {self.units[-1].key}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Those of all units."""
        return tuple(dict.fromkeys(key for unit in self.units for key in unit.needs))

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Work on all units."""
        own = [{key: earlier[key] for key in unit.needs} for unit in self.units]
        states = [_named(paused, at) for at in range(len(self.units))] if paused else []
        found = self.units[0].together(self.units, context, own, states)
        arrays = merged_arrays([one.arrays for one in found])
        return Outcome(arrays, None if found[0].metrics is None else {"units": [one.metrics for one in found]})

    def split(self, outcome: Outcome) -> list[tuple[Unit, Outcome]]:
        """Return the outcome of each unit; all took as long."""
        metrics = [None] * len(self.units) if outcome.metrics is None else outcome.metrics["units"]
        seconds = outcome.seconds / len(self.units)
        return [(unit, Outcome(_named(outcome.arrays, at), metrics[at], seconds)) for at, unit in enumerate(self.units)]


def as_one(units: Sequence[Unit]) -> Unit:
    """Return units of one kin as one, and one alone as it is."""
    return units[0] if len(units) == 1 else Joined(tuple(unit for unit in units if _is_kin(unit)))


def split(unit: Unit, outcome: Outcome) -> list[tuple[Unit, Outcome]]:
    """Return the units that `as_one` made one, each with its outcome."""
    return unit.split(outcome) if isinstance(unit, Joined) else [(unit, outcome)]


def merged_arrays(parts: Sequence[Arrays]) -> Arrays:
    """Return the arrays of several units under names of their own."""
    return {f"{at}:{name}": values for at, part in enumerate(parts) for name, values in part.items()}


def _named(arrays: Arrays, at: int) -> Arrays:
    prefix = f"{at}:"
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


Paused = Callable[[str], Arrays | None]


def next_group(ready: Iterable[Unit], slots: int, load_paused: Paused) -> tuple[list[Unit], Arrays | None]:
    """Return the units of `ready` that are to be worked on now in one of so many free slots, and their paused arrays.

    None where none is ready; units that were paused at different steps are not joined.
    """
    rest = iter(ready)
    if (first := next(rest, None)) is None:
        return [], None
    state = load_paused(first.key)
    if not _is_kin(first):
        return [first], state
    alike = [first, *(unit for unit in rest if _is_kin(unit) and unit.kin == first.kin)]
    groups = max(math.ceil(len(alike) / first.most), min(slots, len(alike)))
    wanted = math.ceil(len(alike) / groups)
    chosen: list[Unit] = [first]
    states = [state]
    for unit in alike[1:]:
        if len(chosen) >= wanted:
            break
        other = load_paused(unit.key)
        if _step(other) == _step(state):
            chosen.append(unit)
            states.append(other)
    if len(chosen) == 1:
        return chosen, state
    return chosen, None if state is None else merged_arrays([one for one in states if one is not None])


def _is_kin(unit: Unit) -> TypeGuard[Kin]:
    return hasattr(unit, "kin")


def _step(paused: Arrays | None) -> int | None:
    return None if paused is None else int(paused["step"])
