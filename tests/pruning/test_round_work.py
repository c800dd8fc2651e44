from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.pruning import loop
from escapedim.pruning.criteria import CRITERIA
from escapedim.pruning.pruning_plan import PruningPlan, expected_counts
from escapedim.pruning.round_work import RoundWork
from escapedim.records import checkpoint
from escapedim.specs import Spec
from escapedim.tasks.digits import load
from escapedim.training import stretch
from escapedim.training.batches import DataOrder
from escapedim.training.data import Data
from escapedim.training.experiment import TrainWork
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.work import Arrays, Context, Outcome

from ..training.plain import Toy, network, toy, trajectory
from .strategies import ARMS, make_plan

STEPS = 30
INVARIANTS = {
    "survivors_equal_rewind_weights": True,
    "masked_weights_zero": True,
    "masks_nested": True,
    "density_exact": True,
    "no_layer_empty": True,
}


@dataclass
class Runner:
    """Rounds one after another; every round sees only what was stored of the rounds that it needs."""

    problem: Toy
    plan: PruningPlan
    keep: tuple[int, ...] = (0, STEPS)
    seed: int = 0
    replicate: int = 0
    stored: dict[str, bytes] = field(default_factory=dict)
    metrics: list[dict] = field(default_factory=list)

    def work(self, number: int) -> RoundWork:
        problem = self.problem
        return RoundWork(self.plan, problem.model, problem.recipe, self.keep, self.seed, self.replicate, number)

    def context(self, tick: Callable[[int], bool] = lambda members: False) -> Context:
        return Context(self.problem.task, self.problem.data, "cpu", tick)

    def earlier(self, number: int) -> dict[str, Arrays]:
        return {key: checkpoint.decode(self.stored[key], key)[0] for key in self.work(number).needs}

    def step(self, number: int, **more) -> Outcome:
        return self.work(number)(self.context(**more), self.earlier(number), None)

    def run(self, rounds: int) -> Runner:
        for number in range(len(self.metrics), rounds + 1):
            outcome = self.step(number)
            assert outcome.metrics is not None
            self.stored[self.work(number).key] = checkpoint.encode(outcome.arrays, outcome.metrics)
            self.metrics.append(outcome.metrics)
        return self

    def arrays(self, number: int) -> Arrays:
        return checkpoint.decode(self.stored[self.work(number).key], "")[0]

    def weights(self, number: int, point: str) -> dict[str, np.ndarray]:
        arrays = self.arrays(number)
        return {name: arrays[f"{point}.{name}"] for name in self.problem.model.shapes}

    def masks(self, number: int, arm: str = "ticket") -> dict[str, np.ndarray]:
        arrays = self.arrays(number)
        return {name: arrays[f"{arm}.mask.{name}"] for name in self.problem.model.prunable}


def digits() -> Toy:
    task = load()
    problem = toy(dtype="float32", optimizer="adam", lr=1.2e-3, batch_size=60, steps=STEPS)
    model = replace(problem.model, sizes=(64, 8, 10), activation="relu")
    recipe = replace(problem.recipe, samples=len(task.train), batch_size=60)
    return Toy(task, Data.of(task, "float32", "cpu"), model, recipe)


DIGITS = digits()
SMALL = toy(optimizer="sgd:momentum=0.9", lr=0.1, hidden=(6, 5))


def small(last: int = 2, problem: Toy = SMALL, **changes) -> Runner:
    """The rounds up to `last` of a small problem."""
    plan = make_plan(problem.model.sizes, **{"fraction": 0.3, **changes})
    return Runner(problem, plan, (0, 10, STEPS)).run(last)


@pytest.mark.parametrize("granularity", ["weight", "unit"])
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_three_rounds_on_the_digits_keep_every_promise(criterion, scope, granularity):
    plan = make_plan(
        DIGITS.model.sizes,
        rounds=3,
        fraction=0.3,
        output=0.15 if (scope, granularity) == ("layer", "weight") else 0.3,
        scope=scope,
        granularity=granularity,
        criterion=criterion,
    )
    runner = Runner(DIGITS, plan).run(3)
    first = runner.work(1)
    for number, (metrics, expected) in enumerate(zip(runner.metrics, expected_counts(plan, first.model), strict=True)):
        assert metrics["invariants"] == INVARIANTS
        assert list(metrics["arms"]) == (list(ARMS) if number else ["dense"])
        assert metrics["net_steps"] == STEPS * len(metrics["arms"])
        found = metrics["surviving"] if granularity == "weight" else metrics["units_alive"]
        if scope == "global":
            counted = list(found.values()) if granularity == "weight" else list(found.values())[:-1]
            assert {"all": sum(counted)} == expected
        else:
            assert {name: found[name] for name in expected} == expected
        json.dumps(metrics, allow_nan=False)
    for last, number in itertools.pairwise((1, 2, 3)):
        for arm in ("ticket", "random"):
            inner, outer = runner.masks(number, arm), runner.masks(last, arm)
            assert not any((inner[name] & ~outer[name]).any() for name in inner)
        end = runner.weights(number, "ticket.end")
        assert not any(end[name][~mask].any() for name, mask in runner.masks(number).items())
        assert runner.metrics[number]["surviving"] == {n: int(m.sum()) for n, m in runner.masks(number).items()}


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_one_shot_pruning_to_a_density(scope):
    runner = small(1, rounds=1, density=0.25, scope=scope)
    assert runner.metrics[1]["invariants"] == INVARIANTS
    network = runner.work(1).model
    shapes = {name: network.shapes[name] for name in network.prunable}
    surviving = runner.metrics[1]["surviving"]
    if scope == "global":
        assert sum(surviving.values()) == round(0.25 * sum(map(np.prod, shapes.values())))
    else:
        assert surviving == {name: round(0.25 * np.prod(shape)) for name, shape in shapes.items()}


def bits(arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in arrays.items()}


def test_round_0_is_what_train_trains_with_the_same_seed():
    runner = Runner(DIGITS, make_plan(DIGITS.model.sizes), (0, 10, STEPS), seed=3, replicate=2).run(0)
    outcome = TrainWork(DIGITS.model, DIGITS.recipe, (0, 10, STEPS), 3, (2,))(runner.context(), {}, None)
    kept = {name: value for name, value in runner.arrays(0).items() if name.startswith("step")}
    assert bits(kept) == bits({name: stacked[0] for name, stacked in outcome.arrays.items()})
    assert runner.weights(0, "dense.end")["layer1.weight"].tobytes() == kept[f"step{STEPS}.layer1.weight"].tobytes()
    (member,) = outcome.metrics["members"]
    dense = runner.metrics[0]["arms"]["dense"]
    assert {name: member[name] for name in dense} == dense
    assert (member["steps"], outcome.metrics["net_steps"]) == (STEPS, STEPS)


def test_every_round_needs_the_dense_weights_and_the_round_before():
    runner = Runner(SMALL, make_plan(SMALL.model.sizes), replicate=7)
    assert runner.work(0).needs == ()
    assert runner.work(1).needs == ("round-000-replicate-0007",)
    assert runner.work(2).needs == ("round-000-replicate-0007", "round-001-replicate-0007")
    assert runner.work(5).needs == ("round-000-replicate-0007", "round-004-replicate-0007")
    assert runner.work(5).key == "round-005-replicate-0007"


@pytest.fixture
def jobs(monkeypatch) -> list[Job]:
    """All jobs that are trained from here on."""
    seen: list[Job] = []
    real = stretch.descend

    def spy(job: Job, data: Data, state: State, pause: Callable[[], bool]) -> State:
        seen.append(job)
        return real(job, data, state, pause)

    monkeypatch.setattr(stretch, "descend", spy)
    return seen


def plainly(runner: Runner, number: int, row: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The end of a run from the rewind step on, by a plain loop in float64."""
    recipe, task, start = runner.problem.recipe, runner.problem.task, runner.plan.rewind_step if number else 0
    seed = order_seed(runner.problem.model, runner.seed, runner.replicate, number)
    order = DataOrder(seed, len(task.train), recipe.batch_size)
    x, labels = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    batches = [(x[order.batch(step)], labels[order.batch(step)]) for step in range(start, recipe.steps)]
    net = network(runner.problem.model.sizes, runner.problem.model.activation, torch.from_numpy(row))
    rates = [
        0.1 * (0.5 * (1 + np.cos(np.pi * step / recipe.steps)) if recipe.schedule.name == "cosine" else 1)
        for step in range(start, recipe.steps)
    ]

    def optimizer(params, lr):
        return torch.optim.SGD(params, lr, momentum=0.9)

    kept = None if mask is None else torch.from_numpy(mask)
    return list(trajectory(net, task.loss, batches, optimizer, rates, kept))[-1].numpy()


@pytest.mark.parametrize("rewind", [0, 10])
def test_tickets_are_the_kept_weights_trained_by_a_plain_loop_from_step_k_on(rewind, jobs):
    problem = SMALL.with_recipe(schedule=Spec("cosine"))
    runner = small(2, problem=problem, rewind_step=rewind)
    layout = Layout(problem.model.shapes)
    initial = initial_row(problem.model, "float64", 0, 0).numpy()
    assert bits(runner.weights(0, "step0")) == bits(layout.split(initial))
    dense = layout.pack(runner.weights(0, "dense.end"), 0, np.dtype(float))
    np.testing.assert_allclose(dense, plainly(runner, 0, initial, None), rtol=1e-8, atol=1e-10)
    rewound = layout.pack(runner.weights(0, f"step{rewind}"), 0, np.dtype(float))
    assert (rewound.tobytes() == initial.tobytes()) == (rewind == 0)
    for number in (1, 2):
        mask = layout.pack(runner.masks(number), True, np.dtype(bool))
        end = layout.pack(runner.weights(number, "ticket.end"), 0, np.dtype(float))
        np.testing.assert_allclose(end, plainly(runner, number, rewound, mask), rtol=1e-8, atol=1e-10)
        assert jobs[number].start == rewind
        assert runner.metrics[number]["invariants"] == INVARIANTS
        assert runner.metrics[number]["net_steps"] == (STEPS - rewind) * 4


@pytest.mark.parametrize("rewind", [0, 10])
def test_only_the_steps_from_the_rewind_point_on_are_trained(rewind):
    runner = small(0, rewind_step=rewind)
    ticks: list[int] = []

    def tick(members: int) -> bool:
        ticks.append(members)
        return False

    runner.step(1, tick=tick)
    assert ticks == [4] * (STEPS - rewind)


def test_arms_of_a_round_start_as_their_definitions_say(jobs):
    runner = small(2, rewind_step=10)
    rewound = Layout(SMALL.model.shapes).pack(runner.weights(0, "step10"), 0, np.dtype(float))
    for number in (1, 2):
        ticket, reinit, shuffle, chance = jobs[number].params.numpy()
        for arm in (ticket, shuffle, chance):
            assert arm.tobytes() == rewound.tobytes()
        assert not np.isclose(reinit, rewound).any(where=reinit != 0)
        assert len(set(jobs[number].order_seeds)) == 1
        masks = jobs[number].mask.numpy()
        assert np.array_equal(masks[0], masks[1])
        assert [row.sum() for row in masks] == [masks[0].sum()] * 4
        assert not any(np.array_equal(masks[0], masks[arm]) for arm in (2, 3))
        biases = Layout(SMALL.model.shapes)
        for row in masks:
            named = biases.split(row)
            assert all(named[name].all() for name in named if "bias" in name)


def test_every_round_of_every_replicate_has_its_own_draws(jobs):
    plan = make_plan(SMALL.model.sizes, rounds=2, fraction=0.3)
    for replicate in (0, 1):
        Runner(SMALL, plan, replicate=replicate).run(2)
    fresh = [job.params[1].numpy() for job in jobs if job.start == 0 and len(job.params) == 4]
    initial = [initial_row(SMALL.model, "float64", 0, replicate).numpy() for replicate in (0, 1)]
    drawn = [set(row[row != 0].tolist()) for row in (*fresh, *initial)]
    assert len(fresh) == 4
    assert not any(one & other for one, other in itertools.combinations(drawn, 2))
    assert len({job.order_seeds[0] for job in jobs}) == 6


@pytest.mark.parametrize("arms", [("ticket",), ("ticket", "random"), ("ticket", "reinit", "shuffle")])
def test_the_ticket_does_not_depend_on_its_controls(arms):
    some, every = small(2, arms=arms), small(2)
    for number in (1, 2):
        assert list(some.metrics[number]["arms"]) == list(arms)
        assert bits(some.masks(number)) == bits(every.masks(number))
        some_end, every_end = some.weights(number, "ticket.end"), every.weights(number, "ticket.end")
        for name in some_end:
            np.testing.assert_allclose(some_end[name], every_end[name], rtol=1e-10, atol=1e-12)


def test_a_round_does_not_depend_on_how_many_rounds_there_will_be():
    few, many = small(2, rounds=2), small(2, rounds=9)
    assert few.metrics == many.metrics
    assert few.stored == many.stored


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("step", [1, 14, 29])
def test_a_paused_round_goes_on_to_the_same_outcome(number, step):
    problem = SMALL.with_recipe(dtype="float32", optimizer=Spec("adam"))
    problem = replace(problem, data=Data.of(problem.task, "float32", "cpu"))
    runner = small(2, problem=problem)
    ticks = itertools.count(1)
    paused = runner.step(number, tick=lambda members: next(ticks) == step)
    assert paused.metrics is None
    again = runner.work(number)(runner.context(), runner.earlier(number), paused.arrays)
    assert again.metrics == runner.metrics[number]
    assert bits(again.arrays) == bits(runner.arrays(number))


# Sabotage: what is recorded must say what really happened.


def broken(metrics: dict) -> set[str]:
    return {name for name, holds in metrics["invariants"].items() if not holds}


def test_a_mask_that_training_ignores_is_recorded(monkeypatch):
    runner, real = small(0), stretch.descend
    monkeypatch.setattr(stretch, "descend", lambda job, *more: real(replace(job, mask=None), *more))
    assert broken(runner.run(1).metrics[1]) == {"masked_weights_zero", "density_exact"}


def test_a_mask_that_is_applied_too_late_is_recorded(monkeypatch):
    runner, real = small(0), Job.begin
    monkeypatch.setattr(Job, "begin", lambda job: real(replace(job, mask=None)))
    assert broken(runner.run(1).metrics[1]) == {"masked_weights_zero", "density_exact"}


def test_tickets_made_of_final_weights_are_recorded(monkeypatch):
    runner, real = small(1), loop.starts
    final = Layout(SMALL.model.shapes).pack(runner.weights(1, "ticket.end"), 0, np.dtype(float))
    monkeypatch.setattr(loop, "starts", lambda masks, rewound, draws: real(masks, final, draws))
    assert broken(runner.run(2).metrics[2]) == {"survivors_equal_rewind_weights"}


def test_training_that_goes_on_from_the_final_weights_is_recorded(monkeypatch):
    """The job is right, but what is trained is not what the job says."""
    runner, real = small(1), stretch.descend
    final = Layout(SMALL.model.shapes).pack(runner.weights(1, "ticket.end"), 0, np.dtype(float))

    def goes_on(job: Job, data: Data, state: State, pause: Callable[[], bool]) -> State:
        params = torch.from_numpy(final).expand_as(state.params) * job.mask
        return real(job, data, replace(state, params=params), pause)

    monkeypatch.setattr(stretch, "descend", goes_on)
    assert broken(runner.run(2).metrics[2]) == {"survivors_equal_rewind_weights"}


def test_masks_that_are_drawn_anew_are_recorded(monkeypatch):
    runner, real = small(1), loop.next_masks

    def anew(plan, last, weights, draws):
        masks = real(plan, last, weights, draws)
        return {**masks, "ticket": masks["shuffle"]}

    monkeypatch.setattr(loop, "next_masks", anew)
    assert broken(runner.run(2).metrics[2]) == {"masks_nested"}


def test_one_weight_too_few_is_recorded(monkeypatch):
    runner, real = small(0), loop.next_masks

    def one_more(plan, last, weights, draws):
        masks = real(plan, last, weights, draws)
        mask = masks["ticket"]["layer1.weight"].copy()
        mask.flat[np.flatnonzero(mask)[0]] = False
        return {**masks, "ticket": {**masks["ticket"], "layer1.weight": mask}}

    monkeypatch.setattr(loop, "next_masks", one_more)
    assert broken(runner.run(1).metrics[1]) == {"density_exact"}


# Results, however bad, are not failures.


@pytest.mark.parametrize("rewind", [0, 10])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_networks_that_diverge_keep_every_promise_too(criterion, rewind):
    problem = toy("squared", lr=1e200, hidden=(6, 5))
    runner = small(2, problem=problem, criterion=criterion, rewind_step=rewind)
    for metrics in runner.metrics:
        assert metrics["invariants"] == INVARIANTS
        for arm in metrics["arms"].values():
            assert (arm["success"], arm["train_loss"]) == (False, None)


def test_a_layer_that_global_pruning_empties_is_a_result():
    runner = small(1, problem=toy(hidden=(3, 3)), scope="global", density=0.01, rounds=1)
    assert broken(runner.metrics[1]) == {"no_layer_empty"}
    assert sum(runner.metrics[1]["surviving"].values()) == 0


def test_a_network_that_global_pruning_emptied_stays_empty():
    runner = small(3, problem=toy(hidden=(3, 3)), scope="global", fraction=0.99, rounds=3)
    assert [sum(metrics["surviving"].values()) for metrics in runner.metrics] == [30, 0, 0, 0]
    assert [broken(metrics) for metrics in runner.metrics[1:]] == [{"no_layer_empty"}] * 3


def test_each_layer_keeps_a_unit_although_fewer_are_asked_for():
    """One of six works is to be left, but each of the two hidden layers keeps its best one."""
    runner = small(2, problem=toy(hidden=(3, 3)), fraction=0.9, scope="global", granularity="unit")
    assert [broken(metrics) for metrics in runner.metrics] == [set()] * 3
    assert list(runner.metrics[2]["units_alive"].values())[:2] == [1, 1]
