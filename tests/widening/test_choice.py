from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch

from escapedim.landscape.vocabulary import Ending
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.widening.choice import BySuccess, Counted, FromAnotherRun, Handed, parts, rows_of, stacks_of
from escapedim.widening.counted_members import WidthWork
from escapedim.widening.stack import ENDINGS

from .test_experiment import PROBLEM, small, widen_experiment

MODEL = MLP((2, 3, 1), "tanh")
SUCCESS = [True, False, False, True, False, True, False, False]
ENDED = [Ending.UNDECIDED] * 7 + [Ending.DIVERGED]


def arrays(replicates: list[int]) -> dict[str, np.ndarray]:
    """What a finished stack keeps: a network's weights are all its replicate."""
    weights = {
        name: np.stack([np.full(shape, n, np.float32) for n in replicates]) for name, shape in MODEL.shapes.items()
    }
    return weights | {
        "success": np.array([SUCCESS[n] for n in replicates]),
        "ending": np.array([ENDINGS.index(ENDED[n]) for n in replicates], np.int8),
        "loss": np.array([n / 10 for n in replicates]),
    }


CUTS = [[range(8)], [range(3), range(3, 8)], [range(4, 8), range(4)], [range(n, n + 1) for n in range(8)]]


@pytest.mark.parametrize("cut", CUTS, ids=str)
@pytest.mark.parametrize(("success", "expected"), [(True, [0, 3, 5]), (False, [1, 2, 4, 6])])
def test_members_are_chosen_by_success_in_order_however_they_were_stacked(cut, success, expected):
    earlier = {str(n): arrays(list(part)) for n, part in enumerate(cut)}
    stacks = tuple((str(n), tuple(part)) for n, part in enumerate(cut))
    for start, stop in itertools.combinations(range(6), 2):
        found = BySuccess(stacks, success, start, stop)(MODEL, earlier)
        chosen = expected[start:stop]
        assert found.replicates == chosen  # the diverged one is never among them
        assert found.losses == [n / 10 for n in chosen]
        assert found.endings == [ENDED[n] for n in chosen]
        assert found.rows.dtype == torch.float64
        assert found.rows.tolist() == [[float(n)] * Layout(MODEL.shapes).size for n in chosen]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_only_the_first_members_are_candidates_however_they_were_stacked(monkeypatch, cut):
    monkeypatch.setattr("escapedim.widening.choice.CANDIDATES", 5)
    own = tuple(WidthWork(works()[0].setting, tuple(part), pilots=False) for part in cut)
    pool = Counted(own, 8, success=False)
    earlier = {work.key: arrays(list(work.replicates)) for work in own if work.key in pool.needs}
    assert pool.part(0, 8)(MODEL, earlier).replicates == [1, 2, 4]
    assert pool.name == "of-000005"
    assert pool.needs == tuple(work.key for work in own if min(work.replicates) < 5)


def test_choices_can_be_sent_to_another_process():
    earlier, chosen = {"all": arrays(list(range(8)))}, BySuccess((("all", tuple(range(8))),), False, 1, 3)
    handed = FromAnotherRun((4, 7), np.eye(2, 13), (Ending.STALLED, Ending.CHANNEL), (0.1, 0.2))
    for choice in (chosen, handed):
        sent = pickle.loads(pickle.dumps(choice))
        found, again = choice(MODEL, earlier), sent(MODEL, earlier)
        assert (found.replicates, found.endings, found.losses) == (again.replicates, again.endings, again.losses)
        assert torch.equal(found.rows, again.rows)


def test_rows_are_in_the_order_of_the_layout():
    rows = torch.randn(4, Layout(MODEL.shapes).size, dtype=torch.float64)
    kept = {name: view.numpy() for name, view in Layout(MODEL.shapes).views(rows).items()}
    assert torch.equal(rows_of(MODEL, dict(reversed(kept.items()))), rows)


def works() -> tuple[WidthWork, ...]:
    experiment = widen_experiment(small(), PROBLEM.task)
    return tuple(work for work in experiment.works if work.key.startswith("width-000002"))


def test_a_pool_needs_the_stacks_that_decide_and_more_members_are_another_pool():
    pool = Counted(works(), 5, success=False)
    assert pool.needs == tuple(work.key for work in works())
    assert pool.name == "of-000006"
    part = pool.part(1, 3)
    assert (part.success, part.start, part.stop) == (False, 1, 3)
    assert part.stacks == tuple((work.key, work.replicates) for work in works())


def test_members_that_were_handed_over_are_cut_into_parts():
    rows = np.arange(3 * 4, dtype=float).reshape(3, 4)
    pool = Handed(FromAnotherRun((4, 7, 9), rows, (Ending.STALLED,) * 3, (0.1, 0.2, 0.3)))
    assert (pool.most, pool.needs, pool.name) == (3, (), "given-000003")
    found = pool.part(1, 3)(MODEL, {})
    assert (found.replicates, found.losses) == ([7, 9], [0.2, 0.3])
    assert found.rows.tolist() == rows[1:].tolist()


@pytest.mark.parametrize(("size", "each"), [(1, 1), (2, 1), (100, 1), (4, 2), (1, 3)])
def test_parts_cover_a_pool_once_and_fill_no_stack_over_its_size(monkeypatch, size, each):
    monkeypatch.setattr("escapedim.widening.choice.stack_size", lambda model, recipe: size)
    pool = Handed(FromAnotherRun(tuple(range(5)), np.zeros((5, 2)), (Ending.STALLED,) * 5, (0.1,) * 5))
    setting = works()[0].setting
    found = parts(pool, setting, each)
    assert [n for start, stop, _ in found for n in range(start, stop)] == list(range(5))
    assert all(most == each * (stop - start) <= max(size, each) for start, stop, most in found)
    stacks = stacks_of(pool, "some", setting, lambda choice: choice, each)
    assert len({work.key for work in stacks}) == len(found)
    assert [work.most for work in stacks] == [most for _, _, most in found]
