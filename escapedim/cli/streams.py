"""Standard output: a reader that leaves is no failure, a disk that is full behind it is one sentence."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import typer

from escapedim.errors import EscapedimError


@contextlib.contextmanager
def standard_output() -> Iterator[None]:
    """Context in which a command prints its result.

    Raises
    ------
    typer.Exit
        The reader of a pipe (head, less) has what it wanted: exit code 0.
    EscapedimError
        What is printed cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_the_rest()
        raise typer.Exit(0) from None
    except OSError as error:
        _discard_the_rest()
        raise EscapedimError(f"cannot write to standard output: {error.strerror}; what was done is saved.") from None


def _discard_the_rest() -> None:
    # Python flushes at exit, and would complain again.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
