import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from escapedim.training import descent
from escapedim.training.batches import DataOrder
from escapedim.training.descent import descend
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.problems import problem_of
from escapedim.training.problems.sampled import Sampled

from .optimizers import CASES
from .plain import LOSSES, Toy, accuracy, network, toy, trajectory

MASKED = pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])


def never(members: int = 0) -> bool:
    return False


def job_of(problem: Toy, rows: Tensor, masks: Tensor | None = None, seeds: Sequence[int] | None = None, **more) -> Job:
    seeds = range(100, 100 + len(rows)) if seeds is None else seeds
    return Job(problem.model, problem_of(problem.task), problem.recipe, rows, masks, list(seeds), **more)


def train(problem: Toy, *args, **more) -> State:
    job = job_of(problem, *args, **more)
    return descend(job, problem.data, job.begin(), never)


def plain_rows(problem: Toy, member: int, job: Job, make_optimizer, rates: Sequence[float]) -> list[Tensor]:
    """The member's rows by a plain loop over a plain network: before the first step and after every one."""
    recipe, train = problem.recipe, problem.task.train
    order = DataOrder(job.order_seeds[member], len(train), recipe.batch_size)
    everything = torch.arange(len(train))
    targets = torch.from_numpy(train.y)
    chosen = (
        everything if recipe.batch_size == len(train) else order.batch(step) for step in range(job.start, recipe.steps)
    )
    batches = ((torch.from_numpy(train.x)[index], targets[index]) for index in chosen)
    net = network(problem.model.sizes, problem.model.activation, job.params[member].double())
    mask = None if job.mask is None else job.mask[member]
    return list(trajectory(net, job.problem.name, batches, make_optimizer, rates, mask))


def close(value: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(value, expected, rtol=1e-7, atol=1e-9)


@MASKED
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", CASES)
def test_descent_is_a_plain_loop_with_a_torch_optimizer(optimizer, loss, masked):
    full = optimizer.startswith("gd")
    problem = toy(loss, optimizer, lr=0.03, batch_size=23 if full else 6, hidden=(5, 4))
    rows, keep = problem.rows(2), (0, 4, 17, 30)
    job = job_of(problem, rows, problem.masks(2) if masked else None, keep=keep)
    state = descend(job, problem.data, job.begin(), never)
    assert state.step == 30
    assert sorted(state.kept) == sorted(keep)
    for member in range(2):
        expected = plain_rows(problem, member, job, CASES[optimizer], [0.03] * 30)
        close(state.params[member], expected[-1])
        for step in keep:
            close(state.kept[step][member], expected[step])


SCHEDULED = {
    "cosine": [0.15 * (1 + np.cos(np.pi * step / 30)) / 2 for step in range(30)],
    "step:at=10it/20it,factor=0.2": [0.15] * 10 + [0.03] * 10 + [0.006] * 10,
    "constant:warmup=6it": [0.025, 0.05, 0.075, 0.1, 0.125] + [0.15] * 25,
}


@pytest.mark.parametrize("start", [0, 13])
@pytest.mark.parametrize("schedule", SCHEDULED)
def test_schedules_and_data_order_go_by_the_step_of_the_whole_run(schedule, start):
    problem = toy(optimizer="sgd:momentum=0.9", lr=0.15, schedule=schedule)
    job = job_of(problem, problem.rows(1), start=start)
    state = descend(job, problem.data, job.begin(), never)
    rates = SCHEDULED[schedule][start:]
    close(state.params[0], plain_rows(problem, 0, job, CASES["sgd:momentum=0.9"], rates)[-1])


@pytest.mark.parametrize("activation", ["relu", "gelu", "softplus", "erf", "sigmoid"])
def test_every_activation_trains_as_in_plain_torch(activation):
    problem = toy(activation=activation, lr=0.2)
    job = job_of(problem, problem.rows(2))
    state = descend(job, problem.data, job.begin(), never)
    for member in range(2):
        close(state.params[member], plain_rows(problem, member, job, CASES["sgd"], [0.2] * 30)[-1])


def test_float32_is_the_same_to_rounding():
    single, double = toy(dtype="float32"), toy()
    rows = single.rows(3)
    expected = train(double, rows.double()).params
    torch.testing.assert_close(train(single, rows).params.double(), expected, rtol=1e-3, atol=1e-4)


@MASKED
@pytest.mark.parametrize("optimizer", ["adam", "sgd:momentum=0.9"])
def test_member_3_of_8_is_member_3_alone(optimizer, masked):
    problem = toy(optimizer=optimizer, lr=0.03)
    rows, masks = problem.rows(8), problem.masks(8) if masked else None
    seeds = list(range(8))
    together = train(problem, rows, masks, seeds, keep=(0, 9))
    alone = train(problem, rows[3:4], masks if masks is None else masks[3:4], seeds[3:4], keep=(0, 9))
    torch.testing.assert_close(together.params[3:4], alone.params, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(together.kept[9][3:4], alone.kept[9], rtol=1e-10, atol=1e-12)
    assert torch.equal(together.kept[0][3:4], alone.kept[0])
    assert together.best_validation[3] == alone.best_validation[0]
    assert together.test_at_best[3] == alone.test_at_best[0]


def test_draws_are_exactly_the_same_alone_and_together():
    problem = toy()
    rows = torch.stack([initial_row(problem.model, "float64", 0, replicate) for replicate in range(8)])
    seeds = [order_seed(problem.model, 0, replicate, 0) for replicate in range(8)]
    assert torch.equal(rows[3], initial_row(problem.model, "float64", 0, 3))
    together, alone = job_of(problem, rows, seeds=seeds), job_of(problem, rows[3:4], seeds=seeds[3:4])
    assert torch.equal(together.begin().params[3:4], alone.begin().params)
    orders = [DataOrder(job.order_seeds[member], 23, 6) for job, member in ((together, 3), (alone, 0))]
    assert all(torch.equal(*(order.batch(step) for order in orders)) for step in range(30))


def test_members_with_equal_seeds_see_equal_batches():
    problem = toy()
    row = problem.rows(1)
    same = train(problem, row.repeat(3, 1), seeds=[7, 7, 7]).params
    assert torch.equal(same[0], same[1])
    assert torch.equal(same[0], same[2])
    own = train(problem, row.repeat(2, 1), seeds=[7, 8]).params
    torch.testing.assert_close(own[0], same[0], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(own[0], own[1], rtol=1e-3)


@pytest.mark.parametrize("optimizer", [*CASES, "adamw:weight_decay=5", "sgd:momentum=0.99,weight_decay=3"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masked_weights_are_exactly_zero_at_every_kept_point(optimizer, dtype):
    problem = toy(optimizer=optimizer, lr=0.05, dtype=dtype)
    masks = problem.masks(4)
    state = train(problem, problem.rows(4), masks, keep=(0, 5, 30))
    for params in (state.params, *state.kept.values()):
        assert not params[~masks].any()
        assert params[masks].all()


def test_the_best_validation_accuracy_is_looked_for_ten_times_and_the_earliest_counts():
    problem = toy(lr=1.0, steps=37, hidden=(3,))
    job = job_of(problem, problem.rows(6))
    state = descend(job, problem.data, job.begin(), never)
    assert len(set(state.best_validation.tolist())) > 1
    for member in range(6):
        rows = plain_rows(problem, member, job, CASES["sgd"], [1.0] * 37)
        nets = [network(problem.model.sizes, "tanh", rows[-(-37 * part // 10)]) for part in range(1, 11)]
        seen = [accuracy(net, problem.data.validation.x, problem.task.validation.y) for net in nets]
        assert state.best_validation[member] == max(seen)
        first = nets[seen.index(max(seen))]
        assert state.test_at_best[member] == accuracy(first, problem.data.test.x, problem.task.test.y)


def test_an_accuracy_that_is_not_a_number_is_never_the_best(monkeypatch):
    problem = toy(steps=10)
    seen = {"validation": [torch.nan, 0.5, torch.nan, 0.75, torch.nan, 0.25, 0.75, torch.nan, 0.5, 0.5]}
    seen["test"] = [step / 10 for step in range(10)]
    scripts = {name: iter(values) for name, values in seen.items()}

    def accuracy(self, model, flat, samples):
        value = next(scripts["validation" if samples is problem.data.validation else "test"])
        return torch.tensor([value], dtype=torch.float64)

    monkeypatch.setattr(Sampled, "accuracy", accuracy)
    state = train(problem, problem.rows(1))
    assert (state.best_validation.item(), state.test_at_best.item()) == (0.75, 0.3)


def test_tasks_without_labels_have_no_best_validation():
    problem = toy("squared")
    state = train(problem, problem.rows(2))
    assert state.best_validation.isnan().all()
    assert state.test_at_best.isnan().all()


def test_neither_the_job_nor_the_state_is_changed():
    problem = toy(optimizer="adam")
    rows, masks = problem.rows(2), problem.masks(2)
    job = job_of(problem, rows, masks, keep=(0, 5))
    state = job.begin()
    before = rows.clone(), masks.clone(), state.params.clone()
    middle = descend(job, problem.data, state, lambda members: True)
    copy = {name: value.copy() for name, value in middle.arrays().items()}
    descend(job, problem.data, middle, never)
    assert all(torch.equal(*pair) for pair in zip((rows, masks, state.params), before, strict=True))
    assert_same(middle.arrays(), copy)


# Interruption.


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Equal bit for bit, NaN included."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        assert value.shape == other[name].shape
        assert value.tobytes() == other[name].tobytes(), name


def with_pauses(job: Job, problem: Toy, pauses: set[int]) -> State:
    """Train, and at each pause go on from stored arrays alone."""
    state, ticks = job.begin(), itertools.count(job.start + 1)
    while state.step < job.recipe.steps:
        state = descend(job, problem.data, state, lambda members: next(ticks) in pauses)
        stored = {name: value.copy() for name, value in state.arrays().items()}
        state = State.from_arrays(stored, "cpu")
        assert_same(state.arrays(), stored)
    return state


def eventful(optimizer: str, dtype: str, start: int = 0) -> tuple[Toy, Job]:
    """Members of which one diverges at once and one later on, with masks and kept points."""
    problem = toy("cross-entropy", optimizer, lr=0.03, dtype=dtype, schedule="cosine:warmup=5it", activation="relu")
    rows = problem.rows(5)
    rows[1] = torch.nan
    rows[3] *= torch.finfo(rows.dtype).max ** 0.3
    return problem, job_of(problem, rows, problem.masks(5), start=start, keep=(0, 1, 7, 15, 29, 30))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "sgd:momentum=0.9,nesterov=true"])
@settings(deadline=None, max_examples=12)
@given(pauses=st.sets(st.integers(1, 30), min_size=1, max_size=5) | st.just(set(range(31))))
def test_an_interrupted_run_ends_as_the_uninterrupted_one_to_the_last_bit(optimizer, dtype, pauses):
    problem, job = eventful(optimizer, dtype)
    whole = descend(job, problem.data, job.begin(), never)
    assert sorted(whole.kept) == [0, 1, 7, 15, 29, 30]
    assert whole.diverged_at[1] > 0
    assert (whole.diverged_at[[0, 2, 4]] == -1).all()
    assert_same(with_pauses(job, problem, pauses).arrays(), whole.arrays())


@settings(deadline=None, max_examples=12)
@given(pauses=st.sets(st.integers(1, 30), min_size=1, max_size=4))
def test_a_rewound_run_can_be_interrupted_too(pauses):
    problem, job = eventful("adam", "float32", start=9)
    whole = descend(job, problem.data, job.begin(), never)
    assert sorted(whole.kept) == [9, 15, 29, 30]
    assert_same(with_pauses(job, problem, pauses).arrays(), whole.arrays())


def test_a_pause_after_a_step_stops_at_that_step():
    problem = toy()
    job = job_of(problem, problem.rows(1))
    ticks = itertools.count(1)
    state = descend(job, problem.data, job.begin(), lambda members: next(ticks) == 11)
    assert state.step == 11
    assert next(ticks) == 12


def test_a_finished_run_stays_as_it_is():
    problem, job = eventful("adam", "float32")
    state = descend(job, problem.data, job.begin(), never)
    assert_same(descend(job, problem.data, state, never).arrays(), state.arrays())


# Divergence.

BAD = {"nan": (torch.nan, "adam"), "inf": (torch.inf, "sgd"), "overflow": (1e200, "sgd:momentum=0.9")}


@pytest.mark.parametrize("finite_every", [1, 4, 100])
@pytest.mark.parametrize("case", BAD)
def test_a_diverging_member_leaves_and_its_siblings_go_on(case, finite_every, monkeypatch):
    monkeypatch.setattr(descent, "FINITE_EVERY", finite_every)
    value, optimizer = BAD[case]
    problem = toy("squared", optimizer, lr=0.03, activation="relu")
    rows, masks = problem.rows(4), problem.masks(4)
    others = [0, 2, 3]
    alone = train(problem, rows[others], masks[others], others, keep=(0, 12, 30))
    rows[1] = value
    state = train(problem, rows, masks, range(4), keep=(0, 12, 30))
    assert (state.diverged_at >= 0).tolist() == [False, True, False, False]
    assert state.diverged_at[1] <= (3 if case != "overflow" else 6)
    assert state.step == 30
    assert not state.params[1].isfinite().all()
    torch.testing.assert_close(state.params[others], alone.params, rtol=1e-10, atol=1e-12)
    for step in (0, 12, 30):
        torch.testing.assert_close(state.kept[step][others], alone.kept[step], rtol=1e-10, atol=1e-12)
    assert {value.shape[0] for value in state.moments.values() if value.dim()} <= {3}


def test_a_member_that_diverges_late_does_so_at_a_step_that_does_not_depend_on_its_siblings():
    problem = toy("squared", "sgd", lr=3.0, activation="relu", steps=30)
    state = train(problem, problem.rows(6), seeds=range(6))
    alone = [train(problem, problem.rows(6)[n : n + 1], seeds=[n]) for n in range(6)]
    assert state.diverged_at.tolist() == [one.diverged_at.item() for one in alone]
    assert (state.diverged_at > 3).any()


def test_when_all_have_diverged_the_run_is_over():
    problem = toy(optimizer="adam")
    ticks = itertools.count()
    job = job_of(problem, torch.full_like(problem.rows(2), torch.nan))
    state = descend(job, problem.data, job.begin(), lambda members: next(ticks) < 0)
    assert state.step == 30
    assert next(ticks) == 3  # the first look, a tenth into the run
    assert state.diverged_at.tolist() == [3, 3]


def test_a_diverged_run_still_has_all_its_kept_points():
    problem = toy(optimizer="adam")
    rows = problem.rows(2)
    rows[1] = torch.nan
    beside_a_sibling = train(problem, rows, keep=(0, 2, 15, 30))
    alone = train(problem, rows[1:], keep=(0, 2, 15, 30))
    assert sorted(beside_a_sibling.kept) == [0, 2, 15, 30]
    assert sorted(alone.kept) == [0, 2, 15, 30]


@pytest.mark.parametrize("case", BAD)
def test_masked_weights_are_zero_even_where_the_others_diverged(case):
    value, optimizer = BAD[case]
    problem = toy("squared", optimizer, activation="relu")
    masks = problem.masks(2)
    rows = problem.rows(2)
    rows[1] = value
    state = train(problem, rows, masks)
    assert state.diverged_at[1] >= 0
    assert not state.params[~masks].any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("schedule", ["constant", "cosine", "constant:warmup=6it"])
@pytest.mark.parametrize("batch_size", [6, 23])
@pytest.mark.parametrize("optimizer", ["adam", "sgd:momentum=0.9", "gd"])
def test_on_cuda_a_run_is_the_same_to_rounding_and_continues_to_the_last_bit(optimizer, batch_size, schedule):
    """Long enough that steps are recorded and replayed, also after the pause."""
    problem = toy(optimizer=optimizer, lr=0.03, batch_size=batch_size, schedule=schedule, steps=90)
    expected = train(problem, problem.rows(3), problem.masks(3)).params
    data = type(problem.data).of(problem.task, "float64", "cuda")
    job = job_of(problem, problem.rows(3).cuda(), problem.masks(3).cuda())
    whole = descend(job, data, job.begin(), never)
    torch.testing.assert_close(whole.params.cpu(), expected, rtol=1e-8, atol=1e-10)
    ticks = itertools.count(1)
    middle = descend(job, data, job.begin(), lambda members: next(ticks) == 41)
    again = descend(job, data, State.from_arrays(middle.arrays(), "cuda"), never)
    assert_same(again.arrays(), whole.arrays())
