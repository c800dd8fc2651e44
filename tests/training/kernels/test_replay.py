from __future__ import annotations

import gc
import weakref

import torch

from escapedim.training.descent import descend
from escapedim.training.kernels import replay
from escapedim.training.kernels.replay import RECORD_AFTER, Replay
from escapedim.training.kernels.stack import Stack
from tests.training.plain import toy
from tests.training.test_descent import job_of


class Recorded:
    """Stands for a CUDA graph: it does nothing but count how often it is replayed."""

    def __init__(self) -> None:
        self.replayed = 0

    def replay(self) -> None:
        self.replayed += 1


def test_on_the_cpu_the_work_is_done_every_time():
    done, again = [], Replay(cuda=False)
    for at in range(3 * RECORD_AFTER):
        again(lambda at=at: done.append(at))
    assert done == list(range(3 * RECORD_AFTER))


def test_what_was_recorded_is_replayed_and_the_work_not_done_besides(monkeypatch):
    done, graph, again = [], Recorded(), Replay(cuda=True)
    monkeypatch.setattr(replay, "_recorded", lambda work: graph)
    for at in range(RECORD_AFTER + 5):
        again(lambda at=at: done.append(at))
    assert done == list(range(RECORD_AFTER))
    assert graph.replayed == 5


def test_nothing_is_collected_while_a_graph_is_recorded(monkeypatch):
    class Graph:
        def __enter__(self):
            assert not gc.isenabled()

        def __exit__(self, *_):
            assert not gc.isenabled()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorded)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: Graph())
    assert isinstance(replay._recorded(lambda: None), Recorded)
    assert gc.isenabled()


def test_a_stack_goes_with_its_last_name(monkeypatch):
    """It is in no cycle: its graph must not be destroyed by a collection while the next one is recorded."""
    problem, made = toy("squared"), []
    init = Stack.__init__

    def noted(self, *arguments, **keywords) -> None:
        init(self, *arguments, **keywords)
        made.append(weakref.ref(self))

    monkeypatch.setattr(Stack, "__init__", noted)
    gc.disable()
    try:
        job = job_of(problem, problem.rows(2))
        descend(job, problem.data, job.begin(), lambda members: False)
        assert [one() for one in made] == [None]
    finally:
        gc.enable()
