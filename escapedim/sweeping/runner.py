"""What is missing of a plan, run side by side: stages in order, each run once, past failures.

Whoever else works on the same plan is left alone: a run that is held is skipped, or waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from escapedim.sweeping.attempt import Ended, Stopping, attempt
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.state import standing

_POLL_S, _WAIT_POLLS = 0.1, 30  # how soon a signal is seen; a look at what is held every three seconds


@dataclass(frozen=True)
class Asked:
    """What of a plan is to be run: `shard` is (index, number of shards), `stage` one stage only.

    A `patient` one waits for runs that somebody else holds, and takes them over from a holder that is gone.
    """

    jobs: int
    retry: bool = True
    fail_fast: bool = False
    limit: int | None = None
    shard: tuple[int, int] = (0, 1)
    stage: int | None = None
    device: str | None = None
    patient: bool = False


def chosen(runs: Sequence[SweepRun], asked: Asked) -> list[SweepRun]:
    """Return the runs of this shard and stage; shards take turns within each stage."""
    index, of = asked.shard
    found, seen = list[SweepRun](), dict[int, int]()
    for run in runs:
        place = seen.get(run.stage, 0)
        seen[run.stage] = place + 1
        if place % of == index and asked.stage in (None, run.stage):
            found.append(run)
    return found


def shared(runs: int, jobs: int) -> tuple[int, int]:
    """Return how many runs are under way at the same time, and how many processes each has."""
    workers = max(1, min(jobs, runs))
    return workers, max(1, jobs // workers)


def execute(
    runs: Sequence[SweepRun], out: Path, asked: Asked, stopping: Stopping, said: Callable[[Ended], None]
) -> list[Ended]:
    """Run what is missing, stage by stage; return how each attempt ended."""
    ended: list[Ended] = []
    mine = chosen(runs, asked)
    for stage in sorted({run.stage for run in mine}):
        own = [run for run in mine if run.stage == stage]
        due = list(_due(own, out, asked.retry)) or _due_since(own, out, asked, stopping, ())
        while due := due[: None if asked.limit is None else asked.limit - len(ended)]:
            now = _stage(due, out, asked, stopping, said)
            ended += now
            if _enough(ended, asked, stopping):
                return ended
            if asked.patient and now and all(one.state == "held" for one in now):
                _pause(stopping)
            tried = {one.run.name for one in ended if not (asked.patient and one.state == "held")}
            due = _due_since(own, out, asked, stopping, tried)
    return ended


def _enough(ended: Sequence[Ended], asked: Asked, stopping: Stopping) -> bool:
    done = asked.limit is not None and len(ended) >= asked.limit
    return done or stopping() or (asked.fail_fast and any(one.state == "failed" for one in ended))


def _due_since(
    own: Sequence[SweepRun], out: Path, asked: Asked, stopping: Stopping, tried: Container[str]
) -> list[SweepRun]:
    """Return what has become due: runs whose holder has gone, if need be after some patience."""
    while True:
        due = [run for run in _due(own, out, retry=False) if run.name not in tried]
        if due or not (asked.patient and _held(own, out, stopping)):
            return due


def _due(runs: Sequence[SweepRun], out: Path, retry: bool) -> Iterator[SweepRun]:
    """Yield the runs that can and should be started."""
    for run in runs:
        state = standing(run, out).state
        ready = all(standing(source, out).state == "complete" for source in run.sources)
        if ready and (state == "missing" or (state == "failed" and retry)):
            yield run


def _held(runs: Sequence[SweepRun], out: Path, stopping: Stopping) -> bool:
    """Wait for runs that are held elsewhere; say whether there is something to look at again."""
    if not any(standing(run, out).state == "running" for run in runs):
        return False
    return _pause(stopping)


def _pause(stopping: Stopping) -> bool:
    """Wait a little; say whether that was to the end, and no signal came."""
    for _ in range(_WAIT_POLLS):
        if stopping():
            return False
        time.sleep(_POLL_S)
    return True


def _stage(
    due: Sequence[SweepRun], out: Path, asked: Asked, stopping: Stopping, said: Callable[[Ended], None]
) -> list[Ended]:
    workers, each = shared(len(due), asked.jobs)
    ended: list[Ended] = []
    waiting, under_way = list(due), set[Future[Ended]]()
    with ThreadPoolExecutor(workers) as pool:
        while waiting or under_way:
            while waiting and len(under_way) < workers:
                if standing(waiting[0], out).state == "complete":  # another process was quicker
                    waiting.pop(0)
                    continue
                under_way.add(pool.submit(attempt, waiting.pop(0), out, each, asked.device, stopping))
            # Not without a timeout: a signal's handler may not run while a lock is waited for.
            done, under_way = wait(under_way, _POLL_S, FIRST_COMPLETED)
            for future in done:
                ended.append(future.result())
                said(ended[-1])
            if stopping() or (asked.fail_fast and any(one.state == "failed" for one in ended)):
                waiting.clear()
    return ended
