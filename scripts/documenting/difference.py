"""Holds a shown block against a new output: the same words, and numbers within a tolerance.

Rounding differs between processors, and a training that is repeated on another one ends a little elsewhere: numbers may
differ by `RELATIVE` of the larger one or by `ABSOLUTE`. Lines of a plot, whose marks move with the numbers, are left
out, and so are times and memory.
"""

from __future__ import annotations

import re

RELATIVE, ABSOLUTE = 0.25, 1.0
_NUMBER = re.compile(r"(?<![A-Za-z_])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?")
_DRAWN = re.compile(r"[┤│└┬┴├]|^Cost:|wall-clock|memory")
_BAR = re.compile(r"\b[A-Z]{8,}\b")
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
        if abs(one - other) > max(ABSOLUTE, RELATIVE * max(abs(one), abs(other))):
            return f"{one:g} is shown, {other:g} was printed"
    return ""


def _taken_apart(lines: list[str]) -> tuple[list[str], list[float]]:
    text = " ".join(line for line in lines if not _DRAWN.search(line))
    text = re.sub(r"[─]+", " ", _BAR.sub("BAR", _IDENTITY.sub("ID", text)))
    numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
    return _NUMBER.sub("#", text).split(), numbers
