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
    waiting = [unit for unit in units if not store.has(unit.key)]
    running: dict[Future[Outcome], Unit] = {}
    while waiting or running:
        if watch.stopping():
            backend.stop()
            waiting = []
        ready = _ready(waiting, store)
        while ready and len(running) < backend.slots:
            chosen, paused = next_group(ready, backend.slots - len(running), store.load_paused)
            keys = {unit.key for unit in chosen}
            ready, waiting = ([unit for unit in left if unit.key not in keys] for left in (ready, waiting))
            group = as_one(chosen)
            earlier = {key: store.load(key) for key in group.needs}
            running[backend.submit(group, earlier, paused)] = group
        # Those that failed come last: what ended together with an error is saved before the error is raised.
        for future in sorted(wait(running, POLL_S, FIRST_COMPLETED).done, key=_failed):
            for unit, outcome in reversed(split(running.pop(future), backend.result(future))):
                store.save(unit.key, outcome.arrays, outcome.metrics, outcome.seconds)
                if outcome.metrics is None:
                    waiting.insert(0, unit)
        watch.poll()
        if watch.stopping() and not running:
            break
    return all(store.has(unit.key) for unit in units)


def _failed(future: Future[Outcome]) -> bool:
    return future.exception() is not None


def _ready(waiting: Sequence[Unit], store: Store) -> list[Unit]:
    return [unit for unit in waiting if all(store.has(key) for key in unit.needs)]
