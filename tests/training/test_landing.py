"""Members that land leave, members that diverge start again with half the step, learning rates are shares."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from escapedim.training import descent
from escapedim.training.descent import descend
from escapedim.training.job import Job, Landed, State

from .optimizers import CASES
from .plain import Toy, accuracy, loss_gradient, network, toy
from .test_descent import assert_same, close, job_of, never, plain_rows, with_pauses


class Scripted:
    """A landing that examines whoever is due and has a small gradient, and keeps what it was shown.

    Those whose first parameter is in `lands` have landed, at a point that is moved by 1e-3.
    """

    def __init__(self, lands: Callable[[Tensor], Tensor] = lambda flat: flat[:, 0] < -1e300, near: float = 1e300):
        self._lands, self._near = lands, near
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, flat: Tensor, gradients: Tensor, due: Tensor) -> Landed:
        self.seen.append((flat.clone(), gradients.clone(), due.clone()))
        examined = due & (gradients.norm(dim=1) < self._near)
        landed = examined & self._lands(flat)
        return Landed(torch.where(landed.unsqueeze(1), flat + 1e-3, flat), landed, examined)


def full(optimizer: str = "sgd", **more) -> Toy:
    return toy("squared", optimizer, batch_size=23, **{"lr": 0.05, "activation": "relu", **more})


def run(job: Job, problem: Toy) -> State:
    return descend(job, problem.data, job.begin(), never)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Looks every few steps, so that runs can be short."""
    monkeypatch.setattr(descent, "LOOK_EVERY", 5)
    monkeypatch.setattr(descent, "FINITE_EVERY", 5)
    monkeypatch.setattr(descent, "CHECKS", 1)


# Landing.


@pytest.mark.parametrize("optimizer", CASES)
def test_a_landed_member_leaves_where_it_landed_and_its_siblings_go_on(optimizer):
    problem = full(optimizer, lr=0.01)
    rows = problem.rows(4)
    rows[:, 0] = torch.tensor([1.0, 5.0, 1.0, 1.0])
    job = job_of(problem, rows, landing=Scripted(lambda flat: flat[:, 0] > 3), keep=(0, 5, 20, 30))
    state = run(job, problem)
    assert state.landed_at.tolist() == [-1, 5, -1, -1]
    assert state.steps().tolist() == [30, 5, 30, 30]
    assert state.under_way().tolist() == [0, 2, 3]
    assert {len(moment) for moment in state.moments.values() if moment.dim()} <= {3}
    paths = [plain_rows(problem, member, job, CASES[optimizer], [0.01] * 30) for member in range(4)]
    close(state.params[1], paths[1][5] + 1e-3)
    for step, member in itertools.product((20, 30), (0, 2, 3)):
        close(state.kept[step][member], paths[member][step])
    close(state.kept[20][1], paths[1][5] + 1e-3)
    assert (state.diverged_at == -1).all()


def test_a_run_whose_members_have_all_landed_is_over_and_has_all_its_kept_points():
    problem = full()
    job = job_of(problem, problem.rows(3), landing=Scripted(lambda flat: flat[:, 0] > -1e9), keep=(0, 2, 15, 30))
    ticks = itertools.count()
    state = descend(job, problem.data, job.begin(), lambda members: next(ticks) < 0)
    assert next(ticks) == 5
    assert (state.step, sorted(state.kept)) == (30, [0, 2, 15, 30])
    assert torch.equal(state.kept[15], state.params)
    assert state.steps().tolist() == [5, 5, 5]


def test_who_was_examined_is_due_again_when_it_has_gone_on_by_a_quarter():
    problem = full(steps=63)
    landing = Scripted()
    run(job_of(problem, problem.rows(1), landing=landing), problem)
    looks = [*range(5, 63, 5), 63]
    assert len(landing.seen) == len(looks)
    due, wait = [], 0
    for step in looks:
        due.append(step >= wait)
        wait = int(1.25 * step) if due[-1] else wait
    assert [seen[2].item() for seen in landing.seen] == due
    assert due.count(True) < len(looks)


def test_who_was_not_examined_stays_due():
    problem = full(steps=40)
    landing = Scripted(near=0.0)
    run(job_of(problem, problem.rows(2), landing=landing), problem)
    assert all(seen[2].all() for seen in landing.seen)


def broken_rows(problem: Toy) -> Tensor:
    rows = problem.rows(3)
    rows[1] = torch.nan
    return rows


@pytest.mark.parametrize("restart", [False, True])
def test_a_member_is_looked_at_with_its_own_gradient_whatever_happens_to_its_siblings(restart):
    """A sibling that leaves at the same step must not take the gradients with it."""
    problem = full(steps=10)
    together, alone = Scripted(), Scripted()
    job = job_of(problem, broken_rows(problem), landing=together, restart=restart)
    run(job, problem)
    run(job_of(problem, problem.rows(3)[2:], landing=alone), problem)
    for (flat, gradients, due), (own_flat, own_gradients, own_due) in zip(together.seen, alone.seen, strict=True):
        close(flat[-1], own_flat[0])
        close(gradients[-1], own_gradients[0])
        assert due[-1] == own_due[0]
    path = plain_rows(problem, 2, job, CASES["sgd"], [0.05] * 10)
    x, targets = problem.data.train.x, problem.data.train.targets
    expected = loss_gradient(network(problem.model.sizes, "relu", path[4]), "squared", x, targets)
    close(together.seen[0][1][-1], expected)  # where the fifth step began


def test_a_member_that_has_just_started_again_has_no_gradient_that_could_be_small():
    problem = full(steps=10)
    landing = Scripted()
    run(job_of(problem, broken_rows(problem), landing=landing, restart=True), problem)
    assert landing.seen[0][1][1].isnan().all()


def test_the_validation_accuracy_of_a_landed_member_counts_where_it_landed(monkeypatch):
    monkeypatch.setattr(descent, "CHECKS", 10)
    problem = toy("cross-entropy", "sgd", lr=0.5, batch_size=23, hidden=(3,))
    rows = problem.rows(3)
    rows[1, 0] = 50.0
    job = job_of(problem, rows, landing=Scripted(lambda flat: flat[:, 0] > 30))
    state = run(job, problem)
    assert state.landed_at.tolist() == [-1, 5, -1]
    path = plain_rows(problem, 1, job, CASES["sgd"], [0.5] * 30)
    nets = [network(problem.model.sizes, "tanh", row) for row in (path[3], path[5] + 1e-3)]
    seen = [accuracy(net, problem.data.validation.x, problem.task.validation.y) for net in nets]
    best = nets[seen.index(max(seen))]
    assert state.best_validation[1] == max(seen)
    assert state.test_at_best[1] == accuracy(best, problem.data.test.x, problem.task.test.y)


def test_a_member_that_lands_before_the_first_check_has_a_validation_accuracy():
    problem = toy("cross-entropy", "sgd", lr=0.1, batch_size=23, steps=100)
    state = run(job_of(problem, problem.rows(2), landing=Scripted(lambda flat: flat[:, 0] > -1e9)), problem)
    assert state.landed_at.tolist() == [5, 5]
    assert state.best_validation.isfinite().all()
    assert state.test_at_best.isfinite().all()


# Starting again.


def wild(problem: Toy, members: int = 4) -> Tensor:
    """Rows of which the second is too large for the step."""
    rows = problem.rows(members, scale=0.3)
    rows[1] *= 30
    return rows


@pytest.mark.parametrize("optimizer", ["sgd", "sgd:momentum=0.9", "gd:momentum=0.5"])
def test_a_diverged_member_starts_again_as_a_fresh_run_with_half_the_step(optimizer):
    problem = full(optimizer, steps=60)
    rows = wild(problem)
    job = job_of(problem, rows, restart=True)
    state = run(job, problem)
    times = int(state.restarts[1])
    assert times > 1
    assert state.restarts.tolist() == [0, times, 0, 0]
    assert (state.diverged_at == -1).all()
    steps = int(state.steps()[1])
    assert steps < 60
    fresh = problem.with_recipe(steps=steps)
    again = job_of(fresh, rows[1:2])
    close(state.params[1], plain_rows(fresh, 0, again, CASES[optimizer], [0.05 * 0.5**times] * steps)[-1])
    for member in (0, 2, 3):
        close(state.params[member], plain_rows(problem, member, job, CASES[optimizer], [0.05] * 60)[-1])
        assert state.steps()[member] == 60


def test_without_leave_to_restart_it_is_diverged():
    problem = full(steps=60)
    state = run(job_of(problem, wild(problem)), problem)
    assert (state.diverged_at >= 0).tolist() == [False, True, False, False]
    assert not state.restarts.any()


def test_a_member_that_never_holds_is_diverged_after_all_its_restarts(monkeypatch):
    monkeypatch.setattr(descent, "MOST_RESTARTS", 3)
    problem = full(steps=60)
    state = run(job_of(problem, broken_rows(problem), restart=True), problem)
    assert state.restarts.tolist() == [0, 3, 0]
    assert state.diverged_at.tolist() == [-1, 20, -1]  # looked at after 5, 10, 15 and 20 steps
    assert state.steps().tolist() == [60, 5, 60]
    assert state.taken(0).tolist() == [60, 20, 60]


def test_a_member_that_diverges_at_the_last_step_is_diverged_and_not_untrained():
    problem = full(steps=5)
    job = job_of(problem, broken_rows(problem), restart=True)
    state = run(job, problem)
    assert state.diverged_at.tolist() == [-1, 5, -1]
    assert not state.params[1].isfinite().all()


def test_all_steps_of_a_member_that_started_again_are_counted():
    problem = full(steps=60)
    told = []
    job = job_of(problem, wild(problem), restart=True)
    state = descend(job, problem.data, job.begin(), lambda members: bool(told.append(members)))
    assert int(state.taken(0).sum()) == sum(told) == 240
    assert int(state.steps().sum()) < 240


def test_who_starts_again_is_due_again():
    problem = full(steps=60)
    landing = Scripted()
    rows = wild(problem, 2)[1:]
    state = run(job_of(problem, rows, landing=landing, restart=True), problem)
    first = int(state.begun_at[0]) // 5  # the look at the step of its last restart is that of this index plus one
    assert landing.seen[first][2].all()


# Learning rates of parameters.


def shares(problem: Toy) -> Tensor:
    """A share of 1, of others, and of 0 for each tensor."""
    sizes = [int(torch.tensor(shape).prod()) for shape in problem.model.shapes.values()]
    return torch.cat([torch.full((size,), share) for size, share in zip(sizes, (1.0, 0.25, 3.0, 0.0), strict=True)])


GROUPS = {
    "sgd": lambda groups, lr: torch.optim.SGD(groups, lr),
    "sgd:momentum=0.9": lambda groups, lr: torch.optim.SGD(groups, lr, momentum=0.9),
    "adam": lambda groups, lr: torch.optim.Adam(groups, lr),
    "adamw:weight_decay=0.1": lambda groups, lr: torch.optim.AdamW(groups, lr, weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", GROUPS)
def test_shares_of_the_learning_rate_are_parameter_groups(optimizer):
    problem = full(optimizer, activation="tanh")
    rows = problem.rows(3)
    state = run(job_of(problem, rows, lr_scale=shares(problem)), problem)
    x, targets = problem.data.train.x, problem.data.train.targets
    for member in range(3):
        net = network(problem.model.sizes, "tanh", rows[member])
        rates = [0.05, 0.0125, 0.15, 0.0]
        groups = [{"params": [p], "lr": rate} for p, rate in zip(net.parameters(), rates, strict=True)]
        stepper = GROUPS[optimizer](groups, 0.05)
        for _ in range(30):
            stepper.zero_grad()
            torch.nn.functional.mse_loss(net(x), targets).backward()
            stepper.step()
        close(state.params[member], torch.nn.utils.parameters_to_vector(net.parameters()).detach())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [*CASES, "adamw:weight_decay=5", "sgd:momentum=0.99,weight_decay=0.5"])
def test_a_share_of_0_freezes_to_the_last_bit(optimizer, dtype):
    problem = full(optimizer, dtype=dtype)
    scale = shares(problem)
    job = job_of(problem, problem.rows(3), lr_scale=scale, keep=(0, 7, 30))
    state = run(job, problem)
    for kept in (state.params, *state.kept.values()):
        assert torch.equal(kept[:, scale == 0], job.params[:, scale == 0])
    assert (state.params != job.params)[:, scale > 0].any(0).sum() > 0.8 * (scale > 0).sum()


def test_an_infinite_step_of_a_frozen_parameter_leaves_it_where_it_is():
    problem = full(steps=1, activation="relu")
    scale = shares(problem)
    rows = problem.rows(2)
    rows[1] *= 1e150
    state = run(job_of(problem, rows, lr_scale=scale), problem)
    assert torch.equal(state.params[:, scale == 0], rows[:, scale == 0])
    assert not state.params[1].isfinite().all()


def test_a_share_and_a_restart_multiply():
    problem = full(steps=60)
    rows, scale = wild(problem), shares(problem)
    state = run(job_of(problem, rows, lr_scale=scale, restart=True), problem)
    times, steps = int(state.restarts[1]), int(state.steps()[1])
    assert times > 0
    fresh = problem.with_recipe(steps=steps, lr=0.05 * 0.5**times)
    close(state.params[1], run(job_of(fresh, rows[1:2], lr_scale=scale), fresh).params[0])


# All of it at once.


def eventful(optimizer: str, dtype: str) -> tuple[Toy, Job]:
    """Members of which one lands, one starts again, one diverges for good and the others go on."""
    problem = full(optimizer, dtype=dtype, steps=60, schedule="cosine:warmup=5it")
    rows = wild(problem, 6)
    rows[3, 0], rows[4, 0], rows[5] = 5.0, 4.0, torch.nan
    landing = Scripted(lambda flat: flat[:, 0] > 3)
    return problem, job_of(problem, rows, landing=landing, restart=True, lr_scale=shares(problem), keep=(0, 7, 30, 60))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "sgd:momentum=0.9"])
@settings(deadline=None, max_examples=6)
@given(pauses=st.sets(st.integers(1, 60), min_size=1, max_size=5) | st.just(set(range(61))))
def test_pauses_change_nothing_to_the_last_bit(optimizer, dtype, pauses):
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {"LOOK_EVERY": 5, "FINITE_EVERY": 5, "MOST_RESTARTS": 6, "CHECKS": 1}.items():
            patched.setattr(descent, name, value)
        problem, job = eventful(optimizer, dtype)
        whole = run(job, problem)
        assert (whole.landed_at[3:5] == 5).all()
        assert whole.diverged_at[5] == 35
        if optimizer == "sgd":
            assert whole.restarts[1] > 0
        assert (whole.landed_at[[0, 2]] == -1).all()
        assert_same(with_pauses(job, problem, pauses).arrays(), whole.arrays())


def test_member_2_of_6_is_member_2_alone_whatever_became_of_it():
    problem, job = eventful("sgd:momentum=0.9", "float64")
    together = run(job, problem)
    for member in range(5):
        part = slice(member, member + 1)
        alone = run(replace(job, params=job.params[part], order_seeds=job.order_seeds[part]), problem)
        torch.testing.assert_close(alone.params, together.params[part], rtol=1e-10, atol=1e-12)
        for name in ("diverged_at", "landed_at", "look_at", "begun_at", "restarts"):
            assert torch.equal(getattr(alone, name), getattr(together, name)[part]), name
