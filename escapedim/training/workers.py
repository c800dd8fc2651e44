"""Where units run: in this process, or in several processes of one thread each.

Small tensors do not scale over threads, so every process has one. Workers come from a fork server, which imports torch
once; they ignore the signals that the parent handles, die with it, and write nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

import torch

from escapedim.errors import EscapedimError
from escapedim.tasks.base import Task
from escapedim.training.data import Data
from escapedim.training.units import Arrays, Context, Outcome, Unit

SAVE_EVERY_S = 60.0  # a unit under way pauses and is saved this often: what a lost machine costs at most; ours
COUNT_EVERY_S = 0.2  # how often a worker tells how far it is; ours
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Ticker:
    """Counts network steps, and asks for a pause on request or when it is time to save."""

    def __init__(self, add: Callable[[int], None], stopped: Callable[[], bool]) -> None:
        self._add, self._stopped, self._steps = add, stopped, 0
        self._told = self._began = time.monotonic()

    def begin(self) -> None:
        """Start the clock of a unit."""
        self._told = self._began = time.monotonic()

    def __call__(self, members: int) -> bool:
        """Count a step of so many networks; say whether to pause."""
        self._steps += members
        now = time.monotonic()
        if now - self._told > COUNT_EVERY_S:
            self.flush()
            self._told = now
        return now - self._began > SAVE_EVERY_S or self._stopped()

    def flush(self) -> None:
        """Tell the steps so far."""
        self._add(self._steps)
        self._steps = 0


@dataclass
class _Worker:
    context: Context
    ticker: Ticker

    def run(self, unit: Unit, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        self.ticker.begin()
        try:
            return unit(self.context, earlier, paused)
        finally:
            self.ticker.flush()


def _make_worker(task: Task, dtype: str, device: str, ticker: Ticker) -> _Worker:
    return _Worker(Context(task, Data.of(task, dtype, device), device, ticker), ticker)


class Inline:
    """Runs units in this process, one after another: for one job, and for a GPU."""

    slots = 1

    def __init__(self, task: Task, dtype: str, device: str, stopping: Callable[[], bool]) -> None:
        """Pause when `stopping()` says so, which must be cheap: it is asked after every step."""
        self._steps = 0
        if device == "cpu":
            _prepare_processor()
        self._worker = _make_worker(task, dtype, device, Ticker(self._add, stopping))

    def submit(self, unit: Unit, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        """Run a unit now."""
        future: Future[Outcome] = Future()
        future.set_result(self._worker.run(unit, earlier, paused))
        return future

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a unit came to."""
        return future.result()

    def stop(self) -> None:
        """Do nothing: no unit is under way between two calls of `submit`."""

    def steps(self) -> int:
        """Network steps so far."""
        return self._steps

    def _add(self, steps: int) -> None:
        self._steps += steps

    def pids(self) -> list[int]:
        """Other processes: none."""
        return []

    def close(self) -> None:
        """Give the processor's settings back."""
        torch.set_flush_denormal(False)


class _Shared:
    """Memory of parent and workers: a flag that asks them to pause, and the steps of each.

    There is no lock that a worker could be killed with: the flag has one writer, and so has every counter.
    """

    def __init__(self, context: ForkServerContext, jobs: int) -> None:
        self.stop = context.RawValue("b", 0)
        self.counters = context.RawArray("q", jobs)
        self.next_worker = context.Value("i", 0)


class Processes:
    """Runs units in `jobs` processes of one thread each, on the CPU."""

    def __init__(self, task: Task, dtype: str, jobs: int) -> None:
        self.slots = jobs
        context = get_context("forkserver")
        alive, self._lifeline = context.Pipe(duplex=False)
        with _ignored_signals(), _one_thread():
            # Shared objects start Python's resource tracker, which must ignore signals like the fork server.
            self._shared = _Shared(context, jobs)
            forkserver.set_forkserver_preload([__name__])
            forkserver.ensure_running()
        self._pool = ProcessPoolExecutor(jobs, context, _initialise, (task, dtype, self._shared, alive))

    def submit(self, unit: Unit, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        """Start a unit in a process that is free."""
        try:
            return self._pool.submit(_run, unit, earlier, paused)
        except BrokenProcessPool:
            raise self._lost_worker() from None

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a unit that has ended came to.

        Raises
        ------
        EscapedimError
            A worker process was killed.
        """
        try:
            return future.result()
        except BrokenProcessPool:
            raise self._lost_worker() from None

    def stop(self) -> None:
        """Make the units under way pause at their next step."""
        self._shared.stop.value = 1

    def steps(self) -> int:
        """Network steps so far, of all processes."""
        return sum(self._shared.counters)

    def _lost_worker(self) -> EscapedimError:
        # The pool asks the other workers to end by SIGTERM, which they ignore, and waits for them.
        self._lifeline.close()
        return EscapedimError(
            "a worker process was killed (out of memory?); what was finished is saved: "
            "repeat the command, with fewer --jobs if memory is short."
        )

    def pids(self) -> list[int]:
        """Return the worker processes."""
        return [child.pid for child in active_children() if child.pid is not None]

    def close(self) -> None:
        """End the processes; units under way pause and are dropped."""
        self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._lifeline.close()


@contextlib.contextmanager
def _ignored_signals() -> Iterator[None]:
    """Start children that ignore what the parent handles: a signal to the whole process group is the parent's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


_worker: _Worker | None = None


def _initialise(task: Task, dtype: str, shared: _Shared, alive: Connection) -> None:
    global _worker
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, args=(alive,), daemon=True).start()
    _prepare_processor()
    with shared.next_worker.get_lock():
        slot = shared.next_worker.value
        shared.next_worker.value += 1

    def add(steps: int) -> None:
        shared.counters[slot] += steps

    _worker = _make_worker(task, dtype, "cpu", Ticker(add, lambda: bool(shared.stop.value)))


def _prepare_processor() -> None:
    """One thread, and numbers below 1e-38 (float64: 1e-308) taken for 0.

    Softmax of a well-trained network leaves such numbers in the gradients, and products of them take several times
    longer: half of the time of a default run.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _die_with_parent(alive: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        alive.recv_bytes()
    os._exit(1)


def _run(unit: Unit, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
    assert _worker is not None
    return _worker.run(unit, earlier, paused)


Backend = Inline | Processes


def make_backend(task: Task, dtype: str, device: str, jobs: int, stopping: Callable[[], bool]) -> Backend:
    """Return what runs units: one process on a GPU or for one job, otherwise `jobs` processes."""
    if device != "cpu" or jobs == 1:
        return Inline(task, dtype, device, stopping)
    return Processes(task, dtype, jobs)
