"""The loop that gets units done. It skips what is stored: to continue a run is the same code as to start one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from escapedim.training.joining import as_one, next_group, split
from escapedim.training.units import Backend, Outcome, Store, Unit, Watch

POLL_S = 0.2  # how soon a signal is seen and progress is shown; ours


def run_units(units: Sequence[Unit], store: Store, backend: Backend, watch: Watch) -> bool:
    """Work until every unit is stored, or until `watch.stopping()`; say whether all is done.

    Earlier units of the sequence go first among those whose needs are met. A paused unit is stored and goes on.
    """
    # By key, and asked for the next one only: there may be tens of thousands.
    waiting = {unit.key: unit for unit in units if not store.has(unit.key)}
    running: dict[Future[Outcome], Unit] = {}

    def fill_slots() -> None:
        while len(running) < backend.slots and not watch.stopping():
            ready = (unit for unit in waiting.values() if all(store.has(key) for key in unit.needs))
            chosen, paused = next_group(ready, backend.slots - len(running), store.load_paused)
            if not chosen:
                break
            for unit in chosen:
                del waiting[unit.key]
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
            for unit, outcome in reversed(split(group, backend.result(future))):
                store.save(unit.key, outcome.arrays, outcome.metrics, outcome.seconds)
                if outcome.metrics is None:
                    waiting = {unit.key: unit, **waiting}
        watch.poll()
        if watch.stopping() and not running:
            break
    return all(store.has(unit.key) for unit in units)


def _paused(future: Future[Outcome]) -> bool:
    """Say whether a unit is to go on itself, before others."""
    return future.result().metrics is None


def _failed(future: Future[Outcome]) -> bool:
    return future.exception() is not None
