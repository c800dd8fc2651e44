"""The table of loss levels: certified endings of equal loss, the most frequent ones over all widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from escapedim.records.results import Level, WidenResult
from escapedim.reporting import endings, numbers
from escapedim.reporting.page import prose
from escapedim.reporting.table import narrowest_fit, text_table

MOST_ROWS = 12
FEWEST_ROWS = 6
_ROOM = 22  # Rows of this table and the one by width that leave a screen room for the rest (ours).
_HEADS = ("smallest\neigenvalue", "negative\ndirections")
_NARROW_HEADS = ("smallest\neigen-\nvalue", "negative\ndirec-\ntions")
_LAYOUTS = ((2, " ", _HEADS), (1, " ", _HEADS), (1, " ", _NARROW_HEADS), (2, "\n", _HEADS), (1, "\n", _NARROW_HEADS))


@dataclass(frozen=True)
class _Found:
    width: int
    members: int
    level: Level


def table(result: WidenResult, width: int) -> list[str]:
    """Return the table with its caption, or nothing without certified endings.

    Global minima are left out: how many there are stands by width, and their loss is that at which they stopped.
    """
    found = [_Found(entry.width, entry.members, level) for entry in result.widths for level in entry.levels]
    candidates = [one for one in found if one.level.ending != endings.GLOBAL_MINIMUM]
    if not candidates:
        return []
    rows = max(FEWEST_ROWS, min(MOST_ROWS, _ROOM - len(result.widths)))
    shown = sorted(candidates, key=lambda one: -one.level.members)[:rows]
    shown.sort(key=lambda one: (one.width, -one.level.members))
    caption = "Losses of certified endings" + (" other than global minima" if len(candidates) < len(found) else "")
    return [
        *prose(f"{caption}, {_which(shown, candidates)}:", width),
        *narrowest_fit([_table(shown, *layout) for layout in _LAYOUTS], width),
        *([endings.MARGINAL_LEGEND] if any(one.level.marginal for one in shown) else []),
    ]


def _which(shown: Sequence[_Found], candidates: Sequence[_Found]) -> str:
    rest = len(candidates) - len(shown)
    if not rest:
        return "equal ones together"
    return f"the {len(shown)} most frequent levels; {rest:,} more {'is' if rest == 1 else 'are'} in the JSON"


def _table(shown: Sequence[_Found], gap: int, joint: str, heads: tuple[str, str]) -> list[str]:
    wholes = {one.members for one in shown}
    header = [
        "width",
        "ending",
        "loss",
        "members" if len(wholes) > 1 else f"of {shown[0].members:,}\nmembers",
        f"share, %{joint}(interval)",
        *heads,
    ]
    digits = max(len("width"), *(len(f"{one.width:,}") for one in shown))
    rows = [[f"{one.width:>{digits},}", *_cells(one, joint, len(wholes) > 1)] for one in shown]
    return text_table(header, rows, left=2, gap=gap)


def _cells(one: _Found, joint: str, tell_whole: bool) -> list[str]:
    level = one.level
    return [
        level.ending + (f" {endings.MARGINAL}" if level.marginal else ""),
        f"{level.loss:.5g}",
        f"{level.members:,}{joint}of {one.members:,}" if tell_whole else f"{level.members:,}",
        _share(level.members, one.members, joint),
        "-" if level.smallest_eigenvalue is None else numbers.loss(level.smallest_eigenvalue),
        "-" if level.negative_directions is None else f"{level.negative_directions:,}",
    ]


def _share(members: int, of: int, joint: str) -> str:
    if not 0 < members <= of:
        return "-"
    digits = numbers.rate_digits(of)
    bounds = numbers.interval(numbers.wilson(members, of), digits).replace(numbers.TIE, " ")
    return f"{numbers.percent(members / of, digits)}{joint}({bounds})"
