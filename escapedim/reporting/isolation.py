"""Isolation in a widen report: wide members against their own unit subnetworks, trained alone.

q is the share of wide members that fail, q_lit the share of those none of whose subnetworks wins alone; with sampled
subsets "none wins" is not known, and q_lit is an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.experiments import Isolation, Share, Subnetworks
from escapedim.reporting import contrasts, numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import Column, fitted

MOST_ROWS = 8
_SIZES = 4


def section(entries: Sequence[Isolation], width: int) -> Section:
    """Return what was found, and what both explanations predict of it."""
    shown = shares.most(entries, MOST_ROWS, lambda entry: entry.members)
    body = [*fitted(_layouts(shown), width), *prose(_notes(entries, len(entries) - len(shown)), width)]
    return Section("Isolation", _sentence(entries), tuple(body))


def _sentence(entries: Sequence[Isolation]) -> str:
    measured = [entry for entry in entries if entry.members]
    if not measured:
        return "No wide network was held against its own subnetworks."
    found = _one(measured[0]) if len(measured) == 1 else _several(measured)
    return f"{found}. Read literally, tickets predict 0 of either; escape dimensions predict more."


def _one(entry: Isolation) -> str:
    none, some = entry.wins_given_none, entry.fails_given_some
    of_width, alone = f"of width{TIE}{entry.width:,}", _subnetworks(entry)
    if none is None and not some.of:
        return f"No network {of_width} has a winner among {alone}; it is not known that none of the others wins"
    if none is None:
        wide = f"{numbers.plural(some.of, 'network')} {of_width} with a winner among {alone}"
        return f"Of {wide}, {_failing(some, named=True)}; of the others it is not known that none wins"
    if not none.of:
        rest = f"of {some.of:,} with one, {_failing(some, named=True)}"
        return f"No network {of_width} is without a winner among {alone}; {rest}"
    won = shares.tally(none, "succeeds", "succeed", named=True)
    rest = f"of {some.of:,} with a winner, {_failing(some)}" if some.of else "no network has a winner"
    return f"Of {numbers.plural(none.of, 'network')} {of_width} none of whose {alone} wins alone, {won}; {rest}"


def _failing(some: Share, named: bool = False) -> str:
    return shares.tally(some, "fails", "fail", named)


def _subnetworks(entry: Isolation) -> str:
    """Return "8 subnetworks of 7 units", or "50 of 12,870 subnetworks of 8 units"."""
    trained, there = _counts(entry)
    drawn = f"{trained:,} of " if trained < there else ""
    return f"{drawn}{numbers.plural(there, 'subnetwork')} of {_units(entry.sizes)}"


def _counts(entry: Isolation) -> tuple[int, int]:
    return sum(size.trained for size in entry.sizes), sum(size.there for size in entry.sizes)


def _units(sizes: Sequence[Subnetworks]) -> str:
    found = sorted({size.units for size in sizes})
    return numbers.plural(found[0], "unit") if len(found) == 1 else f"{_ends(found)}{TIE}units"


def _ends(found: Sequence[int]) -> str:
    if not found:
        return "no"
    return f"{found[0]:,}" if len(found) == 1 else TIE.join([f"{found[0]:,}", "to", f"{found[-1]:,}"])


def _several(entries: Sequence[Isolation]) -> str:
    places = [(entry.width, "") for entry in entries]
    none = [(entry.wins_given_none, place) for entry, place in zip(entries, places, strict=True)]
    known = [(share, place) for share, place in none if share is not None and share.of]
    some = [(entry.fails_given_some, place) for entry, place in zip(entries, places, strict=True)]
    parts = []
    if known:
        parts.append(f"of networks with no winner among their subnetworks, {contrasts.span(known, named=True)} succeed")
    if any(share.of for share, _ in some):
        parts.append(f"of networks with a winner, {contrasts.span(some, named=not parts)} fail")
    if not parts:
        return "No network has a winner among the subnetworks that were trained; whether others win is not known"
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}"


def _layouts(entries: Sequence[Isolation]) -> list[list[Column | None]]:
    rates = len(entries) > 1  # of one entry the sentence has them
    members = ("members", [f"{entry.members:,}" for entry in entries])
    return [
        [*_columns(entries, rates, " ")[:1], members, *_columns(entries, rates, " ")[1:]],
        _columns(entries, rates, " "),
        _columns(entries, rates, "\n"),
        _columns(entries, False, "\n"),
    ]


def _columns(entries: Sequence[Isolation], rates: bool, joint: str) -> list[Column | None]:
    return [
        ("width", [f"{entry.width:,}" for entry in entries]),
        ("subnetworks\n(units)", [_size_cell(entry) for entry in entries]),
        ("none wins,\nsucceed", [_cell(entry.wins_given_none, rates) for entry in entries]),
        ("some win,\nfail", [_cell(entry.fails_given_some, rates) for entry in entries]),
        ("q, %", [shares.cell(entry.q, joint) for entry in entries]),
        ("q_lit, %", [_literal(entry, joint) for entry in entries]),
        ("p", [shares.MISSING if entry.sampled else shares.p_cell(entry.table.p) for entry in entries]),
    ]


def _size_cell(entry: Isolation) -> str:
    trained, there = _counts(entry)
    units = _ends(sorted({size.units for size in entry.sizes})).replace(TIE, " ")
    return f"{trained:,}{f' of {there:,}' if trained < there else ''} ({units})"


def _cell(share: Share | None, rates: bool) -> str:
    """Return "29 of 36", with the rate below it or without."""
    if share is None:
        return "not known"
    counts = f"{share.count:,} of {share.of:,}"
    return f"{counts}\n{shares.cell(share)}" if rates and share.of else counts


def _literal(entry: Isolation, joint: str) -> str:
    return f"{'≤ ' if entry.sampled else ''}{shares.cell(entry.q_lit, joint)}"


def _notes(entries: Sequence[Isolation], hidden: int) -> str:
    bound = ", an upper bound where subsets were sampled" if any(entry.sampled for entry in entries) else ""
    test = "" if all(entry.sampled for entry in entries) else f"; p: McNemar's test of q{TIE}={TIE}q_lit"
    texts = [
        f"q: wide networks that fail; q_lit: those with no winner{bound}{test}.",
        _alone(entries[0]) if len(entries) == 1 else "",
        shares.rescaled("subnetworks", "narrow", entries[0].rescaled),
        shares.more(hidden, "widths"),
    ]
    return " ".join(text for text in texts if text)


def _alone(entry: Isolation) -> str:
    """Return how many subnetworks win; those of one member overlap, so that the share has no interval here."""
    sizes = sorted((size for size in entry.sizes if size.winning.of), key=lambda size: -size.units)
    shown = sizes[:_SIZES]
    if len(sizes) == 1:
        return f"Winning alone: {_winning(sizes[0], f'subnetworks of {_units(sizes)}')}."
    listed = ", ".join(_winning(size, f"of {_units([size])}") for size in shown)
    rest = shares.more(len(sizes) - len(shown), "sizes")
    return f"Subnetworks winning alone: {listed}.{f' {rest}' if rest else ''}" if shown else ""


def _winning(size: Subnetworks, which: str) -> str:
    percent = numbers.percent(size.winning.count / size.winning.of, 1)
    return f"{size.winning.count:,} of {size.winning.of:,} {which} ({percent}{TIE}%)"
