"""Stacks of one width: their draws, their training against plain loops, pilots, frozen weights."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.specs import parse_spec
from escapedim.tasks import relu_teacher
from escapedim.tasks.base import Criterion, Split, Task
from escapedim.training.batches import DataOrder
from escapedim.training.data import Data
from escapedim.training.experiment import TrainWork
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.work import Arrays, Context, Outcome
from escapedim.widening.counted_members import (
    PILOT_MEMBERS,
    RATE_FACTORS,
    PilotWork,
    WidthWork,
    best_factor,
    pilot_key,
)
from escapedim.widening.member_keys import by_width, members_key
from escapedim.widening.parametrization import Scales, scales
from escapedim.widening.stack import Setting, Starts
from tests.training.plain import Toy, accuracy, network, toy, trajectory

from .runs import trained

PROBLEM = toy("cross-entropy", "sgd", lr=0.2, hidden=(5,))


def context_of(problem: Toy, tick=lambda members: False) -> Context:
    return Context(problem.task, problem.data, "cpu", tick)


PLAIN = Scales(None, None)


def setting_of(problem: Toy, scaled: Scales = PLAIN, **changes) -> Setting:
    made = Setting(problem.model, problem.recipe, scaled, problem.task.criterion, 3)
    return replace(made, **changes)


def starts(setting: Setting, replicates, purpose: str = "") -> Starts:
    return Starts(setting.drawn(replicates, purpose), setting.orders(replicates, purpose))


def plain_row(problem: Toy, start: torch.Tensor, order: DataOrder, lr: float) -> torch.Tensor:
    x, labels = torch.from_numpy(problem.task.train.x), torch.from_numpy(problem.task.train.y)
    batches = [(x[order.batch(step)], labels[order.batch(step)]) for step in range(problem.recipe.steps)]
    net = network(problem.model.sizes, problem.model.activation, start)
    return list(trajectory(net, "cross-entropy", batches, torch.optim.SGD, [lr] * problem.recipe.steps))[-1]


def rows_of(outcome: Outcome, problem: Toy) -> np.ndarray:
    return np.concatenate([outcome.arrays[n].reshape(len(outcome.arrays[n]), -1) for n in problem.model.shapes], 1)


def test_members_are_plain_loops_from_the_draws_of_train():
    criterion = Criterion("train_accuracy", ">=", 0.9)
    outcome = WidthWork(setting_of(PROBLEM, criterion=criterion), (4, 5, 6), pilots=False)(
        context_of(PROBLEM), {}, None
    )
    assert outcome.metrics is not None
    columns = outcome.metrics["columns"]
    rows = rows_of(outcome, PROBLEM)
    for number, replicate in enumerate((4, 5, 6)):
        start = initial_row(PROBLEM.model, "float64", 3, replicate)
        order = DataOrder(order_seed(PROBLEM.model, 3, replicate, 0), 23, 6)
        expected = plain_row(PROBLEM, start, order, 0.2)
        np.testing.assert_allclose(rows[number], expected, rtol=1e-9, atol=1e-12)
        net = network(PROBLEM.model.sizes, "tanh", expected)
        right = accuracy(net, torch.from_numpy(PROBLEM.task.train.x), PROBLEM.task.train.y)
        assert columns["train_accuracy"][number] == pytest.approx(right)
        assert columns["success"][number] == (right >= 0.9)
        moved = np.linalg.norm(expected - start) / np.linalg.norm(start)
        assert columns["moved"][number] == pytest.approx(moved)
    assert columns["steps"] == [30, 30, 30]
    assert columns["restarted"] == [False] * 3
    assert outcome.metrics["net_steps"] == 90
    assert outcome.metrics["lr"] == 0.2


def test_a_width_is_what_train_trains_at_it():
    width = WidthWork(setting_of(PROBLEM), (0, 1, 2), pilots=False)(context_of(PROBLEM), {}, None)
    train = TrainWork(PROBLEM.model, PROBLEM.recipe, (0, 30), 3, (0, 1, 2))(context_of(PROBLEM), {}, None)
    for name in PROBLEM.model.shapes:
        assert np.array_equal(width.arrays[name], train.arrays[f"step30.{name}"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "sgd:momentum=0.9,weight_decay=0.1", "adam", "adamw", "gd"])
@pytest.mark.parametrize("parametrization", ["standard", "mup:base=3"])
def test_lazy_leaves_all_but_the_outgoing_weights_as_drawn(optimizer, dtype, parametrization):
    full = {"batch_size": 23} if optimizer == "gd" else {}
    problem = toy("cross-entropy", optimizer, dtype=dtype, lr=0.05, **full)
    scaled = scales(problem.model, problem.recipe.optimizer, parse_spec(parametrization), lazy=True)
    setting = setting_of(problem, scaled)
    job, state = trained(setting, context_of(problem), starts(setting, (0, 1, 2)), 0.05)
    layout = Layout(problem.model.shapes)
    start, end = layout.views(job.params), layout.views(state.params)
    for name in problem.model.shapes:
        assert torch.equal(start[name], end[name]) == (name != "layer2.weight"), name
    assert job.landing is None


def test_lazy_is_linear_regression_of_the_features():
    """With the incoming weights frozen the loss is quadratic: gradient descent goes to the least squares solution."""
    problem = toy("squared", "gd", lr=0.5, batch_size=23, steps=4000, hidden=(3,))
    scaled = scales(problem.model, problem.recipe.optimizer, parse_spec("standard"), lazy=True)
    setting = setting_of(problem, scaled, criterion=problem.task.criterion)
    _, state = trained(setting, context_of(problem), starts(setting, (0, 1)), 0.5)
    layout = Layout(problem.model.shapes)
    x, y = problem.task.train.x, problem.task.train.y
    for member in range(2):
        params = layout.split(state.params[member].numpy())
        features = np.tanh(x @ params["layer1.weight"].T + params["layer1.bias"])
        best, *_ = np.linalg.lstsq(features, y, rcond=None)
        np.testing.assert_allclose(params["layer2.weight"], best.T, rtol=1e-5, atol=1e-7)


# Pilots.


def test_pilots_share_no_draw_with_members_that_are_counted():
    setting = setting_of(PROBLEM)
    counted, _ = trained(setting, context_of(PROBLEM), starts(setting, range(PILOT_MEMBERS)), 0.2)
    pilots, _ = trained(setting, context_of(PROBLEM), starts(setting, range(PILOT_MEMBERS), "pilot "), 0.2)
    weights = [{tuple(row.tolist()) for row in job.params} for job in (counted, pilots)]
    assert len(weights[0] | weights[1]) == 2 * PILOT_MEMBERS
    assert not set(counted.order_seeds) & set(pilots.order_seeds)
    assert len(set(pilots.order_seeds)) == PILOT_MEMBERS


def test_a_pilot_is_a_plain_loop_at_its_own_rate():
    seen = []
    for factor in (1.0, 4.0):
        work = PilotWork(setting_of(PROBLEM), factor)
        assert work.key == pilot_key(5, factor)
        outcome = work(context_of(PROBLEM), {}, None)
        assert outcome.metrics is not None
        assert outcome.metrics["lr"] == 0.2 * factor
        job, _ = trained(work.setting, context_of(PROBLEM), starts(work.setting, (0,), "pilot "), 0.2)
        row = plain_row(PROBLEM, job.params[0], DataOrder(job.order_seeds[0], 23, 6), 0.2 * factor)
        net = network(PROBLEM.model.sizes, "tanh", row)
        x, labels = torch.from_numpy(PROBLEM.task.train.x), torch.from_numpy(PROBLEM.task.train.y)
        loss = torch.nn.functional.cross_entropy(net(x), labels).detach()
        assert outcome.metrics["losses"][0] == pytest.approx(float(loss), rel=1e-9)
        assert outcome.arrays["losses"].tolist() == outcome.metrics["losses"]
        assert outcome.metrics["net_steps"] == 30 * PILOT_MEMBERS
        seen.append(outcome.metrics["losses"])
    assert seen[0] != seen[1]


def test_counted_members_take_the_best_rate():
    work = WidthWork(setting_of(PROBLEM), (0, 1), pilots=True)
    assert work.needs == tuple(pilot_key(5, factor) for factor in RATE_FACTORS)
    earlier: dict[str, Arrays] = {key: {"losses": np.array([1.0, 2.0, 3.0])} for key in work.needs}
    earlier[pilot_key(5, 0.25)] = {"losses": np.array([0.9, 0.8, math.nan])}
    outcome = work(context_of(PROBLEM), earlier, None)
    assert outcome.metrics is not None
    assert outcome.metrics["lr"] == 0.05
    start, order = initial_row(PROBLEM.model, "float64", 3, 1), DataOrder(order_seed(PROBLEM.model, 3, 1, 0), 23, 6)
    expected = plain_row(PROBLEM, start, order, 0.05)
    np.testing.assert_allclose(rows_of(outcome, PROBLEM)[1], expected, rtol=1e-9, atol=1e-12)


BEST = [
    ({1.0: [3, 1, 2], 0.5: [9, 1, 1], 2.0: [2, 2, 2]}, 0.5),
    ({1.0: [2, 2], 0.5: [2, 2], 2.0: [1, 4]}, 1.0),  # the first of equal ones
    ({1.0: [5, 5, 5], 4.0: [0, math.nan, math.nan]}, 1.0),  # most have diverged
    ({1.0: [math.nan] * 3, 0.5: [math.nan, 7, 7]}, 0.5),
    ({1.0: [math.nan] * 3, 0.5: [math.nan] * 3}, 1.0),
]


@pytest.mark.parametrize(("losses", "best"), BEST)
def test_the_best_rate_has_the_lowest_median_loss(losses, best):
    assert best_factor({factor: np.array(values, dtype=float) for factor, values in losses.items()}) == best


def signs_of_the_first(seeds, step, batch):
    """Fresh normal inputs; the target is the sign of the first."""
    draws = [np.random.default_rng((seed, step)).normal(size=(batch, 4)) for seed in seeds]
    return np.stack(draws), np.sign(np.stack(draws)[:, :, :1])


def online() -> Toy:
    x, _ = signs_of_the_first([1], 0, 40)
    problem = toy("squared", "sgd", lr=0.05, batch_size=8)
    task = replace(
        problem.task,
        train=Split(np.zeros((0, 4)), np.zeros((0, 1))),
        validation=Split(np.zeros((0, 4)), np.zeros((0, 1))),
        test=Split(x[0], np.sign(x[0][:, :1])),
        outputs=1,
        signs=True,
        stream=signs_of_the_first,
        criterion=Criterion("test_accuracy", ">=", 0.9),
    )
    recipe = replace(problem.recipe, batch_size=8, samples=0)
    return Toy(task, Data.of(task, "float64", "cpu"), MLP((4, 5, 1), "tanh"), recipe)


def test_without_a_training_set_rates_are_chosen_by_the_test_loss():
    problem = online()
    losses = {}
    for factor in (0.25, 1.0, 4.0):
        outcome = PilotWork(setting_of(problem), factor)(context_of(problem), {}, None)
        losses[factor] = outcome.arrays["losses"]
        assert np.isfinite(losses[factor]).all()
    assert best_factor(losses) == 4.0


# One stack or many, interrupted or not.


def interrupted(work: WidthWork | PilotWork, problem: Toy, every: int) -> Outcome:
    ticks = itertools.count(1)
    outcome = work(context_of(problem, lambda members: next(ticks) % every == 0), {}, None)
    while outcome.metrics is None:
        outcome = work(context_of(problem, lambda members: next(ticks) % every == 0), {}, outcome.arrays)
    return outcome


def teacher(members: int, steps: int = 600, lr: float = 0.1) -> tuple[Toy, Setting]:
    task: Task = relu_teacher.load(3)
    base = toy("squared", "gd", batch_size=23)
    recipe = replace(base.recipe, lr=lr, steps=steps, batch_size=0, samples=0)
    problem = Toy(task, Data.of(task, "float64", "cpu"), ReluStudent(3, 4), recipe)
    return problem, setting_of(problem, seed=0)


@pytest.mark.parametrize("lr", [0.1, 6.0], ids=["landing", "restarting"])
def test_member_17_of_a_stack_is_member_17_alone_with_its_ending(lr):
    problem, setting = teacher(40, lr=lr)
    together = WidthWork(setting, tuple(range(40)), pilots=False)(context_of(problem), {}, None)
    alone = WidthWork(setting, (17,), pilots=False)(context_of(problem), {}, None)
    assert together.metrics is not None
    assert alone.metrics is not None
    for name, column in alone.metrics["columns"].items():
        value = together.metrics["columns"][name][17]
        assert column[0] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
    np.testing.assert_allclose(
        together.arrays["layer1.weight"][17], alone.arrays["layer1.weight"][0], rtol=1e-9, atol=1e-12
    )
    assert any(together.metrics["columns"]["restarted"]) == (lr > 1)
    assert "global minimum" in together.metrics["columns"]["ending"]


@pytest.mark.parametrize(("lr", "every"), [(0.1, 1), (0.1, 50), (6.0, 7), (6.0, 100)])
def test_pauses_change_nothing_where_members_land_and_start_again(lr, every):
    problem, setting = teacher(8, steps=350, lr=lr)
    work = WidthWork(setting, tuple(range(8)), pilots=False)
    whole, parts = work(context_of(problem), {}, None), interrupted(work, problem, every)
    assert whole.metrics == parts.metrics
    assert all(whole.arrays[name].tobytes() == parts.arrays[name].tobytes() for name in whole.arrays)
    steps = (parts.metrics or {})["columns"]["steps"]
    assert min(steps) < 350


def test_a_key_tells_its_width_and_replicates():
    stacks = {3: [(0, 1), (2, 3, 4)], 1_000_000: [(999_999,)]}
    keys = [members_key(width, replicates) for width, parts in stacks.items() for replicates in parts]
    assert keys[0] == "width-000003-members-000000-000001"
    assert by_width(reversed(keys)) == stacks


def test_other_keys_are_left_out():
    assert by_width(["width-000003-pilot-0.5", "replicates-000000-000003", "width-3-members-1"]) == {}


def test_keys_say_what_is_in_a_stack():
    setting = setting_of(PROBLEM)
    assert WidthWork(setting, (4, 5, 6), False).key == "width-000005-members-000004-000006"
    assert WidthWork(setting, (4,), False).needs == ()
