"""Units of work: what one worker does at a stretch, and what it needs first; `training.running` gets all of them done.

A unit is a picklable callable with a key. It reads the finished units that it needs, trains, and returns an `Outcome`:
finished, or a state from which the same unit goes on. On the CPU of one machine a member's weights are the same to the
last bit whatever unit it is in (`training.gradients`), so that an extended run equals one that was long from the start;
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
    """Arrays to store; `metrics` (strict JSON) of a finished unit, None for one that was paused.

    `seconds` is what the worker measured of this stretch, and no part of any result.
    """

    arrays: Arrays
    metrics: Metrics | None
    seconds: float = 0.0


class Unit(Protocol):
    """One piece of work; `key` names its checkpoint, `needs` are keys of units whose arrays it starts from."""

    @property
    def key(self) -> str:
        """Name of its checkpoint."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of units whose arrays it starts from."""

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Work, from the start or from the arrays of a paused outcome."""


class Store(Protocol):
    """Where outcomes are kept."""

    def has(self, key: str) -> bool:
        """Say whether a unit is finished."""

    def load(self, key: str) -> Arrays:
        """Return a finished unit's arrays."""

    def load_paused(self, key: str) -> Arrays | None:
        """Return a paused unit's arrays, if there are any."""

    def save(self, key: str, arrays: Arrays, metrics: Metrics | None, seconds: float) -> None:
        """Keep an outcome, safely; `seconds` is what this stretch of it took."""


class Backend(Protocol):
    """What runs units: this process, or several."""

    @property
    def slots(self) -> int:
        """How many units may be under way at once."""

    def submit(self, unit: Unit, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        """Start a unit."""

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a unit that has ended came to."""

    def stop(self) -> None:
        """Make every unit under way pause at its next step."""


class Watch(Protocol):
    """What the loop tells and asks while it waits."""

    def stopping(self) -> bool:
        """Say whether a signal asks to save and stop."""

    def poll(self) -> None:
        """Be called several times a second."""
