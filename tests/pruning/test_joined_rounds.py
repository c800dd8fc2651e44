"""Rounds of several replicates as one stack leave what each would have left alone, to the last bit."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from escapedim.models.conv import ConvNet
from escapedim.models.mlp import MLP
from escapedim.pruning.round_work import RoundWork
from escapedim.training import descent
from escapedim.training.data import Data
from escapedim.training.experiment import stack_size
from escapedim.training.job import State
from escapedim.training.joining import Joined, as_one, next_group, split
from escapedim.training.kernels import packed, without_idle
from escapedim.training.kernels.without_idle import make_stack
from escapedim.training.work import Arrays, Context, Outcome

from ..training.plain import Toy, toy, toy_task
from .strategies import make_plan

STEPS = 24
PROBLEMS = {
    "minibatches, adam": toy(optimizer="adam", lr=0.01, hidden=(6, 5), steps=STEPS),
    "minibatches, momentum, float32": toy(optimizer="sgd:momentum=0.9", lr=0.1, dtype="float32", steps=STEPS),
    "full batches": toy("squared", optimizer="gd", lr=0.05, hidden=(7,), batch_size=10**6, steps=STEPS),
}


def images(dtype: str) -> Toy:
    """A convolutional net on images of 4×5."""
    problem = toy(optimizer="adam", lr=0.01, steps=STEPS, dtype=dtype)
    task = toy_task(inputs=20)
    model = ConvNet((1, 4, 5), ((3, 2),), (4,), task.outputs, "relu")
    return Toy(task, Data.of(task, dtype, "cpu"), model, problem.recipe)  # type: ignore[arg-type]


def sizes_of(problem: Toy) -> tuple[int, ...]:
    """Sizes for which a plan is made, where it has no fractions of its own."""
    return problem.model.sizes if isinstance(problem.model, MLP) else (1, 1)


def work(problem: Toy, number: int, replicate: int, **plans) -> RoundWork:
    plan = make_plan(sizes_of(problem), **{"fraction": 0.3, **plans})
    return RoundWork(plan, problem.model, problem.recipe, (0, 10, STEPS), 0, replicate, number)


def context(problem: Toy, tick=lambda members: False) -> Context:
    return Context(problem.task, problem.data, "cpu", tick)


def alone(problem: Toy, replicates: range, **plans) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for number, replicate in itertools.product(range(3), replicates):
        own = work(problem, number, replicate, **plans)
        found[own.key] = own(context(problem), {key: found[key].arrays for key in own.needs}, None)
    return found


def together(problem: Toy, replicates: range, pause_at: int | None = None, **plans) -> dict[str, Outcome]:
    """The same, joined; after a pause two replicates go on together and the last one alone."""
    found: dict[str, Outcome] = {}
    for number in range(3):
        works = [work(problem, number, replicate, **plans) for replicate in replicates]
        earlier = {key: found[key].arrays for one in works for key in one.needs}
        ticks = itertools.count(1)
        group = as_one(works)
        first = group(context(problem, lambda members, ticks=ticks: next(ticks) == pause_at), earlier, None)
        left = split(group, first)
        if first.metrics is None:
            paused = {one.key: outcome.arrays for one, outcome in left}
            left = []
            for part in (works[:-1], works[-1:]):
                chosen, state = next_group(part, 1, paused.get)
                assert chosen == part
                group = as_one(chosen)
                left += split(group, group(context(problem), {key: earlier[key] for key in group.needs}, state))
        found |= {one.key: outcome for one, outcome in left}
    return found


def assert_same(found: Outcome, expected: Outcome) -> None:
    assert found.metrics == expected.metrics
    assert set(found.arrays) == set(expected.arrays)
    for name, values in expected.arrays.items():
        assert found.arrays[name].tobytes() == values.tobytes(), name


@pytest.mark.parametrize("pause_at", [None, 1, 11])
@pytest.mark.parametrize("name", PROBLEMS)
def test_joined_rounds_are_those_of_each_alone(name, pause_at):
    check_joined(PROBLEMS[name], pause_at)


@pytest.mark.parametrize("pause_at", [None, 11])
@pytest.mark.parametrize("granularity", ["weight", "unit"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_so_are_those_of_convolutional_nets(dtype, granularity, pause_at):
    problem = images(dtype)
    fractions = dict.fromkeys(problem.model.prunable, 0.3)
    check_joined(problem, pause_at, fractions=fractions, granularity=granularity)


def check_joined(problem: Toy, pause_at: int | None, **plans) -> None:
    replicates = range(3)
    found, expected = together(problem, replicates, pause_at, **plans), alone(problem, replicates, **plans)
    assert set(found) == set(expected)
    for key, outcome in expected.items():
        assert all(outcome.metrics["invariants"].values())
        assert_same(found[key], outcome)


@pytest.mark.parametrize("pause_at", [None, 11])
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("plans", [{"granularity": "unit", "scope": "global"}, {"fraction": 0.6}])
def test_so_are_those_of_members_that_are_cut_or_packed(monkeypatch, plans, name, pause_at):
    """Whole works go, so many as each network's own weights say; or most weights."""
    if "granularity" in plans:
        monkeypatch.setattr(without_idle, "CALLS", -1.0)
    monkeypatch.setattr(packed, "pays", lambda job, mask: mask.double().mean(1) < 0.5)
    kinds = set[str]()

    def seen(*given):
        stack = make_stack(*given)
        kinds.update(type(part).__name__ for _, part in getattr(stack, "_parts", [((), stack)]))
        return stack

    monkeypatch.setattr(descent, "make_stack", seen)
    problem, replicates = PROBLEMS[name], range(3)
    found, expected = together(problem, replicates, pause_at, **plans), alone(problem, replicates, **plans)
    for key, outcome in expected.items():
        assert all(outcome.metrics["invariants"].values())
        assert_same(found[key], outcome)
    assert ("CutStack" if "granularity" in plans else "PackedStack") in kinds


def test_a_group_fills_a_stack_and_leaves_work_for_every_process():
    problem = PROBLEMS["full batches"]
    works = [work(problem, 0, replicate) for replicate in range(5)]
    nothing = dict[str, Arrays]().get
    assert works[0].most > 5
    assert next_group(works, 1, nothing) == (works, None)
    assert next_group(works, 2, nothing)[0] == works[:3]
    assert next_group(works, 9, nothing)[0] == works[:1]
    large = replace(problem.model, sizes=(64, 300, 100, 10))
    assert next_group([replace(one, model=large, round=1) for one in works], 1, nothing)[0][1:] == []


def test_a_stack_of_whole_replicates_may_be_a_little_larger_than_the_cache():
    any_unit = work(PROBLEMS["minibatches, adam"], 1, 0)
    recipe = replace(any_unit.recipe, batch_size=60)
    digits = replace(any_unit, model=MLP((64, 100, 10), "relu"), recipe=recipe)
    assert (len(digits.plan.arms), stack_size(digits.model, digits.recipe), digits.most) == (4, 17, 5)
    assert replace(digits, model=MLP((784, 300, 100, 10), "relu")).most == 1
    sizes, rest = [], [replace(digits, replicate=number) for number in range(12)]
    while rest:
        chosen, _ = next_group(rest, 2 if len(rest) == 12 else 1, lambda key: None)
        sizes.append(len(chosen))
        rest = rest[len(chosen) :]
    assert sizes == [4, 4, 4]  # and not 5, 5 and 2


def test_only_rounds_of_one_kin_and_step_are_joined():
    problem = PROBLEMS["full batches"]
    first, second, other = work(problem, 1, 0), work(problem, 1, 1), work(problem, 2, 2)
    assert next_group([first, other, second], 1, dict[str, Arrays]().get)[0] == [first, second]
    paused = {first.key: {"step": np.array(3)}, second.key: {"step": np.array(4)}}
    chosen, state = next_group([first, second], 1, paused.get)
    assert chosen == [first]
    assert state is paused[first.key]
    assert next_group([first, second], 1, {first.key: paused[first.key]}.get)[0] == [first]


def test_what_joined_units_took_is_shared():
    works = tuple(work(PROBLEMS["full batches"], 0, replicate) for replicate in range(2))
    parts = Joined(works).split(Outcome({"0:a": np.zeros(1), "1:a": np.ones(1)}, {"works": [{"x": 1}, {"x": 2}]}, 3.0))
    assert [(one.key, outcome.metrics, outcome.seconds) for one, outcome in parts] == [
        (works[0].key, {"x": 1}, 1.5), (works[1].key, {"x": 2}, 1.5),
    ]  # fmt: skip
    assert parts[1][1].arrays["a"] == 1


def test_a_state_of_several_is_that_of_each():
    """Members that have left have no moments; those of the others stay theirs."""
    problem = PROBLEMS["minibatches, adam"]
    outcome = work(problem, 0, 0)(context(problem, lambda members: True), {}, None)
    one = State.from_arrays(outcome.arrays, "cpu")
    left = {name: value[:0] if value.dim() == 2 else value for name, value in one.moments.items()}
    gone = replace(one, diverged_at=one.diverged_at.clone().fill_(7), moments=left)
    for states in ([one, one], [one, gone, one], [gone, one]):
        parts = State.joined(states).split([1] * len(states))
        for part, state in zip(parts, states, strict=True):
            for name, values in state.arrays().items():
                assert part.arrays()[name].tobytes() == values.tobytes(), name
