"""Landing and endings through the descent, on tasks whose surface is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.specs import parse_spec
from escapedim.tasks import erf_channel, relu_teacher, xor
from escapedim.tasks.base import Criterion, Split, Task
from escapedim.training import descent
from escapedim.training.certification import endings, make_landing, make_surface, stop_below
from escapedim.training.config import TrainConfig
from escapedim.training.data import Data
from escapedim.training.descent import descend
from escapedim.training.initial import initial_row
from escapedim.training.job import Job, State
from escapedim.training.networks import network_of_width
from escapedim.training.problems import PROBLEMS, problem_of, sampled
from escapedim.training.recipe import Recipe

from .plain import VALUES, loss_gradient, network, toy, toy_task
from .test_descent import never

KEYS = {"ending", "reason", "marginal", "smallest_eigenvalue", "negative_directions", "level", "moved", "steps"}


def job_on(task: Task, width: int, members: int, **changes: object) -> Job:
    values = {**VALUES, **{key: value for key, value in task.recipe.items() if key in VALUES}, **changes}
    config = TrainConfig(**{**values, "hidden": (width,)})
    model, recipe = network_of_width(config, task, width), config.recipe(task)
    rows = torch.stack([initial_row(model, recipe.dtype, 0, replicate) for replicate in range(members)])
    return Job(model, problem_of(task), recipe, rows, None, list(range(members)), restart=task.restarts)


def ended(task: Task, job: Job) -> tuple[State, list[dict]]:
    state = descend(job, Data.of(task, job.recipe.dtype, "cpu"), job.begin(), never)
    found = endings(job, task, state)
    assert all(set(row) == KEYS for row in found)
    return state, found


def landing_job(task: Task, job: Job) -> Job:
    landing = make_landing(job.model, task, job.recipe)
    assert landing is not None
    return replace(job, landing=landing)


def teacher_loss(rows: Tensor, k: int) -> Tensor:
    """Half the expected squared error, by sums over pairs and the angle of each (Safran & Shamir 2018)."""

    def overlap(w: Tensor, v: Tensor) -> Tensor:
        lengths = w.norm() * v.norm()
        cosine = (w @ v / lengths).clamp(-1, 1)
        angle = torch.arccos(cosine)
        return lengths * (angle.sin() + (math.pi - angle) * cosine) / (2 * math.pi)

    student, teacher = list(rows.reshape(-1, k)), list(torch.eye(k, dtype=torch.float64))
    signed = [(1, w) for w in student] + [(-1, v) for v in teacher]
    return torch.stack([a * b * overlap(u, v) for a, u in signed for b, v in signed]).sum() / 2


@pytest.fixture(scope="module")
def teacher() -> tuple[Task, Job, State, list[dict]]:
    task = relu_teacher.load(3)
    job = landing_job(task, job_on(task, 3, 12, steps="3000it"))
    return task, job, *ended(task, job)


def test_members_below_the_loss_of_global_minima_land_there(teacher):
    _, _, state, found = teacher
    losses = [float(teacher_loss(row, 3)) for row in state.params]
    assert [row["ending"] == "global minimum" for row in found] == [loss < 1e-3 for loss in losses]
    landed = [row for row, at in zip(found, state.landed_at.tolist(), strict=True) if at >= 0]
    assert len(landed) >= 8
    for row, loss in zip(found, losses, strict=True):
        if row["ending"] == "global minimum":
            assert row["level"] == pytest.approx(loss, rel=1e-9)
            assert row["steps"] < 3000
            assert row["steps"] % descent.LOOK_EVERY == 0


def test_the_distance_from_the_start_is_over_its_norm(teacher):
    _, job, state, found = teacher
    for start, end, row in zip(job.params.numpy(), state.params.numpy(), found, strict=True):
        assert row["moved"] == pytest.approx(np.linalg.norm(end - start) / np.linalg.norm(start), rel=1e-12)


def test_member_11_lands_alone_as_in_its_stack(teacher):
    task, job, state, found = teacher
    for member in (0, 11):
        part = slice(member, member + 1)
        alone, row = ended(task, replace(job, params=job.params[part], order_seeds=job.order_seeds[part]))
        torch.testing.assert_close(alone.params, state.params[part], rtol=1e-9, atol=1e-11)
        assert alone.landed_at[0] == state.landed_at[member]
        assert {**row[0], "level": 0, "moved": 0, "smallest_eigenvalue": 0} == {
            **found[member],
            "level": 0,
            "moved": 0,
            "smallest_eigenvalue": 0,
        }


def test_a_landed_minimum_is_one_by_autograd():
    """One tanh unit on 23 samples: the gradient is 0 and the Hessian positive where members are said to have landed.

    The Hessian by double autograd of a plain network.
    """
    problem = toy("squared", "gd", lr=0.3, batch_size=23, hidden=(1,), steps=6000)
    job = Job(problem.model, PROBLEMS["squared"], problem.recipe, problem.rows(6), None, range(6))
    state, found = ended(problem.task, landing_job(problem.task, job))
    landed = (state.landed_at >= 0).nonzero()[:, 0].tolist()
    assert landed
    x, y = torch.from_numpy(problem.task.train.x), torch.from_numpy(problem.task.train.y)
    layout = Layout(problem.model.shapes)

    def loss(row: Tensor) -> Tensor:
        params = {name: view[0] for name, view in layout.views(row[None]).items()}
        return ((problem.model.apply(params, x) - y) ** 2).mean()

    for member in landed:
        row = state.params[member]
        gradient = loss_gradient(network(problem.model.sizes, "tanh", row), "squared", x, y)
        assert gradient.norm() < 1e-9
        eigenvalues = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, row))
        assert eigenvalues[0] > 0
        assert found[member]["ending"] == "bad minimum"
        assert found[member]["smallest_eigenvalue"] == pytest.approx(float(eigenvalues[0]), rel=1e-6)
        assert found[member]["negative_directions"] == 0
        assert found[member]["level"] == pytest.approx(float(loss(row)), rel=1e-9)


# What cannot be certified.


def recipe_of(**changes: object) -> Recipe:
    return replace(toy("squared", "sgd", batch_size=23).recipe, **changes)  # type: ignore[arg-type]


MODEL = MLP((4, 5, 3), "tanh")


def test_nothing_lands_where_steps_do_not_follow_one_gradient():
    task = toy_task("squared")
    assert make_landing(MODEL, task, recipe_of()) is not None
    assert make_landing(MODEL, task, recipe_of(batch_size=22)) is None
    for decaying in ("sgd:weight_decay=1e-4", "adam:weight_decay=1e-4", "adamw"):
        assert make_landing(MODEL, task, recipe_of(optimizer=parse_spec(decaying))) is None
    for other in ("gd", "adam", "adamw:weight_decay=0.0", "sgd:momentum=0.9"):
        assert make_landing(MODEL, task, recipe_of(optimizer=parse_spec(other))) is not None


def fresh(seeds, step, batch):
    return np.zeros((len(seeds), batch, 4)), np.zeros((len(seeds), batch, 3))


def test_why_there_is_no_surface(monkeypatch):
    task = toy_task("squared")
    assert make_surface(MLP((4, 200, 3), "tanh"), task) == "more than 1,000 parameters: no spectrum was computed"
    nothing = replace(task, train=Split(task.train.x[:0], task.train.y[:0]), stream=fresh)
    assert "fresh samples" in str(make_surface(MODEL, nothing))
    monkeypatch.setattr(sampled, "MOST_NUMBERS", 91)
    assert "too much data" in str(make_surface(MODEL, task))
    assert make_landing(MODEL, task, recipe_of()) is None


def test_a_diverged_member_is_diverged_and_has_moved_nowhere():
    problem = toy("squared", "sgd", lr=0.1, batch_size=23)
    rows = problem.rows(3)
    rows[1] = torch.nan
    for model, data in ((problem.model, problem), (MLP((4, 200, 3), "tanh"), None)):
        start = rows if data else torch.full((3, Layout(model.shapes).size), 0.01, dtype=torch.float64)
        start[1] = torch.nan
        job = Job(model, PROBLEMS["squared"], problem.recipe, start, None, range(3))
        state, found = ended(problem.task, job)
        assert state.diverged_at.tolist()[1] > 0
        assert [row["ending"] == "diverged" for row in found] == [False, True, False]
        assert (found[1]["moved"], found[1]["level"], found[1]["smallest_eigenvalue"]) == (None, None, None)
        assert all(row["moved"] > 0 for row in (found[0], found[2]))
        # finite again by underflow, and put back to its start: diverged all the same
        state = replace(state, params=start.nan_to_num(0.5))
        assert endings(job, problem.task, state)[1] == found[1]


def test_a_part_that_was_trained_certifies_nothing_but_a_global_loss():
    task = erf_channel.load()
    job = job_on(task, 2, 3, steps="1it")
    layout = Layout(job.model.shapes)
    solved = {"layer1.weight": [5.0, 5.0], "layer2.weight": [1.0, 1.0]}
    rows = job.params.clone()
    for name, values in solved.items():
        rows[0, layout.slices[name]] = torch.tensor(values, dtype=torch.float64)
    scale = torch.ones(layout.size, dtype=torch.float64)
    scale[0] = 0
    below = replace(task, global_below=10.0)
    for found_task, expected in ((task, "undecided"), (below, "global minimum")):
        _, found = ended(found_task, replace(job, params=rows, lr_scale=scale))
        assert found[0]["ending"] == expected
        assert ("only a part" in found[0]["reason"]) == (expected == "undecided")


def test_weight_decay_certifies_nothing():
    problem = toy("squared", "sgd:weight_decay=0.01", lr=0.1, batch_size=23)
    job = Job(problem.model, problem_of(problem.task), problem.recipe, problem.rows(2), None, range(2))
    _, found = ended(problem.task, job)
    assert {row["ending"] for row in found} == {"undecided"}
    assert all("weight decay" in row["reason"] for row in found)


def test_a_member_is_stopped_only_where_it_has_succeeded():
    """Global minima begin at 1e-3 here; a stricter criterion needs more training, another quantity all of it."""
    own = relu_teacher.load(3)
    stops = {
        own.criterion: 1e-3,
        Criterion("train_loss", "<=", 1e-6): 1e-6,
        Criterion("train_loss", "<", 1e-1): 1e-3,
        Criterion("train_loss", ">=", 1e-1): None,
        Criterion("test_loss", "<=", 1e-6): None,
    }
    for criterion, expected in stops.items():
        assert stop_below(replace(own, criterion=criterion)) == expected
    assert stop_below(replace(own, global_below=None)) is None
    strict = replace(own, criterion=Criterion("train_loss", "<=", 1e-6))
    state, found = ended(strict, landing_job(strict, job_on(strict, 3, 4, steps="3000it")))
    assert all(teacher_loss(row, 3) <= 1e-6 for row in state.params)
    assert {row["ending"] for row in found} == {"global minimum"}


def test_a_loss_of_0_is_a_global_minimum_on_every_task():
    """Exclusive or by two units, and a network that says nothing."""
    task = xor.load()
    job = job_on(task, 2, 2, steps="1it", init="he-normal")
    layout = Layout(job.model.shapes)
    rows = torch.zeros_like(job.params)
    # |x₁ - x₂| - 1 is 1 where the inputs differ and -1 where they agree
    solved = {"layer1.weight": [1.0, -1.0, -1.0, 1.0], "layer2.weight": [1.0, 1.0], "layer2.bias": [-1.0]}
    for name, values in solved.items():
        rows[0, layout.slices[name]] = torch.tensor(values, dtype=torch.float64)
    _, found = ended(task, replace(job, params=rows))
    assert [row["ending"] == "global minimum" for row in found] == [True, False]
