"""A report as blocks of lines, and the one place that writes them to a console.

Lines are made by pure functions of a summary and a width. Prose is broken at the width; tables, plots and
paths are not, and rich is told neither to wrap nor to crop them: a number is printed whole or not at all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from escapedim.reporting.numbers import TIE
from escapedim.text import visible

LONGEST_PROSE = 100
"""Longer lines of text are hard to read, however wide the terminal (ours)."""

_ASCII = str.maketrans(
    {
        "±": "+-",
        "×": "x",
        "−": "-",
        "─": "-",
        "│": "|",
        "┤": "+",
        "└": "+",
        "┬": "+",
        "┘": "+",
        "≥": ">=",
        "≤": "<=",
        "α": "alpha",
    }
)


@dataclass(frozen=True)
class Block:
    """Lines that belong together, and the style (rich's words) that a terminal shows them in."""

    lines: tuple[str, ...]
    style: str = ""


@dataclass(frozen=True)
class Section:
    """What one experiment found: its name, the sentence, and below it the table with its notes."""

    name: str
    sentence: str
    body: tuple[str, ...]


def block(lines: Iterable[str], style: str = "") -> Block:
    """Return the lines as a block."""
    return Block(tuple(lines), style)


def prose(text: str, width: int, indent: str = "") -> list[str]:
    """Break a sentence at the width, never inside a number with its unit; later lines are indented."""
    measure = max(20, min(width, LONGEST_PROSE))
    broken = textwrap.wrap(text, measure, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace(TIE, " ") for line in broken]


def write(console: Console, blocks: Sequence[Block]) -> None:
    """Print the blocks that have lines, with an empty line between two."""
    for index, part in enumerate(part for part in blocks if part.lines):
        if index:
            console.print()
        for line in part.lines:
            console.print(Text(encodable(line, console.encoding), part.style), soft_wrap=True)


def encodable(line: str, encoding: str) -> str:
    """Return the line as `visible` shows it, in characters that the encoding has."""
    clean = visible(line).rstrip()
    try:
        clean.encode(encoding)
    except UnicodeEncodeError:
        return clean.translate(_ASCII).encode(encoding, errors="replace").decode(encoding)
    return clean
