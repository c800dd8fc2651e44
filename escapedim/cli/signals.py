"""Signals that ask a run to save and stop: Ctrl-C (exit code 130), SIGTERM and SIGUSR1 (143).

Slurm sends SIGTERM when a job is cancelled, and SIGUSR1 ahead of the time limit where the batch script asks for it.
The state is saved at the next step. A second Ctrl-C stops at once: the last saved state is a good one.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}


class Interrupts:
    """Context in which these signals are remembered instead of obeyed; `number` is the first one that came."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def came(self) -> bool:
        """Say whether a signal came."""
        return self.number is not None

    @property
    def exit_code(self) -> int:
        """Exit code of the signal that came."""
        return EXIT_CODES[signal.Signals(self.number or signal.SIGTERM)]

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._handle) for number in EXIT_CODES}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
