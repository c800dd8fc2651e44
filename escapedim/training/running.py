"""The loop that gets works done. It skips what is stored: to continue a run is the same code as to start one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from escapedim.training.joining import as_one, next_group, split
from escapedim.training.work import Backend, Outcome, Store, Watch, Work

POLL_S = 0.2  # how soon a signal is seen and progress is shown; ours


def run_works(works: Sequence[Work], store: Store, backend: Backend, watch: Watch) -> bool:
    """Go on until every work is stored, or until `watch.stopping()`; say whether all is done.

    Earlier works of the sequence go first among those whose needs are met. A paused work is stored and goes on.
    """
    # By key, and asked for the next one only: there may be tens of thousands.
    waiting = {work.key: work for work in works if not store.has(work.key)}
    running: dict[Future[Outcome], Work] = {}

    def fill_slots() -> None:
        while len(running) < backend.slots and not watch.stopping():
            ready = (work for work in waiting.values() if all(store.has(key) for key in work.needs))
            chosen, paused = next_group(ready, backend.slots - len(running), store.load_paused)
            if not chosen:
                break
            for work in chosen:
                del waiting[work.key]
            group = as_one(chosen)
            earlier = {key: store.load(key) for key in group.needs}
            running[backend.submit(group, earlier, paused)] = group

    while waiting or running:
        if watch.stopping():
            backend.stop()
            waiting = {}
        fill_slots()
        if waiting and not running:
            first = next(iter(waiting.values()))
            raise AssertionError(f"nothing can go on: {first.key} needs {', '.join(first.needs)}")
        # Those that failed come last: what ended together with an error is saved before the error is raised.
        done = sorted(wait(running, POLL_S, FIRST_COMPLETED).done, key=_failed)
        ended = [(running.pop(future), future) for future in done]
        if backend.slots > 1 and not any(_failed(future) or _paused(future) for future in done):
            fill_slots()  # other processes need not wait until this one has saved
        for group, future in ended:
            for work, outcome in reversed(split(group, backend.result(future))):
                store.save(work.key, outcome.arrays, outcome.metrics, outcome.seconds)
                if outcome.metrics is None:
                    waiting = {work.key: work, **waiting}
        watch.poll()
        if watch.stopping() and not running:
            break
    return all(store.has(work.key) for work in works)


def _paused(future: Future[Outcome]) -> bool:
    """Say whether a work is to go on itself, before others."""
    return future.result().metrics is None


def _failed(future: Future[Outcome]) -> bool:
    return future.exception() is not None
