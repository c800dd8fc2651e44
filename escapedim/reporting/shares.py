"""Shares of members with their 95 % intervals, as sentences and table cells have them.

A summary of another program may lack a rate or an interval: then the counts say what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from escapedim.records.experiments import Estimated, Share
from escapedim.reporting import numbers
from escapedim.reporting.numbers import TIE

MISSING = "-"

_NAMED = f"95{TIE}% interval "
_ONES = {"entries": "entry"}

T = TypeVar("T")


def value(share: Share) -> float | None:
    """Return the rate, from the counts where it is not given; None of none."""
    return share.count / share.of if share.rate is None and share.of else share.rate


def told(share: Share, named: bool = False) -> str:
    """Return "80.6 % (65.0 to 90.2)" for a sentence; `named` says what the interval is, once in a section."""
    rate = value(share)
    return MISSING if rate is None else _told(rate, share.interval, numbers.rate_digits(share.of), named)


def told_estimate(found: Estimated, named: bool = False) -> str:
    """Return what `told` does, for a rate that is no plain count."""
    return MISSING if found.value is None else _told(found.value, found.interval, 1, named)


def tally(share: Share, singular: str, plural: str, named: bool = False) -> str:
    """Return "29 succeed, 80.6 % (65.0 to 90.2)"."""
    return f"{share.count:,} {singular if share.count == 1 else plural}, {told(share, named)}"


def cell(share: Share, joint: str = " ", whole: bool = False) -> str:
    """Return "80.6 (65.0 to 90.2)" for a table; `whole` has the interval in whole percent."""
    rate = value(share)
    return MISSING if rate is None else _cell(rate, share.interval, numbers.rate_digits(share.of), joint, whole)


def estimate_cell(found: Estimated, joint: str = " ") -> str:
    """Return what `cell` does, for a rate that is no plain count."""
    return MISSING if found.value is None else _cell(found.value, found.interval, 1, joint, False)


def p_cell(p: float | None) -> str:
    """Return "0.003" or "<0.001" for a table, or "-" where no member differs."""
    return MISSING if p is None else numbers.p_value(p).replace(TIE, "").removeprefix("p").removeprefix("=")


def more(count: int, nouns: str) -> str:
    """Return "2 widths more are in the JSON.", or nothing."""
    if not count:
        return ""
    one = _ONES.get(nouns, nouns.removesuffix("s"))
    return f"{count:,}{TIE}{one if count == 1 else nouns} more {'is' if count == 1 else 'are'} in the JSON."


def rescaled(what: str, target: str, factors: Mapping[str, float]) -> str:
    """Return by what initial weights were multiplied to have a `target` network's distribution, or nothing."""
    changed = [f"{name}{TIE}×{TIE}{factor:.4g}" for name, factor in factors.items() if factor != 1]
    return f"Initial weights of {what} have a {target} network's scale: {', '.join(changed)}." if changed else ""


def most(entries: Sequence[T], rows: int, weight: Callable[[T], float]) -> list[T]:
    """Return the `rows` entries of the largest weight, in the order that they had."""
    kept = sorted(range(len(entries)), key=lambda index: -weight(entries[index]))[:rows]
    return [entries[index] for index in sorted(kept)]


def _told(rate: float, bounds: tuple[float, float] | None, digits: int, named: bool) -> str:
    text = f"{numbers.percent(rate, digits)}{TIE}%"
    return text if bounds is None else f"{text} ({_NAMED if named else ''}{numbers.interval(bounds, digits)})"


def _cell(rate: float, bounds: tuple[float, float] | None, digits: int, joint: str, whole: bool) -> str:
    text = numbers.percent(rate, digits)
    if bounds is None:
        return text
    return f"{text}{joint}({numbers.interval(bounds, 0 if whole else digits).replace(TIE, ' ')})"
