"""The engine on several cores: processes of one thread, which live as long as they are asked for timings.

As under `escapedim widen --jobs N`, whichever process is free takes the next stack.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import Barrier

import torch
from torch import Tensor

from benchmarking.engine_side import width_job
from benchmarking.setting import WidthSetting
from escapedim.training.data import Data
from escapedim.training.descent import descend

START_S = 300.0  # longer than any start takes; a process that ends sooner is noticed at once


class EngineProcesses:
    """The processes, with the networks of a setting."""

    def __init__(self, pool: ProcessPoolExecutor, setting: WidthSetting) -> None:
        self._pool, self._setting = pool, setting

    def run(self, steps: int) -> float:
        """Train all stacks for so many steps; return the seconds from the first start to the last end."""
        began = time.perf_counter()
        stacks = self._setting.stacks
        ended = sum(self._pool.map(_train, range(len(stacks)), [steps] * len(stacks)))
        seconds = time.perf_counter() - began
        assert ended == sum(map(len, stacks))
        return seconds


@contextmanager
def engine_processes(setting: WidthSetting, count: int) -> Iterator[EngineProcesses]:
    """Start so many processes on the cores of this thread, each with all imports and one step done, and end them."""
    context = get_context("spawn")
    arguments = setting, context.Barrier(count)
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=arguments) as pool:
        list(pool.map(_meet, range(count)))
        yield EngineProcesses(pool, setting)


class _Process:
    """What each process keeps from one timing to the next."""

    setting: WidthSetting
    stacks: Sequence[Tensor]
    data: Data
    start: Barrier


def _begin(setting: WidthSetting, start: Barrier) -> None:
    torch.set_num_threads(1)
    _Process.setting, _Process.start = setting, start
    _Process.stacks, _Process.data = setting.stacks, setting.data
    _train(0, 1)


def _meet(_: int) -> None:
    """Wait until each process has come here, so that all of them have begun."""
    _Process.start.wait(START_S)


def _train(stack: int, steps: int) -> int:
    """Train a stack for so many steps; return its members."""
    left = iter(range(steps - 1, -1, -1))
    job = width_job(_Process.setting, _Process.stacks[stack])
    descend(job, _Process.data, job.begin(), lambda members: next(left) == 0)
    return len(_Process.stacks[stack])
