"""Endings in a report: their order, their letters, and why some could not be certified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from escapedim.reporting import numbers
from escapedim.reporting.page import prose

GLOBAL_MINIMUM = "global minimum"
UNDECIDED = "undecided"
LETTERS = {
    GLOBAL_MINIMUM: "G",
    "bad minimum": "B",
    "saddle": "S",
    "plateau saddle": "P",
    "channel": "C",
    "stalled": "T",
    "diverged": "D",
    UNDECIDED: "U",
}
"""The words of the design, section 2, from good to unknown, with the letters of the bars."""

FAILED = "failed"
"""In the place of an ending: members that failed where no ending can be certified."""

OTHER = "?"
UNEXAMINED = "where the network stopped was not examined"
MARGINAL = "~"
MARGINAL_LEGEND = f"{MARGINAL} marginal: an eigenvalue cannot be told from 0"

UNCERTAIN = ("stalled", UNDECIDED)
"""Endings that come with a reason."""

_UNCERTIFIED = ("diverged", *UNCERTAIN)
_LISTED_REASONS = 5


def present(endings: Iterable[Mapping[str, int]]) -> list[str]:
    """Return the endings that occur, in the order of the report; words that are not the design's come last."""
    found = {name for counts in endings for name, count in counts.items() if count}
    known = [name for name in LETTERS if name in found]
    return known + sorted(found.difference(LETTERS))


def letter(name: str) -> str:
    """Return the letter of an ending; those of other programs share one."""
    return LETTERS.get(name, OTHER)


def by_letter(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how many members have each letter, in the order of the report."""
    found: Counter[str] = Counter()
    for name in present([counts]):
        found[letter(name)] += counts[name]
    return dict(found)


def legend(names: Sequence[str]) -> str:
    """Return "G global minimum, B bad minimum"."""
    return (
        ", ".join(f"{letter(name)} {name}" for name in names).replace(" ", numbers.TIE).replace(f",{numbers.TIE}", ", ")
    )


def certified(counts: Mapping[str, int]) -> int:
    """Return how many endings are certified."""
    return sum(count for name, count in counts.items() if name not in _UNCERTIFIED)


def uncertain(counts: Mapping[str, int]) -> int:
    """Return how many endings need a reason: stalled or undecided."""
    return sum(counts.get(name, 0) for name in UNCERTAIN)


def reasons(counts: Mapping[str, int], members: int, head: str, width: int) -> list[str]:
    """Return the reasons below their heading, most frequent first; one reason is a sentence with it."""
    ranked = sorted(((count, reason) for reason, count in counts.items() if count), key=lambda pair: (-pair[0], pair))
    if not ranked:
        return []
    if len(ranked) == 1 and ranked[0][0] == members:
        return prose(f"{head}: {ranked[0][1]}.", width)
    shown, rest = ranked[:_LISTED_REASONS], ranked[_LISTED_REASONS:]
    digits = len(f"{shown[0][0]:,}")
    lines = prose(f"{head}:", width)
    for count, reason in shown:
        lines += prose(f"  {count:>{digits},}  {reason}", width, " " * (digits + 4))
    if rest:
        others = sum(count for count, _ in rest)
        lines.append(f"  {others:,} for {len(rest):,} other reasons")
    return lines
