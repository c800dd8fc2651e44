"""From a summary of any kind to its report on a console."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

from rich.console import Console

from escapedim.records.summary import Summary
from escapedim.reporting import compare, lottery, rewind, train, widen
from escapedim.text import whole_number

FILE_WIDTH = 100
"""Characters of a line in a file or a pipe, unless COLUMNS says otherwise."""

_REPORTS: dict[str, Callable[[Summary, Console], None]] = {
    "lottery": lottery.render,
    "train": train.render,
    "widen": widen.render,
    "rewind": rewind.render,
    "compare": compare.render,
}


def render(summary: Summary, console: Console) -> None:
    """Print the report of a summary; make the console with `make_console`."""
    _REPORTS[summary.kind](summary, console)


class _Console(Console):
    """A console that leaves it to its caller what a broken pipe means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def make_console(file: TextIO, width: int | None = None) -> Console:
    """Return the console for a stream.

    A terminal has its own width and colours (none with NO_COLOR). Anything else has no styles at all, even
    under FORCE_COLOR, and a width of 100 unless COLUMNS is set.
    """
    if file.isatty():
        return _Console(file=file, width=width, highlight=False, no_color=bool(os.environ.get("NO_COLOR")))
    chosen = width or _columns() or FILE_WIDTH
    return _Console(file=file, width=chosen, highlight=False, force_terminal=False, color_system=None)


def _columns() -> int:
    return whole_number(os.environ.get("COLUMNS", "")) or 0
