"""Progress of long work, counted in network steps: a bar on a terminal, one line a minute in a log file.

A continued run opens its progress at `done` > 0; rates and times left count only what was done since.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TextIO

from tqdm import tqdm

from escapedim.reporting.numbers import count, counted, duration
from escapedim.text import visible

if TYPE_CHECKING:
    _Tqdm = tqdm[None]
else:
    _Tqdm = tqdm

Clock = Callable[[], float]

INTERVAL_S = 60.0
"""Seconds between two lines of a log file (design, section 3)."""


class Progress:
    """Shows nothing: the variant of `--quiet`, and the interface of the others. A context manager."""

    def update(self, done_total: int) -> None:
        """Tell how many network steps are done in all, those of earlier starts included."""

    def say(self, text: str) -> None:
        """Show a line of text without tearing the bar."""

    def close(self) -> None:
        """Leave the stream in order; further calls do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class LogLines(Progress):
    """One plain line a minute: percent, done of total, time left."""

    def __init__(self, total: int, done: int, label: str, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._total, self._first, self._done, self._label = total, done, done, label
        self._stream, self._clock = stream, clock
        self._start = self._last = clock()

    def update(self, done_total: int) -> None:
        """Take the count; write a line when a minute has passed since the last one."""
        self._done = min(max(self._done, done_total), self._total)
        now = self._clock()
        if now - self._last >= INTERVAL_S:
            self._last = now
            self.say(self._line(now - self._start))

    def say(self, text: str) -> None:
        """Write a line at once."""
        self._stream.write(f"{visible(text)}\n")
        self._stream.flush()

    def _line(self, elapsed_s: float) -> str:
        share = self._done / self._total if self._total else 1.0
        done = f"{count(self._done)} of {counted(self._total, 'network step')}"
        return f"{self._label}: {int(100 * share)} % ({done}), {self._time_left(elapsed_s)}"

    def _time_left(self, elapsed_s: float) -> str:
        since_start = self._done - self._first
        if since_start <= 0:
            return "time left unknown"
        return f"{duration(elapsed_s / since_start * (self._total - self._done))} left"


class _QuietTqdm(_Tqdm):
    # tqdm's monitor is a thread; it would outlive the bar and meet the engine's forks.
    monitor_interval = 0


class Bar(Progress):
    """A tqdm bar with network steps, their rate and the time left."""

    def __init__(self, total: int, done: int, label: str, stream: TextIO) -> None:
        self._stream = stream
        self._bar = _QuietTqdm(
            total=total,
            initial=done,
            desc=label,
            file=stream,
            unit=" steps",
            unit_scale=True,
            dynamic_ncols=True,
            leave=False,
        )

    def update(self, done_total: int) -> None:
        """Move the bar; it never moves back."""
        total = self._bar.total or 0
        self._bar.update(max(0, min(done_total, int(total)) - int(self._bar.n)))

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._bar.write(visible(text), file=self._stream)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


def open_progress(
    total: int, done: int, label: str, stream: TextIO, quiet: bool, clock: Clock = time.monotonic
) -> Progress:
    """Return the progress that suits the stream.

    Parameters
    ----------
    total, done
        Network steps of the whole work, and those that earlier starts have done.
    label
        What is worked on, such as "20 networks × 10 rounds".
    stream
        Where it is shown, usually standard error.
    quiet
        Show nothing at all.
    clock
        Source of seconds for the log lines.
    """
    if quiet:
        return Progress()
    return Bar(total, done, label, stream) if stream.isatty() else LogLines(total, done, label, stream, clock)
