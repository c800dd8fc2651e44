"""Holds a shown block against a new output: the same words, and numbers within a tolerance.

Rounding differs between processors, and a training that is repeated on another one ends a little elsewhere. Whole
numbers may differ by a quarter of the larger one from 20 on, numbers of one decimal, such as percentages, by 4, finer
ones by half of the larger one; p-values may be any of the same class (below 0.005, below 0.05, above). Lines of a plot
are left out, because their marks move with the numbers, and so are times and memory.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from escapedim.reporting.endings import LETTERS, OTHER

WHOLE, FINE = 0.25, 0.5  # shares of the larger number
FEW, POINTS = 20, 4.0
NOTHING = 1e-9  # below it a loss is rounding
CLASSES = (0.005, 0.05)  # of p-values

_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?")
_P_VALUE = re.compile(r"\bp(?: [=<])? ?<?(\d+(?:\.\d+)?(?:e[-+]?\d+)?)")
_DRAWN = re.compile(r"[┤│└┬┴├]|^Cost:|MB of memory|^memory  ")
_BAR = re.compile(rf"(?<!\w)[{''.join(LETTERS.values())}{OTHER}]{{8,}}(?!\w)")
_IDENTITY = re.compile(r"\b[0-9a-f]{16}\b")


def difference(shown: list[str], new: list[str]) -> str:
    """Return in a few words where a shown block and an output differ, or nothing."""
    words, numbers = _taken_apart(shown)
    new_words, new_numbers = _taken_apart(new)
    if words != new_words:
        at = next((n for n, pair in enumerate(zip(words, new_words, strict=False)) if pair[0] != pair[1]), None)
        if at is None:
            return f"{len(words)} words are shown, {len(new_words)} were printed"
        return f"'{' '.join(words[at : at + 8])}' is shown, '{' '.join(new_words[at : at + 8])}' was printed"
    for one, other in zip(numbers, new_numbers, strict=True):
        if not _close(one, other):
            return f"{one} is shown, {other} was printed"
    return ""


def _taken_apart(lines: list[str]) -> tuple[list[str], list[str]]:
    text = " ".join(" ".join(line for line in lines if not _DRAWN.search(line)).split())
    text = re.sub(r"─+", " ", _BAR.sub("BAR", _IDENTITY.sub("ID", text)))
    text = _P_VALUE.sub(lambda found: f"p of class {'ABC'[bisect_right(CLASSES, float(found[1]))]}", text)
    text = re.sub(r"<(?=\d)", "", text)
    return _NUMBER.sub("#", text).split(), _NUMBER.findall(text)


def _close(one: str, other: str) -> bool:
    values = [float(number.replace(",", "")) for number in (one, other)]
    larger, apart = max(map(abs, values)), abs(values[0] - values[1])
    decimals = max(len(number.partition(".")[2]) for number in (one, other))
    if decimals > 1 or "e" in one + other:
        return apart <= max(FINE * larger, NOTHING)
    if decimals == 1:
        return apart <= POINTS
    return apart <= (WHOLE * larger if larger >= FEW else 0)
