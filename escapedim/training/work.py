"""Works: what one worker does at a stretch, and what it needs first; `training.running` gets all of them done.

A work is a picklable callable with a key. It reads the finished works that it needs, trains, and returns an `Outcome`:
finished, or a state from which the same work goes on. On the CPU of one machine a member's weights are the same to the
last bit whatever work it is in (`kernels.kernel`), so that an extended run equals one that was long from the start;
of what is certified of its ending, eigenvalues and levels are the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from escapedim.tasks.base import Task
from escapedim.training.data import Data

Arrays = dict[str, np.ndarray]
Metrics = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """What a worker has: the task, its data on the device, and `tick`.

    `tick(steps)` is called after every step with the network steps that are done by it, and answers whether to pause.
    """

    task: Task
    data: Data
    device: str
    tick: Callable[[int], bool]


@dataclass(frozen=True)
class Outcome:
    """Arrays to store; `metrics` (strict JSON) of a finished work, None for one that was paused.

    `seconds` is what the worker measured of this stretch, and no part of any result.
    """

    arrays: Arrays
    metrics: Metrics | None
    seconds: float = 0.0


class Work(Protocol):
    """One piece of work; `key` names its checkpoint, `needs` are keys of works whose arrays it starts from."""

    @property
    def key(self) -> str:
        """Name of its checkpoint."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of works whose arrays it starts from."""

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Work, from the start or from the arrays of a paused outcome."""


class Store(Protocol):
    """Where outcomes are kept."""

    def has(self, key: str) -> bool:
        """Say whether a work is finished."""

    def load(self, key: str) -> Arrays:
        """Return a finished work's arrays."""

    def load_paused(self, key: str) -> Arrays | None:
        """Return a paused work's arrays, if there are any."""

    def save(self, key: str, arrays: Arrays, metrics: Metrics | None, seconds: float) -> None:
        """Keep an outcome, safely; `seconds` is what this stretch of it took."""


class Backend(Protocol):
    """What runs works: this process, or several."""

    @property
    def slots(self) -> int:
        """How many works may be under way at once."""

    def submit(self, work: Work, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        """Start a work."""

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a work that has ended came to."""

    def stop(self) -> None:
        """Make every work under way pause at its next step."""


class Watch(Protocol):
    """What the loop tells and asks while it waits."""

    def stopping(self) -> bool:
        """Say whether a signal asks to save and stop."""

    def poll(self) -> None:
        """Be called several times a second."""
