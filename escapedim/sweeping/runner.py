"""What is missing of a plan, run side by side: stages in order, each run once, past failures.

Whoever else works on the same plan is left alone: a run that is held is skipped, or waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from escapedim.sweeping.attempt import Ended, Stopping, attempt
from escapedim.sweeping.runs import Run
from escapedim.sweeping.state import standing

_POLL_S, _WAIT_POLLS = 0.1, 30  # a look every three seconds


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


def chosen(runs: Sequence[Run], asked: Asked) -> list[Run]:
    """Return the runs of this shard and stage; shards take turns within each stage."""
    index, of = asked.shard
    found, seen = list[Run](), dict[int, int]()
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
    runs: Sequence[Run], out: Path, asked: Asked, stopping: Stopping, said: Callable[[Ended], None]
) -> list[Ended]:
    """Run what is missing, stage by stage; return how each attempt ended."""
    ended: list[Ended] = []
    mine = chosen(runs, asked)
    for stage in sorted({run.stage for run in mine}):
        left = None if asked.limit is None else asked.limit - len(ended)
        own = [run for run in mine if run.stage == stage]
        ended += _stage(list(_due(own, out, asked.retry))[:left], out, asked, stopping, said)
        while asked.patient and _held(own, out, stopping):
            ended += _stage(list(_due(own, out, retry=False)), out, asked, stopping, said)
        if stopping() or (asked.fail_fast and any(one.state == "failed" for one in ended)):
            break
    return ended


def _due(runs: Sequence[Run], out: Path, retry: bool) -> Iterator[Run]:
    """Yield the runs that can and should be started."""
    for run in runs:
        state = standing(run, out).state
        ready = all(standing(source, out).state == "complete" for source in run.sources)
        if ready and (state == "missing" or (state == "failed" and retry)):
            yield run


def _held(runs: Sequence[Run], out: Path, stopping: Stopping) -> bool:
    """Wait for runs that are held elsewhere; say whether there is something to look at again."""
    if not any(standing(run, out).state == "running" for run in runs):
        return False
    for _ in range(_WAIT_POLLS):
        if stopping():
            return False
        time.sleep(_POLL_S)
    return True


def _stage(
    due: Sequence[Run], out: Path, asked: Asked, stopping: Stopping, said: Callable[[Ended], None]
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
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                ended.append(future.result())
                said(ended[-1])
            if stopping() or (asked.fail_fast and any(one.state == "failed" for one in ended)):
                waiting.clear()
    return ended
