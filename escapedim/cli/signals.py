"""Signals that ask to save and stop: Ctrl-C (exit code 130), SIGTERM and SIGUSR1 (143), SIGHUP (129).

Slurm sends SIGTERM when a job is cancelled, and SIGUSR1 ahead of the time limit where the batch script asks for it. A
terminal that closes sends SIGHUP, which does nothing under `nohup`.
While a run trains, its state is saved at the next step. Outside of that there is nothing to save, and the process ends
at once; so it does when Ctrl-C or SIGTERM comes again: the last saved state is a good one. SIGUSR1 is a notice, and
SIGHUP comes from the terminal and from its shell: neither is ever the reason to end without saving.

This module is imported before all others, so it imports next to nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType

from escapedim.stop_signals import EXIT_CODES, NOTICES

STOPPED = "stopped by a signal."
STOPPED_AT_ONCE = "stopped at once; the last saved state is good: the same command continues."


def obeyed() -> list[signal.Signals]:
    """Return the signals that this process obeys: not SIGHUP where whoever started it wants it to go on without."""
    deaf = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in EXIT_CODES if not (deaf and number == signal.SIGHUP)]


def take_over() -> None:
    """Let signals end this process by a sentence and an exit code, instead of a traceback or a kill."""
    for number in obeyed():
        signal.signal(number, lambda came, frame: _end(came, STOPPED))


def ignore() -> None:
    """Let signals do nothing: the process has its exit code, and is about to end."""
    for number in EXIT_CODES:
        signal.signal(number, signal.SIG_IGN)


class Interrupts:
    """Context in which the first signal is remembered instead of obeyed; `number` says which it was."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._asked = False
        self._before: list[tuple[int, object]] = []

    def came(self) -> bool:
        """Say whether a signal came."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """Exit code of the signal that came."""
        return EXIT_CODES[signal.Signals(self.number or signal.SIGTERM)]

    def __enter__(self) -> Interrupts:
        self._before = [(number, signal.signal(number, self._handle)) for number in obeyed()]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number not in NOTICES:
            if self._asked:
                _end(number, STOPPED_AT_ONCE)
            self._asked = True
        self.number = self.number or number


AT_END: set[Callable[[], None]] = set()
"""What a process that ends at once still does: it has no time for more, and runs none of Python's own."""


def _end(number: int, sentence: str) -> None:
    # No exception: one that is raised anywhere may be swallowed anywhere, and cleaning up takes time. Workers see that
    # their parent is gone, and a handler may interrupt a write to sys.stderr, so the sentence goes past it.
    below_the_bar = "\n" if os.isatty(2) else ""
    with contextlib.suppress(OSError):
        os.write(2, f"{below_the_bar}escapedim: {sentence}\n".encode())
    for tidy in AT_END:
        with contextlib.suppress(Exception):
            tidy()
    os._exit(EXIT_CODES[signal.Signals(number)])
