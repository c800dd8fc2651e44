"""Makes text from outside (files, names, variables) safe: no terminal controls, no numbers of unbounded length."""

from __future__ import annotations

import re

EXCERPT = 120
_WHOLE = re.compile("[0-9]{1,9}")


def visible(text: str) -> str:
    """Return the text in one line with "?" for every character that a terminal might obey (ESC, BEL, reversed writing).

    It is as long as before, so that tables stay aligned. Bytes that are no text (lone surrogates) stay: the stream or
    file that they are written to escapes them.
    """
    return "".join(map(_visible, text))


def excerpt(text: str) -> str:
    """Return the first 120 characters of the text as `visible` shows it, for a message."""
    return visible(text[:EXCERPT])


def count(value: float) -> str:
    """Return a count with thousands separators; a mean of counts keeps one decimal."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def counted(number: float, noun: str) -> str:
    """Return "1 network" or "3,000 networks"."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def whole_number(text: str) -> int | None:
    """Return the number of at most nine digits that the text is, or None."""
    return int(text) if _WHOLE.fullmatch(text) else None


def _visible(letter: str) -> str:
    if letter.isprintable() or "\ud800" <= letter <= "\udfff":
        return letter
    return " " if letter.isspace() else "?"
