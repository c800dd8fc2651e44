"""From rows to directions and a verdict that is never stronger than they are.

The p-values of all directional rows are one family, Holm-corrected. A direction is the prediction that is not rejected
when the other is; both rejected is `neither`, none is `undecided`. Point predictions have a third test, of the value
halfway between them: until that is rejected, a truth in between would pass for the nearer one.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.comparison.power import needed
from escapedim.comparison.statistics import holm
from escapedim.records.comparison import Direction, Row, Verdict

NAMES: dict[Direction, str] = {
    "tickets": "lottery tickets",
    "escape": "escape dimensions",
    "neither": "neither",
    "undecided": "undecided",
    "not measured": "not measured",
}


def directed(rows: Sequence[Row], level: float) -> list[Row]:
    """Return the rows with corrected p-values, directions and sentences that end in them."""
    places = [(at, name) for at, row in enumerate(rows) for name in _TESTS if _p(row, name) is not None]
    corrected = holm([_p(rows[at], name) or 0.0 for at, name in places])
    found: dict[int, dict[str, float]] = {}
    for (at, name), p in zip(places, corrected, strict=True):
        found.setdefault(at, {})[f"{name}_holm"] = p
    return [_directed(row, found.get(at, {}), level, len(places)) for at, row in enumerate(rows)]


_TESTS = ("p_tickets", "p_escape", "p_midpoint")


def _p(row: Row, name: str) -> float | None:
    value: float | None = getattr(row, name)
    return value


def _directed(row: Row, corrected: dict[str, float], level: float, tests: int) -> Row:
    if row.kind == "descriptive" or row.direction == "not measured":
        return row.model_copy(update={"sentence": f"{row.sentence.removesuffix('.')}."})
    tickets, escape = (corrected.get(f"p_{name}_holm") for name in ("tickets", "escape"))
    against = (tickets is not None and tickets <= level, escape is not None and escape <= level)
    direction: Direction
    if against == (True, True):
        direction = "neither"
    elif against == (False, False):
        direction = "undecided"
    elif tickets is None or escape is None or corrected.get("p_midpoint_holm", 0.0) > level:
        # One prediction could not be tested, or a truth between both is still possible: no success for either.
        direction = "undecided"
    else:
        direction = "escape" if against[0] else "tickets"
    ending = _ending(direction, tickets, escape, corrected.get("p_midpoint_holm"))
    more = needed(row.observations, (row.p_tickets, row.p_escape), level, tests) if direction == "undecided" else None
    sentence = f"{row.sentence.removesuffix('.')}. {ending}"
    return row.model_copy(update={**corrected, "direction": direction, "sentence": sentence, "needed": more})


def _ending(direction: Direction, tickets: float | None, escape: float | None, midpoint: float | None) -> str:
    said = {"tickets": _told(tickets), "escape": _told(escape)}
    if direction == "undecided":
        middle = "" if midpoint is None else f"; halfway: {_told(midpoint)}"
        return f"Undecided (tickets: {said['tickets']}; escape: {said['escape']}{middle})."
    if direction == "neither":
        return f"Neither prediction holds (tickets: {said['tickets']}; escape: {said['escape']})."
    other: Direction = "escape" if direction == "tickets" else "tickets"
    return (
        f"The prediction of {NAMES[direction]} is not rejected ({said[direction]}), that of {NAMES[other]} is "
        f"({said[other]})."
    )


def _told(p: float | None) -> str:
    if p is None:
        return "not testable"
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def verdict(rows: Sequence[Row], level: float) -> Verdict:
    """Return how many directional rows point where, in one sentence with their names."""
    by: dict[Direction, list[str]] = {name: [] for name in NAMES}
    for row in rows:
        if row.kind == "directional":
            by[row.direction or "undecided"].append(row.key)
    total = sum(map(len, by.values()))
    parts = [
        _count(by["tickets"], total, "agrees with lottery tickets alone", "agree with lottery tickets alone"),
        _count(by["escape"], total, "agrees with escape dimensions alone", "agree with escape dimensions alone"),
        _count(by["neither"], total, "agrees with neither", "agree with neither"),
        _count(by["undecided"], total, "is undecided", "are undecided"),
        _count(by["not measured"], total, "is not measured", "are not measured"),
    ]
    text = "; ".join(part for part in parts if part)
    text = f"Of {total} directional rows {text}."
    return Verdict(
        sentence=f"{text} {_summary(by)}",
        directions={name: len(keys) for name, keys in by.items()},
        level=level,
    )


def _count(keys: Sequence[str], total: int, one: str, several: str) -> str:
    if not keys:
        return ""
    return f"{len(keys)} {one if len(keys) == 1 else several} ({', '.join(keys)})"


def _summary(by: dict[Direction, list[str]]) -> str:
    tickets, escape = len(by["tickets"]), len(by["escape"])
    if tickets and escape:
        return "The evidence is divided between the two explanations."
    if tickets or escape:
        name = "lottery tickets" if tickets else "escape dimensions"
        rest = " and speaks for neither elsewhere" if by["neither"] else ""
        return f"What is decided speaks for {name}{rest}, on this task, with this recipe and at these widths."
    if by["neither"]:
        return "What is decided speaks against both as they are read here."
    return "Nothing is decided between the two explanations."
