"""Where works run: in this process, or in several processes of one thread each.

Small tensors do not scale over threads, so every process has one. Workers come from a fork server, which imports torch
once; they ignore the signals that the parent handles, die with it, and write nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from escapedim.errors import EscapedimError
from escapedim.tasks.base import Task
from escapedim.training import fork_server
from escapedim.training.data import Data
from escapedim.training.fork_server import SIGNALS
from escapedim.training.work import Arrays, Context, Outcome, Work

SAVE_EVERY_S = 60.0  # a work under way pauses and is saved this often: what a lost machine costs at most; ours
COUNT_EVERY_S = 0.2  # how often a worker tells how far it is; ours
OUT_OF_MEMORY = re.compile("out of memory|allocate memory|not enough memory|ALLOC_FAILED")  # as torch says it
LOST_WORKER = (
    "a worker process was killed (out of memory?); what was finished is saved: "
    "the same command continues, with fewer --jobs if memory is short."
)


class Ticker:
    """Counts network steps, and asks for a pause on request or when it is time to save."""

    def __init__(self, add: Callable[[int], None], stopped: Callable[[], bool]) -> None:
        self._add, self._stopped, self._steps = add, stopped, 0
        self._told = self._began = time.monotonic()

    def begin(self) -> None:
        """Start the clock of a work."""
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

    def run(self, work: Work, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        self.ticker.begin()
        # Processor time is not lengthened by other processes; but the processor waits while a GPU works.
        clock = time.process_time if self.context.device == "cpu" else time.perf_counter
        began = clock()
        try:
            with _one_sentence(work.key):
                outcome = work(self.context, earlier, paused)
        finally:
            self.ticker.flush()
        return replace(outcome, seconds=clock() - began)


def _make_worker(task: Task, dtype: str, device: str, ticker: Ticker) -> _Worker:
    with _one_sentence("preparing the data"):
        return _Worker(Context(task, Data.of(task, dtype, device), device, ticker), ticker)


@contextlib.contextmanager
def _one_sentence(work: str) -> Iterator[None]:
    """Turn whatever goes wrong into one sentence with its remedy."""
    try:
        yield
    except EscapedimError:
        raise
    except Exception as error:
        raise EscapedimError(f"{work}: {_what_is_wrong(error)}") from error


def _what_is_wrong(error: Exception) -> str:
    first_line = str(error).partition("\n")[0]
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(first_line):
        return (
            f"out of memory ({first_line}); what was finished is saved: "
            "the same command continues, with fewer --jobs or on a machine with more memory."
        )
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {first_line} ({Path(place.filename).name}, line {place.lineno}); what was finished "
        "is saved: repeat the command, and if it fails again report this with what 'escapedim doctor' prints."
    )


class Inline:
    """Runs works in this process, one after another: for one job, and for a GPU."""

    slots = 1

    def __init__(self, task: Task, dtype: str, device: str, stopping: Callable[[], bool]) -> None:
        """Pause when `stopping()` says so, which must be cheap: it is asked after every step."""
        self._steps = 0
        if device == "cpu":
            _prepare_processor()
        self._worker = _make_worker(task, dtype, device, Ticker(self._add, stopping))

    def submit(self, work: Work, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        """Run a work now."""
        future: Future[Outcome] = Future()
        future.set_result(self._worker.run(work, earlier, paused))
        return future

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a work came to."""
        return future.result()

    def stop(self) -> None:
        """Do nothing: no work is under way between two calls of `submit`."""

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


class Processes:
    """Runs works in `jobs` processes of one thread each, on the CPU.

    Every process has a thread here, which starts it, sends it works and waits for what they come to. The two share
    nothing but a pipe, whose end tells each that the other is gone. (`ProcessPoolExecutor` has locks, which a worker
    may be killed with, and does not see one die that it started after others.)
    """

    def __init__(self, task: Task, dtype: str, jobs: int) -> None:
        self.slots = jobs
        context = get_context("forkserver")
        fork_server.start()
        self._shared = _Shared(context, jobs)
        self._links = [_Link(context, (task, dtype, self._shared, slot)) for slot in range(jobs)]
        self._idle: SimpleQueue[_Link] = SimpleQueue()
        for link in self._links:
            self._idle.put(link)
        # Signals are for the main thread, and not for a fork server that a thread has to start again.
        self._threads = ThreadPoolExecutor(jobs, "link", signal.pthread_sigmask, (signal.SIG_BLOCK, SIGNALS))

    def submit(self, work: Work, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        """Start a work in a process that is free."""
        return self._threads.submit(self._run, work, earlier, paused)

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what a work that has ended came to.

        Raises
        ------
        EscapedimError
            A worker process was killed, or failed.
        """
        return future.result()

    def stop(self) -> None:
        """Make the works under way pause at their next step."""
        self._shared.stop.value = 1

    def steps(self) -> int:
        """Network steps so far, of all processes."""
        return sum(self._shared.counters)

    def pids(self) -> list[int]:
        """Return the worker processes."""
        return [link.pid for link in self._links if link.pid is not None]

    def close(self) -> None:
        """End the processes; works under way pause and are dropped."""
        self.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for link in self._links:
            link.close()

    def _run(self, *work: Any) -> Outcome:
        link = self._idle.get()
        try:
            return link.ask(work)
        finally:
            self._idle.put(link)


class _Link:
    """A worker process, started with its first work, and the parent's end of the pipe to it."""

    def __init__(self, context: ForkServerContext, arguments: tuple[Task, str, _Shared, int]) -> None:
        self._context, self._arguments = context, arguments
        self._process: ForkServerProcess | None = None
        self._pipe: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The process, where it is there."""
        return self._process.pid if self._process else None

    def ask(self, work: tuple[Any, ...]) -> Outcome:
        """Let the process do a work, and wait for it.

        Raises
        ------
        EscapedimError
            The process was killed, or says that it failed.
        """
        try:
            pipe = self._pipe or self._start()
            pipe.send(work)
            answer: Outcome | EscapedimError = pipe.recv()
        except (EOFError, ConnectionError):
            raise EscapedimError(LOST_WORKER) from None
        except OSError as error:
            raise EscapedimError(f"cannot run a worker process: {error.strerror}; use fewer --jobs.") from None
        if isinstance(answer, EscapedimError):
            raise answer
        return answer

    def close(self) -> None:
        """End the process, by closing the pipe."""
        if self._pipe:
            self._pipe.close()
        if self._process:
            self._process.join()
        self._process = self._pipe = None

    def _start(self) -> Connection:
        self._pipe, far_end = self._context.Pipe()
        with far_end:  # a copy of it here would hide the end of the process
            process = self._context.Process(target=_serve, args=(far_end, *self._arguments))
            process.start()
        self._process = process
        return self._pipe


def _serve(pipe: Connection, task: Task, dtype: str, shared: _Shared, slot: int) -> None:
    """Be a worker: do works as they come, until the pipe ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    assignments: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, assignments), daemon=True).start()
    _prepare_processor()

    def add(steps: int) -> None:
        shared.counters[slot] += steps

    ticker = Ticker(add, lambda: bool(shared.stop.value))
    worker: _Worker | None = None
    with contextlib.suppress(OSError):  # of a pipe whose other end has just gone
        while True:
            work, earlier, paused = assignments.get()
            try:
                worker = worker or _make_worker(task, dtype, "cpu", ticker)
                pipe.send(worker.run(work, earlier, paused))
            except EscapedimError as error:
                pipe.send(error)


def _receive(pipe: Connection, assignments: SimpleQueue[tuple[Any, ...]]) -> None:
    """Take works from the pipe; when it ends the parent is gone or done, and whatever is under way is in vain."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            assignments.put(pipe.recv())
    os._exit(1)


def _prepare_processor() -> None:
    """One thread, and numbers below 1e-38 (float64: 1e-308) taken for 0.

    Softmax of a well-trained network leaves such numbers in the gradients, and products of them take several times
    longer: half of the time of a default run.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


Backend = Inline | Processes


def make_backend(task: Task, dtype: str, device: str, jobs: int, stopping: Callable[[], bool]) -> Backend:
    """Return what runs works: one process on a GPU or for one job, otherwise `jobs` processes."""
    if device != "cpu" or jobs == 1:
        return Inline(task, dtype, device, stopping)
    return Processes(task, dtype, jobs)
