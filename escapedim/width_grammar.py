"""Widths as people write them: `2:12,16,32`, where ranges include both ends."""

from __future__ import annotations

import re

from escapedim.errors import BadInput

MOST = 1000  # widths in one list; ours
_PART = re.compile(r"(\d{1,9})(?::(\d{1,9}))?")


def parse_widths(text: str, nouns: str = "widths") -> tuple[int, ...]:
    """Read a list of widths (or what `nouns` calls them) and ranges.

    Raises
    ------
    BadInput
        Another form, or ones that are not increasing positive integers.
    """
    ranges = [_range(part.strip(), text, nouns) for part in text.split(",")]
    if sum(len(part) for part in ranges) > MOST:
        raise BadInput(f"{nouns} {text!r} are more than {MOST}; leave some out.")
    widths = tuple(width for part in ranges for width in part)
    if any(after <= before for before, after in zip((0, *widths), widths, strict=False)):
        raise BadInput(f"{nouns} are increasing positive integers, such as 2:12,16,32; found {text!r}.")
    return widths


def _range(part: str, text: str, nouns: str) -> range:
    match = _PART.fullmatch(part)
    if not match:
        raise BadInput(f"{nouns} are written 2:12,16,32 (ranges include both ends), found {text!r}.")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise BadInput(f"{nouns} are increasing positive integers, such as 2:12,16,32; found {text!r}.")
    return range(first, last + 1)
