"""Step halving in a widen report: how far endings depend on the size of the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from escapedim.records.experiments import Halving
from escapedim.reporting import contrasts, endings, shares
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted

MOST_ROWS = 9


def section(entries: Sequence[Halving], width: int) -> Section:
    """Return how many members end differently with half the step."""
    shown = shares.most(entries, MOST_ROWS, lambda entry: shares.value(entry.changed) or 0.0)
    body = [
        *fitted([_columns(shown, joint) for joint in " \n"], width),
        *prose(_notes(entries, len(entries) - len(shown)), width),
    ]
    return Section("Step halving", _sentence(entries), tuple(body))


def _sentence(entries: Sequence[Halving]) -> str:
    found = [(entry.changed, (entry.width, "")) for entry in entries if entry.changed.of]
    if not found:
        return "No member was trained again with half the step."
    tests = [(entry.table, (entry.width, "")) for entry in entries if entry.changed.of]
    changed = contrasts.span(found, named=True)
    return (
        f"Of members trained again with half the step and twice as many of them, {changed} end differently. "
        f"Of successes with the whole step beside those with half of it, {contrasts.apart(tests)}."
    )


def _columns(entries: Sequence[Halving], joint: str) -> list[Column | None]:
    varied = any(len([count for count in entry.endings.values() if count]) > 1 for entry in entries)
    return [
        ("width", [f"{entry.width:,}" for entry in entries]),
        ("members", [f"{entry.members:,}" for entry in entries]),
        ("end\ndifferently, %", [shares.cell(entry.changed, joint) for entry in entries]),
        ("succeed,\nwhole step", [f"{entry.table.both + entry.table.first_only:,}" for entry in entries]),
        ("succeed,\nhalf step", [f"{entry.table.both + entry.table.second_only:,}" for entry in entries]),
        ("p", [shares.p_cell(entry.table.p) for entry in entries]),
        ("endings,\nwhole step", [_endings(entry.endings) for entry in entries]) if varied else None,
        ("endings,\nhalf step", [_endings(entry.halved_endings) for entry in entries]) if varied else None,
    ]


def _endings(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {letter}" for letter, count in endings.by_letter(counts).items()) or shares.MISSING


def _notes(entries: Sequence[Halving], hidden: int) -> str:
    names = endings.present([counts for entry in entries for counts in (entry.endings, entry.halved_endings)])
    texts = [
        "p: McNemar's test of equal success.",
        f"Endings: {endings.legend(names)}." if names else "",
        shares.more(hidden, "widths"),
    ]
    return " ".join(text for text in texts if text)
