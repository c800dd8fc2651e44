"""The table of a widen report by width, with the endings of its members as stacked bars where they fit."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from escapedim.records.results import WidenResult, Width
from escapedim.reporting import endings, numbers
from escapedim.reporting.bars import stacked
from escapedim.reporting.page import prose
from escapedim.reporting.table import Column, by_columns, narrowest_fit

_SHORTEST_BAR = 10  # One cell for each ending, and one over.
_LONGEST_BAR = 40


def tables(result: WidenResult, width: int) -> list[str]:
    """Return the table by width; the endings have a table of their own where there is no room beside it."""
    entries = result.widths
    if not entries:
        return []
    for members, gap in ((True, 2), (False, 2), (False, 1)):
        columns = _columns(entries, members or _members_vary(entries))
        if varied(result) and (joined := _with_bars(entries, columns, width, gap)) is not None:
            return joined
    columns = _columns(entries, True)
    plain = narrowest_fit([by_columns(columns, gap=gap) for gap in (2, 1)], width)
    return [*plain, "", *_bars_alone(entries, width)] if varied(result) else plain


def varied(result: WidenResult) -> bool:
    """Say whether more than one ending occurs: one alone is a sentence."""
    return len(_names(result.widths)) > 1


def notes(result: WidenResult, width: int) -> list[str]:
    """Return what the table's letters mean, and what its rows do not show."""
    texts = [_legend(result), _marginal(result), _restarted(result)]
    return [*prose(" ".join(text for text in texts if text), width), *_uncertain(result, width)]


def _names(entries: Sequence[Width]) -> list[str]:
    return endings.present(entry.endings for entry in entries)


def _members_vary(entries: Sequence[Width]) -> bool:
    return len({entry.members for entry in entries}) > 1


def _columns(entries: Sequence[Width], members: bool) -> list[Column]:
    bounds = [_interval(entry) for entry in entries]
    longest = max(len(high) for _, high in bounds)
    columns = [
        ("width", [f"{entry.width:,}" for entry in entries]),
        ("parameters", [f"{entry.parameters:,}" for entry in entries]),
        ("members", [f"{entry.members:,}" for entry in entries]) if members else None,
        ("success\nrate, %", [_rate(entry) for entry in entries]),
        ("95 %\ninterval", [f"{low} to {high:>{longest}}" if low else "-" for low, high in bounds]),
        ("lr", [f"{entry.lr:.3g}" for entry in entries]) if len({entry.lr for entry in entries}) > 1 else None,
        ("median\nloss", [_loss(entry.loss_quantiles.median) for entry in entries]),
        ("median\nsteps", [_steps(entry.median_steps) for entry in entries]),
    ]
    return [column for column in columns if column is not None]


def _rate(entry: Width) -> str:
    if entry.success_rate is None:
        return "-"
    return numbers.percent(entry.success_rate, numbers.rate_digits(entry.members))


def _interval(entry: Width) -> tuple[str, str]:
    if entry.success_interval is None:
        return "", ""
    low, high = (numbers.percent(bound, numbers.rate_digits(entry.members)) for bound in entry.success_interval)
    return low, high


def _loss(value: float | None) -> str:
    return "-" if value is None else numbers.loss(value)


def _steps(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _with_bars(entries: Sequence[Width], columns: Sequence[Column], width: int, gap: int) -> list[str] | None:
    """Return the table with counts and bars of the endings, or None where it does not fit the width."""
    found = [endings.by_letter(entry.endings) for entry in entries]
    letters = endings.by_letter(dict.fromkeys(_names(entries), 1))
    counted = [*columns, *((letter, [f"{counts.get(letter, 0):,}" for counts in found]) for letter in letters)]
    room = width - gap - max(map(len, by_columns(counted, gap=gap)))
    if room < _SHORTEST_BAR:
        return None
    cells = min(room, _LONGEST_BAR)
    bars = [stacked({letter: counts.get(letter, 0) for letter in letters}, cells) for counts in found]
    return by_columns([*counted, ("endings".ljust(cells), bars)], gap=gap)


def _bars_alone(entries: Sequence[Width], width: int) -> list[str]:
    column = _columns(entries, False)[:1]
    return _with_bars(entries, column, width, 2) or _with_bars(entries, column, sys.maxsize, 1) or []


def _legend(result: WidenResult) -> str:
    if not varied(result):
        return _only(result)
    members = {entry.members for entry in result.widths}
    whole = f"the {numbers.plural(members.pop(), 'member')} of each width" if len(members) == 1 else "the members"
    return f"Endings of {whole}: {endings.legend(_names(result.widths))}; the bars show each that occurs."


def _only(result: WidenResult) -> str:
    """Return the one ending that all members have, unless the reasons for it say so."""
    names = _names(result.widths)
    if not names or _reasons(result):
        return ""
    members = numbers.plural(sum(entry.members for entry in result.widths), "member")
    return f"Ending of all {members}: {names[0]}."


def _marginal(result: WidenResult) -> str:
    certified = sum(endings.certified(entry.endings) for entry in result.widths)
    marginal = sum(entry.marginal for entry in result.widths)
    return f"Marginal curvature: {marginal:,} of {certified:,} certified endings." if marginal else ""


def _restarted(result: WidenResult) -> str:
    members, restarted = (sum(getattr(entry, name) for entry in result.widths) for name in ("members", "restarted"))
    if not restarted:
        return ""
    return f"Started again with half the step after diverging: {restarted:,} of {numbers.plural(members, 'member')}."


def _uncertain(result: WidenResult, width: int) -> list[str]:
    total = sum(endings.uncertain(entry.endings) for entry in result.widths)
    members = sum(entry.members for entry in result.widths)
    names = [name for name in endings.UNCERTAIN if name in _names(result.widths)]
    head = f"{' or '.join(names).capitalize()}, {total:,} of {numbers.plural(members, 'member')}"
    return endings.reasons(_reasons(result), total, head, width)


def _reasons(result: WidenResult) -> Counter[str]:
    return sum((Counter(entry.reasons) for entry in result.widths), Counter())
