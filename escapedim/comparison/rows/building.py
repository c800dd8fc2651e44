"""What evidence rows share: how they read when nothing was measured, and shares that are added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from escapedim.comparison.margins import paired_above, paired_below
from escapedim.records.comparison import Key, Row
from escapedim.records.experiments import Share

Pairs = tuple[int, int, int]
"""Pairs that succeed under the first treatment only, under the second only, and all."""


class PValues(TypedDict, total=False):
    """P-values of both predictions, and of their contraries, under the names that a row has for them."""

    p_tickets: float
    p_escape: float
    p_not_tickets: float
    p_not_escape: float


def not_measured(key: Key, directional: bool, unit: str, needs: str, command: str) -> Row:
    """Return a row that the files do not allow; `needs` is a clause on what is missing."""
    return Row(
        key=key,
        kind="directional" if directional else "descriptive",
        estimate=None,
        interval=None,
        unit=unit,
        observations=0,
        direction="not measured",
        sentence=f"Not measured: {needs}.",
        command=command,
    )


def either(*p_values: float) -> float:
    """P-value of a prediction that fails if any of its parts does (Bonferroni)."""
    return min(1.0, len(p_values) * min(p_values))


def percent(value: float | None) -> str:
    """Return "12.3 %" for a sentence."""
    return "-" if value is None else f"{100 * value:.1f} %"


def told(found: Share) -> str:
    """Return "3 of 40, 7.5 % (2.6 to 19.9)"."""
    if found.rate is None or found.interval is None:
        return "0 of 0"
    low, high = (100 * bound for bound in found.interval)
    return f"{found.count:,} of {found.of:,}, {100 * found.rate:.1f} % ({low:.1f} to {high:.1f})"


def with_sum(tables: Sequence[Pairs]) -> list[Pairs]:
    """Return the tables of several widths and their sum: what holds of every width holds of that too."""
    if len(tables) < 2:
        return list(tables)
    first, second, of = (sum(column) for column in zip(*tables, strict=True))
    return [*tables, (first, second, of)]


def equality(tables: Sequence[Pairs], margin: float) -> float:
    """P-value that the treatments of some width differ by more than the margin: small where all are shown equal."""
    return max((max(paired_below(*one, margin), paired_above(*one, -margin)) for one in tables), default=1.0)
