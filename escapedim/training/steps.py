"""Step counts as people write them: `500it` steps, `2ep` epochs, `1%` of the run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from escapedim.errors import BadInput

_FORM = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(it|ep|%)")
LARGEST = 1e12  # ours
_EXACT = 1 - 1e-12  # 30 epochs of 129.3 steps are 3,879 steps, although their product in floating point is above


@dataclass(frozen=True)
class StepCount:
    """A number of steps in a unit: `it` (steps), `ep` (epochs) or `%` (of the whole run)."""

    value: float
    unit: str

    def resolve(self, steps_per_epoch: float, total: int | None = None) -> int:
        """Return the number of steps; `total` is the length of the run that a percentage refers to.

        Raises
        ------
        BadInput
            A percentage of nothing, or epochs where there are none (0 steps an epoch).
        """
        if self.unit == "it":
            return int(self.value)
        if self.unit == "ep" and steps_per_epoch == 0:
            raise BadInput(f"{self}: this task has no training set, and so no epochs; write steps, as in 500it.")
        if self.unit == "ep":
            return math.ceil(self.value * steps_per_epoch * _EXACT)
        if total is None:
            raise BadInput(f"{self} needs a run to be a share of; write it as 500it or 2ep.")
        return round(self.value / 100 * total)

    def __str__(self) -> str:
        return f"{int(self.value) if self.value.is_integer() else self.value}{self.unit}"


def parse_steps(text: str) -> StepCount:
    """Read `500it`, `2ep` or `1%`.

    Raises
    ------
    BadInput
        Another form, or a fraction of a step.
    """
    match = _FORM.fullmatch(text.strip())
    if not match:
        raise BadInput(f"steps are written 500it (steps), 2ep (epochs) or 1% (of the run), found {text!r:.80}.")
    count = StepCount(float(match[1]), match[2])
    if count.value > LARGEST:
        raise BadInput(f"{text!r:.80} is more than any run has; write at most {LARGEST:g}{count.unit}.")
    if count.unit == "it" and not count.value.is_integer():
        raise BadInput(f"a number of steps is whole, found {text!r:.80}; write {round(count.value)}it.")
    return count


def parse_point(text: str) -> StepCount:
    """Read a point of a run: `init`, `end`, or a step count from its start."""
    named = {"init": StepCount(0.0, "it"), "end": StepCount(100.0, "%")}
    return named.get(text.strip()) or parse_steps(text)
