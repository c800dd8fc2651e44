"""The complement in a widen report: narrow networks among fresh other units, and the index A of both explanations."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.experiments import Complement, Estimated, Tickets
from escapedim.reporting import numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted

MOST_ENTRIES = 3
MOST_SCALES = 4
DECIDING_SCALE = 1.0
"""The scale of the complement's weights at which A is measured (design)."""


def section(entries: Sequence[Complement], width: int) -> Section:
    """Return the three rates and A of each entry; and the rates of winners and losers by scale."""
    shown = entries[:MOST_ENTRIES]
    scales = sorted({one.scale for entry in shown for _, kind in _kinds(entry) for one in kind.surrounded})
    kept = sorted(sorted(scales, key=lambda scale: abs(scale - DECIDING_SCALE))[:MOST_SCALES])
    rest = [line for entry in shown[1:] for line in prose(sentence(entry), width)]
    table = fitted([*(_by_scale(shown, kept, joint) for joint in " \n"), _long(shown, kept)], width, left=1)
    hidden = [shares.more(len(scales) - len(kept), "scales"), shares.more(len(entries) - len(shown), "entries")]
    return Section("Complement", sentence(shown[0]), (*rest, *table, *prose(_notes(shown, kept, hidden), width)))


def sentence(entry: Complement) -> str:
    """Return the three rates and A with its interval, or why there is none."""
    networks = f"networks of width{TIE}{entry.width:,}"
    units = numbers.plural(entry.units, "unit")
    winners = _deciding(entry.winners)
    if winners.value is None:
        return f"No {networks} around a winning ticket of {units} were trained at scale 1; {_index(entry)}."
    rate = shares.told_estimate(winners, named=True)
    return (
        f"{rate} of {networks} around a winning ticket of {units} succeed, against {shares.told(entry.fresh)} of fresh "
        f"ones and {_retest(entry)}; {_index(entry)}."
    )


def _deciding(tickets: Tickets) -> Estimated:
    found = (one.rate for one in tickets.surrounded if one.scale == DECIDING_SCALE)
    return next(found, Estimated(value=None, interval=None))


def _retest(entry: Complement) -> str:
    if entry.deterministic:
        return "all of the tickets alone, whose training is deterministic"
    if entry.winners.retest.value is None:
        return "no retest of the tickets alone"
    return f"{shares.told_estimate(entry.winners.retest)} of the tickets alone in a new data order"


def _index(entry: Complement) -> str:
    index = entry.index
    why = f": {entry.reason}" if entry.reason else ""
    if index.value is None:
        return f"A is undecided{why}"
    text = f"A{TIE}={TIE}{_decimal(index.value)}"
    if index.interval is None:
        return f"{text} without an interval{why}"
    low, high = index.interval
    return f"{text} ({_decimal(low)}{TIE}to{TIE}{_decimal(high)}), an interval that {_contains(low, high)}"


def _contains(low: float, high: float) -> str:
    inside = [target for target in (0, 1) if low <= target <= high]
    if len(inside) == 1:
        return f"contains {inside[0]} and not {1 - inside[0]}"
    return "contains both 0 and 1" if inside else "contains neither 0 nor 1"


def _decimal(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.3g}"


def _kinds(entry: Complement) -> list[tuple[str, Tickets]]:
    return [("winning", entry.winners), ("losing", entry.losers)]


def _by_scale(entries: Sequence[Complement], scales: Sequence[float], joint: str) -> list[Column | None]:
    kinds = [(entry, name, kind) for entry in entries for name, kind in _kinds(entry)]
    several = len(entries) > 1
    return [
        ("tickets", [f"{len(kind.tickets):,} {name}" for _, name, kind in kinds]),
        ("units", [f"{entry.units:,}" for entry, *_ in kinds]) if several else None,
        ("in\nwidth", [f"{entry.width:,}" for entry, *_ in kinds]) if several else None,
        ("alone\nagain", [shares.estimate_cell(kind.retest, joint) for *_, kind in kinds]),
        *((f"rest drawn\nat scale {scale:g}", [_at(kind, scale, joint) for *_, kind in kinds]) for scale in scales),
    ]


def _at(kind: Tickets, scale: float, joint: str) -> str:
    found = (shares.estimate_cell(one.rate, joint) for one in kind.surrounded if one.scale == scale)
    return next(found, shares.MISSING)


def _long(entries: Sequence[Complement], scales: Sequence[float]) -> list[Column | None]:
    """Return the same as one row a scale, for narrow terminals."""
    kinds = [(entry, name, kind) for entry in entries for name, kind in _kinds(entry)]
    rows = [
        (f"{len(kind.tickets):,} {name}", f"{entry.units:,}", f"{entry.width:,}", rest, rate)
        for entry, name, kind in kinds
        for rest, rate in [
            ("alone again", shares.estimate_cell(kind.retest)),
            *((f"scale {scale:g}", _at(kind, scale, " ")) for scale in scales),
        ]
    ]
    names = ("tickets", "units", "in width", "rest drawn at", "success, %")
    return list(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _notes(entries: Sequence[Complement], scales: Sequence[float], hidden: Sequence[str]) -> str:
    first = entries[0]
    texts = [
        "A is 1 where the ticket decides, 0 where its surroundings do; intervals are clustered by ticket.",
        f"Success in %, {numbers.plural(first.draws, 'draw')} a ticket and column.",
        "Scales other than 1 are description only." if set(scales) - {DECIDING_SCALE} else "",
        shares.rescaled("tickets", "wide", first.rescaled),
        *hidden,
    ]
    return " ".join(text for text in texts if text)
