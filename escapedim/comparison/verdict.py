"""From rows to directions and a verdict that is never stronger than they are.

The p-values of all directional rows are one family, Holm-corrected. A direction is the prediction that is not rejected
when the other is; both rejected is `neither`, none is `undecided`. Where both may be wrong, the prediction that is left
must be shown besides: that it is off by more than the margin has to be rejected. Otherwise a truth beyond both would
pass for the prediction that few data cannot yet reject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from escapedim.comparison.power import needed
from escapedim.comparison.statistics import holm
from escapedim.records.comparison import Direction, Row, Verdict

Side = Literal["tickets", "escape"]
SIDES: tuple[Side, Side] = ("tickets", "escape")
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


_TESTS = ("p_tickets", "p_escape", "p_not_tickets", "p_not_escape")


def _p(row: Row, name: str) -> float | None:
    value: float | None = getattr(row, name)
    return value


def _directed(row: Row, corrected: dict[str, float], level: float, tests: int) -> Row:
    if row.kind == "descriptive" or row.direction == "not measured":
        return row.model_copy(update={"sentence": f"{row.sentence.removesuffix('.')}."})
    direction = _direction(corrected, level)
    ending = _ending(direction, corrected, level)
    more = None
    if direction == "undecided":
        claims = ((row.p_escape, row.p_not_tickets), (row.p_tickets, row.p_not_escape))
        more = needed(row.observations, claims, level, tests)
    sentence = f"{row.sentence.removesuffix('.')}. {ending}"
    return row.model_copy(update={**corrected, "direction": direction, "sentence": sentence, "needed": more})


def _direction(corrected: Mapping[str, float], level: float) -> Direction:
    # What could not be tested is not rejected.
    against = tuple(corrected.get(f"p_{name}_holm", 1.0) <= level for name in SIDES)
    if against == (True, True):
        return "neither"
    if against == (False, False):
        return "undecided"
    left: Side = "escape" if against[0] else "tickets"
    return left if _shown(left, corrected, level) else "undecided"


def _shown(side: Side, corrected: Mapping[str, float], level: float) -> bool:
    """Say whether it is rejected that a prediction is wrong; what is the contrary of the other needs no second test."""
    return corrected.get(f"p_not_{side}_holm", 0.0) <= level


def _ending(direction: Direction, corrected: Mapping[str, float], level: float) -> str:
    tickets, escape = (corrected.get(f"p_{name}_holm") for name in SIDES)
    said: dict[Side, str] = {"tickets": _told(tickets), "escape": _told(escape)}
    if direction == "undecided":
        return f"Undecided (tickets: {said['tickets']}; escape: {said['escape']}{_short_of(corrected, level)})."
    if direction == "neither":
        return f"Neither prediction holds (tickets: {said['tickets']}; escape: {said['escape']})."
    side: Side = "tickets" if direction == "tickets" else "escape"
    other: Side = "escape" if side == "tickets" else "tickets"
    contrary = corrected.get(f"p_not_{side}_holm")
    shown = "" if contrary is None else f"; that it is off by more than the margin: {_told(contrary)}"
    return (
        f"The prediction of {NAMES[side]} is not rejected ({said[side]}{shown}), that of {NAMES[other]} is "
        f"({said[other]})."
    )


def _short_of(corrected: Mapping[str, float], level: float) -> str:
    """Say which prediction is the only one left and yet not shown."""
    for side, other in (SIDES, SIDES[::-1]):
        rejected = corrected.get(f"p_{other}_holm", 1.0) <= level
        if rejected and corrected.get(f"p_{side}_holm", 0.0) > level and not _shown(side, corrected, level):
            p = corrected[f"p_not_{side}_holm"]
            return f"; that {NAMES[side]} are off by more than the margin is not rejected: {_told(p)}"
    return ""


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
        sentence=" ".join(filter(None, (text, _summary(by), _shared(by)))),
        directions={name: len(keys) for name, keys in by.items()},
        level=level,
    )


_DECIDED: tuple[Direction, ...] = ("tickets", "escape", "neither")
_SAME_NETWORKS = ("isolation", "literal_tickets")


def _shared(by: dict[Direction, list[str]]) -> str:
    """Say of rows that rest on one table that they are no two pieces of evidence."""
    decided = {key for name in _DECIDED for key in by[name]}
    if not decided.issuperset(_SAME_NETWORKS):
        return ""
    return f"{' and '.join(_SAME_NETWORKS)} are two readings of the same networks."


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
