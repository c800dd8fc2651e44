from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.training import running as module
from escapedim.training.running import run_works
from escapedim.training.work import Arrays, Context, Metrics, Outcome, Work

CONTEXT = Context(task=None, data=None, device="cpu", tick=lambda members: False)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Sum:
    """Adds 1 to the sum of what it needs, in so many stretches with pauses between them."""

    key: str
    needs: tuple[str, ...] = ()
    stretches: int = 1

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        assert set(earlier) == set(self.needs)
        done = (int(paused["done"]) if paused else 0) + 1
        if done < self.stretches:
            return Outcome({"done": np.array(done)}, None)
        total = 1 + sum(int(arrays["total"]) for arrays in earlier.values())
        return Outcome({"total": np.array(total)}, {"total": total})


@dataclass
class Memory:
    """A store that remembers in which order outcomes came, and drops a paused state once its work is finished."""

    finished: dict[str, Arrays] = field(default_factory=dict)
    paused: dict[str, Arrays] = field(default_factory=dict)
    saves: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def has(self, key: str) -> bool:
        return key in self.finished

    def load(self, key: str) -> Arrays:
        return self.finished[key]

    def load_paused(self, key: str) -> Arrays | None:
        return self.paused.get(key)

    def save(self, key: str, arrays: Arrays, metrics: Metrics | None, seconds: float) -> None:
        assert key not in self.finished
        (self.paused if metrics is None else self.finished)[key] = arrays
        self.saves.append(key if metrics is not None else f"{key} paused")
        self.seconds.append(seconds)

    def totals(self) -> dict[str, int]:
        return {key: int(arrays["total"]) for key, arrays in self.finished.items()}


@dataclass
class Fake:
    """A backend and a watch: works under way end when the loop polls, the latest first, or at once."""

    slots: int = 1
    at_once: bool = True
    stop_after: int | None = None  # polls until a signal arrives
    submitted: list[str] = field(default_factory=list)
    stops: int = 0
    polls: int = 0
    _under_way: list[tuple[Future[Outcome], Work, Mapping[str, Arrays], Arrays | None]] = field(default_factory=list)

    def submit(self, work: Work, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Future[Outcome]:
        self.submitted.append(work.key)
        future: Future[Outcome] = Future()
        self._under_way.append((future, work, earlier, paused))
        assert len(self._under_way) <= self.slots
        if self.at_once:
            self._end_one()
        return future

    def result(self, future: Future[Outcome]) -> Outcome:
        return future.result()

    def stop(self) -> None:
        self.stops += 1

    def stopping(self) -> bool:
        return self.stop_after is not None and self.polls >= self.stop_after

    def poll(self) -> None:
        self.polls += 1
        self._end_one()

    def _end_one(self) -> None:
        if self._under_way:
            future, work, earlier, paused = self._under_way.pop()
            future.set_result(work(CONTEXT, earlier, paused))


def run(works: list[Sum], store: Memory, **how) -> tuple[bool, Fake]:
    fake = Fake(**how)
    return run_works(works, store, fake, fake), fake


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0)


LADDER = [Sum("a0"), Sum("b0"), Sum("a1", ("a0",)), Sum("b1", ("b0",)), Sum("a2", ("a0", "a1"))]
TOTALS = {"a0": 1, "b0": 1, "a1": 2, "b1": 2, "a2": 4}


def test_units_go_in_order_once_what_they_need_is_there():
    store = Memory()
    done, fake = run(LADDER, store)
    assert done
    assert fake.submitted == ["a0", "b0", "a1", "b1", "a2"]
    assert store.totals() == TOTALS


def test_a_unit_waits_for_its_needs_and_others_overtake_it():
    store = Memory()
    done, fake = run(LADDER[::-1], store)
    assert done
    assert fake.submitted == ["b0", "b1", "a0", "a1", "a2"]
    assert store.totals() == TOTALS


def test_what_is_stored_is_skipped():
    store = Memory({"a0": {"total": np.array(10)}, "b1": {"total": np.array(20)}})
    done, fake = run(LADDER, store)
    assert done
    assert fake.submitted == ["b0", "a1", "a2"]
    assert store.totals() == {"a0": 10, "b0": 1, "a1": 11, "b1": 20, "a2": 22}
    done, fake = run(LADDER, store)
    assert done
    assert fake.submitted == []


def test_nothing_to_do_is_done():
    assert run([], Memory())[0]


def test_a_paused_unit_is_stored_and_goes_on_before_the_others():
    store = Memory()
    done, fake = run([Sum("long", stretches=3), Sum("next")], store)
    assert done
    assert fake.submitted == ["long", "long", "long", "next"]
    assert store.saves == ["long paused", "long paused", "long", "next"]


def test_the_store_is_told_what_every_stretch_took():
    @dataclass(frozen=True)
    class Timed(Sum):
        def __call__(self, context, earlier, paused):
            return replace(super().__call__(context, earlier, paused), seconds=2.5)

    store = Memory()
    run([Timed("long", stretches=2)], store)
    assert store.seconds == [2.5, 2.5]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_paused_unit_goes_on_before_others_in_several_processes_too(at_once):
    store = Memory()
    done, fake = run([Sum(key, stretches=4) for key in "abcd"], store, slots=2, at_once=at_once)
    assert done
    assert set(fake.submitted[:8]) == {"a", "b"}
    assert set(fake.submitted[8:]) == {"c", "d"}


def test_a_unit_that_was_paused_in_an_earlier_start_goes_on_from_there():
    store = Memory(paused={"long": {"done": np.array(2)}})
    done, fake = run([Sum("long", stretches=3)], store)
    assert done
    assert fake.submitted == ["long"]


def test_on_a_signal_what_is_under_way_is_saved_and_nothing_new_begins():
    store = Memory()
    works = [Sum("one", stretches=9), Sum("two", stretches=9), Sum("three")]
    done, fake = run(works, store, slots=2, at_once=False, stop_after=1)
    assert not done
    assert fake.stops >= 1
    assert fake.submitted == ["one", "two"]
    assert sorted(store.saves) == ["one paused", "two paused"]


def test_on_a_signal_before_the_start_nothing_begins():
    done, fake = run(LADDER, Memory(), stop_after=0)
    assert not done
    assert fake.submitted == []


def test_a_signal_after_the_last_unit_is_too_late_to_matter():
    done, _ = run([Sum("only")], Memory(), at_once=False, stop_after=1)
    assert done


@pytest.mark.parametrize("needs", [("nobody",), ("a",)])
def test_units_that_can_never_go_on_end_the_loop(needs):
    with pytest.raises(AssertionError, match=f"nothing can go on: a needs {needs[0]}"):
        run([Sum("a", needs), Sum("b", ("a",))], Memory())


@pytest.mark.parametrize(("slots", "before"), [(2, ["a", "b", "c"]), (1, ["a"])])
def test_other_processes_go_on_before_what_has_ended_is_saved(slots, before):
    class Slow(Memory):
        """Remembers what was submitted before the first outcome was saved."""

        def save(self, *outcome) -> None:
            begun.append(list(fake.submitted))
            super().save(*outcome)

    begun: list[list[str]] = []
    fake, store = Fake(slots=slots, at_once=False), Slow()
    assert run_works([Sum("a"), Sum("b"), Sum("c")], store, fake, fake)
    assert begun[0] == before
    assert store.totals() == {"a": 1, "b": 1, "c": 1}


def test_an_error_ends_the_loop_and_what_was_finished_stays():
    @dataclass(frozen=True)
    class Broken(Sum):
        def __call__(self, context, earlier, paused):
            raise ValueError("broken")

    store = Memory()
    with pytest.raises(ValueError, match="broken"):
        run([Sum("a"), Broken("b"), Sum("c")], store)
    assert store.totals() == {"a": 1}


def test_what_ends_together_with_an_error_is_saved_before_the_error_is_raised():
    class Together(Fake):
        """All works under way end at the same poll; one of them with an error."""

        def poll(self) -> None:
            for future, work, earlier, paused in self._under_way:
                if work.key == "killed":
                    future.set_exception(ValueError("killed"))
                else:
                    future.set_result(work(CONTEXT, earlier, paused))
            self._under_way.clear()

    works, store = [*(Sum(str(n)) for n in range(4)), Sum("killed"), *(Sum(str(n)) for n in range(4, 8))], Memory()
    fake = Together(slots=9, at_once=False)
    with pytest.raises(ValueError, match="killed"):
        run_works(works, store, fake, fake)
    assert sorted(store.finished) == [str(n) for n in range(8)]


@st.composite
def graphs(draw):
    """Works that need any of the earlier ones, in any order of the sequence."""
    count = draw(st.integers(1, 8))
    works = [
        Sum(str(n), tuple(str(m) for m in draw(st.sets(st.integers(0, n - 1)))) if n else (), draw(st.integers(1, 3)))
        for n in range(count)
    ]
    return works, draw(st.permutations(works))


@settings(deadline=None)
@given(graphs(), st.integers(1, 4), st.booleans(), st.lists(st.integers(0, 6), max_size=4))
def test_any_number_of_processes_and_interruptions_give_the_same_results(graph, slots, at_once, signals):
    works, sequence = graph
    totals: dict[str, int] = {}
    for work in works:
        totals[work.key] = 1 + sum(totals[key] for key in work.needs)
    store = Memory()
    for stop_after in signals:
        run(sequence, store, slots=slots, at_once=at_once, stop_after=stop_after)
    done, _ = run(sequence, store, slots=slots, at_once=at_once)
    assert done
    assert store.totals() == totals
    finished = [key for key in store.saves if "paused" not in key]
    assert all(finished.index(need) < finished.index(work.key) for work in works for need in work.needs)
    assert len(store.saves) == sum(work.stretches for work in works)
