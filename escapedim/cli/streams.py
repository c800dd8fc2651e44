"""Standard streams: a reader that leaves is no failure, a disk that is full behind them is one sentence or nothing."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from escapedim.errors import EscapedimError
from escapedim.text import visible, whole_number

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


LARGEST_SIZE = 1000
"""Columns and lines of a terminal, at most (ours)."""


def prepare() -> None:
    """Make the standard streams usable: closed ones lead nowhere, and standard error never fails.

    What is written there helps a reader and is no result, so it must not stop a run. A failure of standard output is
    told by `standard_output`; a character that its encoding has not is escaped, since a path may be no text.
    """
    _replace_closed()
    _bound_terminal_size()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr = _never_failing(sys.stderr.fileno(), sys.stderr.encoding)


@contextlib.contextmanager
def standard_output(remedy: str = "send it elsewhere") -> Iterator[None]:
    """Context in which a command prints its result.

    Raises
    ------
    typer.Exit
        The reader of a pipe (head, less) has what it wanted: exit code 0.
    EscapedimError
        What is printed cannot be written.
    """
    try:
        try:
            yield
        finally:  # help and version end by an exception
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_the_rest()
        raise typer.Exit(0) from None
    except OSError as error:
        _discard_the_rest()
        raise EscapedimError(f"cannot write to standard output: {error.strerror}; {remedy}.") from None


def tell(text: str) -> None:
    """Write a line for people to standard error; text from outside that is in it cannot act on their terminal."""
    sys.stderr.write(f"{visible(text)}\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """Tell a sentence of escapedim's own, among what libraries and the shell write there."""
    tell(f"escapedim: {text}")


def show(text: str) -> None:
    """Write lines for people to standard output, in the same way."""
    sys.stdout.write("".join(f"{visible(line)}\n" for line in text.split("\n")))


class StreamedCommand(TyperCommand):
    """A command whose help is printed as `standard_output`; it is printed while the options are read."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options."""
        with _help_output():
            return super().make_context(*args, **kwargs)


class Group(TyperGroup):
    """The same for a group of commands, its version and its completion."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options."""
        with _help_output():
            return super().make_context(*args, **kwargs)


@contextlib.contextmanager
def _help_output() -> Iterator[None]:
    with standard_output():
        try:
            yield
        except SystemExit as left:  # what rich makes of a broken pipe
            raise (left.__context__ if isinstance(left.__context__, BrokenPipeError) else left) from None


def _replace_closed() -> None:
    """Open the null device for every stream that the caller has closed, which Python sets to None.

    In this order each gets the lowest free descriptor, its own: otherwise a file of the run would get it, and a library
    or a child process that writes to descriptor 2 would write into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # which keeps it open


def _bound_terminal_size() -> None:
    """Leave only a plausible size of the terminal in the environment, where rich reads it too."""
    for name in ("COLUMNS", "LINES"):
        if name in os.environ:
            size = whole_number(os.environ.pop(name))
            if size:
                os.environ[name] = str(min(size, LARGEST_SIZE))


class _NeverFailing(io.FileIO):
    """A file that drops what it cannot write."""

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        try:
            written: int | None = super().write(data)
        except OSError:
            return size
        return size if written is None else written


def _never_failing(descriptor: int, encoding: str) -> io.TextIOWrapper:
    raw = _NeverFailing(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)


def _discard_the_rest() -> None:
    # Python flushes at exit, and would complain again.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
