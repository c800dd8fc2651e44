"""Transient width in a widen report: failed members widened, trained for a while, merged back and trained on."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.experiments import Transient
from escapedim.reporting import contrasts, endings, landings, numbers, shares
from escapedim.reporting.contrasts import Place
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted

MOST_ROWS = 9


def section(entries: Sequence[Transient], width: int) -> Section:
    """Return what width for a while changed beside noise alone, and where the members landed."""
    shown = shares.most(entries, MOST_ROWS, lambda entry: entry.sources)
    body = [
        *fitted([_columns(shown, joint) for joint in " \n"], width),
        *prose(_notes(entries, len(entries) - len(shown)), width),
    ]
    return Section("Transient width", _sentence(entries), tuple(body))


def _sentence(entries: Sequence[Transient]) -> str:
    measured = [entry for entry in entries if entry.sources]
    if not measured:
        return "There was no failed member to widen."
    places = _places(measured)
    merged = [(entry.merged, place) for entry, place in zip(measured, places, strict=True)]
    noise = [(entry.noise_only, place) for entry, place in zip(measured, places, strict=True)]
    tests = [(entry.against_noise, place) for entry, place in zip(measured, places, strict=True)]
    _, succeed = landings.verbs([entry.judged_by for entry in measured])
    total = numbers.plural(sum(entry.sources for entry in measured), "failed member")
    return (
        f"Of {total}, {_treatment(measured)}, {contrasts.span(merged, named=True)} {succeed}; without it, "
        f"{contrasts.span(noise)}. {contrasts.apart(tests)}."
    )


def _places(entries: Sequence[Transient]) -> list[Place]:
    return contrasts.places(
        [entry.width for entry in entries],
        [entry.source_ending for entry in entries],
        [numbers.plural(entry.by, "unit") for entry in entries],
        [numbers.plural(entry.steps, "step") for entry in entries],
    )


def _treatment(entries: Sequence[Transient]) -> str:
    first = entries[0]
    alike = len({(entry.by, entry.steps) for entry in entries}) == 1
    exactly = f" by {numbers.plural(first.by, 'unit')} for {numbers.plural(first.steps, 'step')}"
    return f"widened{exactly if alike else ' for a while'}, merged back and trained on"


def _columns(entries: Sequence[Transient], joint: str) -> list[Column | None]:
    names = [entry.source_ending for entry in entries]
    alike = len({(entry.by, entry.steps) for entry in entries}) == 1
    certified = any(landings.certified(entry.landings) for entry in entries)
    return [
        ("width", [f"{entry.width:,}" for entry in entries]),
        None if set(names) == {endings.FAILED} else ("ending", names),
        None if alike else ("by", [f"{entry.by:,}" for entry in entries]),
        None if alike else ("steps", [f"{entry.steps:,}" for entry in entries]),
        ("failed", [f"{entry.sources:,}" for entry in entries]),
        (
            f"merged,\n{landings.head([one.judged_by for one in entries])}, %",
            [shares.cell(one.merged, joint) for one in entries],
        ),
        ("noise\nonly, %", [shares.cell(entry.noise_only, joint) for entry in entries]),
        ("p", [shares.p_cell(entry.against_noise.p) for entry in entries]),
        ("landed", [landings.cell(entry.landings) for entry in entries]) if certified else None,
    ]


def _notes(entries: Sequence[Transient], hidden: int) -> str:
    texts = [
        "Noise only: the same members, noise and number of steps without new units; p: McNemar's test against it.",
        landings.legend([one for entry in entries for one in entry.landings]),
        shares.more(hidden, "entries"),
    ]
    return " ".join(text for text in texts if text)
