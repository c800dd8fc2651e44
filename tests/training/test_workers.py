from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from escapedim.errors import EscapedimError
from escapedim.training import workers
from escapedim.training.experiment import TrainWork
from escapedim.training.work import Arrays, Context, Outcome
from escapedim.training.workers import SIGNALS, Inline, Ticker, make_backend

from .plain import toy

PROBLEM = toy(dtype="float32", optimizer="adam")
UNITS = [TrainWork(PROBLEM.model, PROBLEM.recipe, (0, 15, 30), 0, (replicate,)) for replicate in range(4)]


@dataclass(frozen=True)
class Endless:
    """Takes steps until it is told to pause."""

    key: str = "endless"
    needs: tuple[str, ...] = ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        steps = 1
        while not context.tick(3):
            steps += 1
        return Outcome({"steps": np.array(steps)}, None)


@dataclass(frozen=True)
class Killed:
    """Dies as if the system were out of memory."""

    key: str = "killed"
    needs: tuple[str, ...] = ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@dataclass(frozen=True)
class Broken:
    """Fails after a step."""

    key: str = "broken"
    needs: tuple[str, ...] = ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        context.tick(2)
        raise ValueError("sad")


@dataclass(frozen=True)
class Surroundings:
    """Says what a worker is like."""

    key: str = "surroundings"
    needs: tuple[str, ...] = ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        ignored = [signal.getsignal(number) == signal.SIG_IGN for number in SIGNALS]
        return Outcome({"earlier": earlier["a"]["b"]}, {"threads": torch.get_num_threads(), "ignored": ignored})


def inline(stopping=lambda: False) -> Inline:
    backend = make_backend(PROBLEM.task, "float32", "cpu", 1, stopping)
    assert isinstance(backend, Inline)
    return backend


def outcomes(backend) -> list[Outcome]:
    futures = [backend.submit(work, {}, None) for work in UNITS]
    return [backend.result(future) for future in futures]


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.metrics == other.metrics
    assert one.arrays.keys() == other.arrays.keys()
    assert all(value.tobytes() == other.arrays[name].tobytes() for name, value in one.arrays.items())


def test_processes_do_what_one_process_does_pause_and_say_when_one_is_killed():
    """One test, since processes take seconds to start."""
    handlers, threads = [signal.getsignal(number) for number in SIGNALS], os.environ.get("OMP_NUM_THREADS")
    backend = make_backend(PROBLEM.task, "float32", "cpu", 2, lambda: False)
    try:
        assert backend.slots == 2
        assert [signal.getsignal(number) for number in SIGNALS] == handlers
        assert os.environ.get("OMP_NUM_THREADS") == threads

        for one, other in zip(outcomes(backend), outcomes(inline()), strict=True):
            assert_same(one, other)
        assert backend.steps() == 4 * 30
        assert len(backend.pids()) == 2

        worker = backend.result(backend.submit(Surroundings(), {"a": {"b": np.arange(3)}}, None))
        assert worker.metrics == {"threads": 1, "ignored": [True] * len(SIGNALS)}
        assert worker.arrays["earlier"].tolist() == [0, 1, 2]

        under_way = [backend.submit(Endless(), {}, None) for _ in range(2)]
        backend.stop()
        paused = [backend.result(future) for future in under_way]
        assert [outcome.metrics for outcome in paused] == [None, None]
        assert backend.steps() == 4 * 30 + 3 * sum(int(outcome.arrays["steps"]) for outcome in paused)

        with pytest.raises(EscapedimError, match=r"broken: ValueError: sad \(test_workers.py, line \d+\)"):
            backend.result(backend.submit(Broken(), {}, None))
        with pytest.raises(EscapedimError, match=r"a worker process was killed .* the same command continues"):
            backend.result(backend.submit(Killed(), {}, None))
    finally:
        backend.close()
    assert backend.pids() == []


def test_inline_counts_its_steps_and_pauses_when_told():
    told: list[bool] = []
    backend = inline(lambda: bool(told))
    assert (backend.slots, backend.pids()) == (1, [])
    whole = outcomes(backend)
    assert backend.steps() == 4 * 30
    told.append(True)
    paused = backend.result(backend.submit(UNITS[0], {}, None))
    assert paused.metrics is None
    assert int(paused.arrays["step"]) == 1
    assert backend.steps() == 4 * 30 + 1
    backend.close()
    assert_same(inline().submit(UNITS[0], {}, paused.arrays).result(), whole[0])


@pytest.mark.parametrize(("device", "clock"), [("cpu", "process_time"), ("cuda", "perf_counter")])
def test_a_worker_measures_its_units_by_the_clock_of_the_device(monkeypatch, device, clock):
    now = [5.0]

    class Slow(Endless):
        def __call__(self, context, earlier, paused) -> Outcome:
            now[0] += 3.0
            return Outcome({}, {"net_steps": 1})

    monkeypatch.setattr(time, clock, lambda: now[0])
    ticker = Ticker(lambda steps: None, lambda: False)
    worker = workers._Worker(Context(PROBLEM.task, PROBLEM.data, device, ticker), ticker)
    assert worker.run(Slow(), {}, None) == Outcome({}, {"net_steps": 1}, 3.0)


def test_a_unit_pauses_when_it_is_time_to_save_and_ends_the_same(monkeypatch):
    whole = outcomes(inline())[2]
    monkeypatch.setattr(workers, "SAVE_EVERY_S", -1.0)
    backend, paused, stretches = inline(), None, 0
    while True:
        outcome = backend.result(backend.submit(UNITS[2], {}, paused))
        if outcome.metrics is not None:
            break
        paused, stretches = outcome.arrays, stretches + 1
    assert stretches == 29
    assert_same(outcome, whole)


def test_a_ticker_tells_its_steps_from_time_to_time_and_when_asked(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    told: list[int] = []
    stopped = [False]
    ticker = Ticker(told.append, lambda: stopped[0])
    assert [ticker(2), ticker(3)] == [False, False]
    assert told == []
    clock[0] += 2 * workers.COUNT_EVERY_S
    assert not ticker(4)
    assert told == [9]
    ticker(5)
    ticker.flush()
    assert told == [9, 5]
    clock[0] += 2 * workers.SAVE_EVERY_S
    assert ticker(1)
    ticker.begin()
    assert not ticker(1)
    stopped[0] = True
    assert ticker(1)


def test_an_error_in_a_unit_is_raised_with_its_steps_counted():
    backend = inline()
    with pytest.raises(EscapedimError, match="broken: ValueError: sad"):
        backend.submit(Broken(), {}, None)
    assert backend.steps() == 2
