"""How much is timed, with how many threads, and what becomes of the repeats.

Sides are measured in turns (A B A B ...), so that a machine that slows down slows down both. Repeats become a median
with a range; two sides become a quotient of medians, with the range of the quotients of neighbours in time.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

DEFAULT_THREADS = torch.get_num_threads()  # before `threads` changes it


@dataclass(frozen=True)
class Scale:
    """How much is measured: repeats, rounds of `prune`, and steps of one timing.

    `plain_steps` and `net_steps` are steps of one network, `small_steps` of each network of the row `small`, which
    has torch.compile if it is to be `compiled`. `full` is the work that takes minutes: all of the plain loop of
    `prune`, and the largest sizes of `scale`.
    """

    repeats: int = 5
    rounds: int = 10
    plain_steps: int = 5000  # five networks of 1,000 steps, the length of the default run
    net_steps: int = 1000
    small_steps: int = 100
    certify_members: int = 1000
    compiled: bool = False
    full: bool = False


QUICK = Scale(rounds=1, plain_steps=1000, net_steps=150, small_steps=10, certify_members=50)
"""Short turns, but no fewer: of two turns of equal code every third pair of ranges does not meet."""


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of repeats, which are kept too."""

    median: float
    min: float
    max: float
    values: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise repeats."""
        return cls(statistics.median(values), min(values), max(values), values)


@dataclass(frozen=True)
class Ratio:
    """How many times longer another side takes: the quotient of medians, and the range of the paired quotients."""

    ratio: float
    min: float
    max: float

    @classmethod
    def of(cls, plain: Spread, tool: Spread) -> Ratio:
        """Divide repeats that were measured in turns."""
        pairs = [slow / fast for slow, fast in zip(plain.values, tool.values, strict=True)]
        return cls(plain.median / tool.median, min(pairs), max(pairs))


@contextmanager
def one_core() -> Iterator[int | None]:
    """Keep this thread, and the processes that it starts, on one core; give its number, None where it cannot be."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
