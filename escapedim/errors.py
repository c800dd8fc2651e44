"""One base class for everything that ends a command in one sentence and an exit code.

A message says what was expected, what was found and what to do about it. `escapedim.cli.main` is
the only place that turns these into text on standard error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EscapedimError(Exception):
    """A process failed; exit code 1."""

    exit_code = 1


class BadInput(EscapedimError):
    """Wrong usage or unusable input; exit code 2."""

    exit_code = 2


class Interrupted(EscapedimError):
    """The state was saved after a signal; exit code 129 (SIGHUP), 130 (Ctrl-C) or 143 (SIGTERM, SIGUSR1)."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the known word nearest to `word`, or the list of known words."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"
