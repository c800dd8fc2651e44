"""Gates such as `effective_tickets>5`: a row's estimate or direction against a value, for scripts.

A gate trips where it is true. A row without an estimate never satisfies one: it says so instead.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

from escapedim.errors import BadInput, nearest
from escapedim.records.comparison import Direction, Key, Row

_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_WORDS = ("==", "!=")
KEYS = get_args(Key)
DIRECTIONAL = ("isolation", "complement", "escape", "literal_tickets")
DIRECTIONS = get_args(Direction)


@dataclass(frozen=True)
class Gate:
    """A condition on one row: its estimate, or its direction, against a value."""

    text: str
    key: str
    compare: Callable[[float, float], bool]
    number: float | None
    direction: str | None

    def trips(self, rows: Sequence[Row]) -> bool:
        """Say whether the condition is true of these rows."""
        row = next(row for row in rows if row.key == self.key)
        if self.direction is not None:
            same = row.direction == self.direction
            return same if self.compare is operator.eq else not same
        known = self._known(row)
        return known is not None and self.number is not None and self.compare(known, self.number)

    def _known(self, row: Row) -> float | None:
        """Return the estimate, or of a one-sided one the bound that the condition is about."""
        if row.estimate is not None or not row.measured:
            return row.estimate
        last = row.measured[-1]
        if self.compare in (operator.gt, operator.ge):
            return last.at_least
        return last.at_most if self.compare in (operator.lt, operator.le) else None

    def estimated(self, rows: Sequence[Row]) -> bool:
        """Say whether the row has what the gate is about."""
        row = next(row for row in rows if row.key == self.key)
        return self.direction is not None or self._known(row) is not None


def parse_gate(text: str) -> Gate:
    """Read `KEY>NUMBER` (also >=, <, <=, ==, !=) or `KEY==DIRECTION`.

    Raises
    ------
    BadInput
        Another form, an unknown row, or a direction with an order.
    """
    found = re.fullmatch(r"([a-z_]+)\s*(>=|<=|==|!=|>|<)\s*(\S.*)", text.strip())
    if found is None:
        raise BadInput(f"--fail-if: expected a condition such as 'effective_tickets>5', found {text!r}.")
    key, sign, value = found.groups()
    if key not in KEYS:
        raise BadInput(f"--fail-if: expected one of the rows {', '.join(KEYS)}, found {key!r}; {nearest(key, KEYS)}.")
    if value in DIRECTIONS and sign in _WORDS:
        if key not in DIRECTIONAL and value != "not measured":
            raise BadInput(
                f"--fail-if: {key} is a description and has no direction, found {text!r}; give a number such as "
                f"'{key}>0', or one of the rows {', '.join(DIRECTIONAL)}."
            )
        return Gate(text, key, _NUMBERS[sign], None, value)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(
            f"--fail-if: expected a number, or == and one of {', '.join(DIRECTIONS)}, found {value!r} in {text!r}."
        )
    return Gate(text, key, _NUMBERS[sign], number, None)
