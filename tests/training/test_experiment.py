from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from escapedim.comparison.statistics import wilson
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.training.batches import DataOrder
from escapedim.training.config import TrainConfig
from escapedim.training.experiment import REPLICATES, TrainWork, stack_size, stacks, train_experiment
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.networks import network_of
from escapedim.training.work import Context, Outcome

from .plain import VALUES, accuracy, network, toy, toy_task, trajectory

PROBLEM = toy("cross-entropy", "sgd:momentum=0.9", lr=0.1)
KEEP = (0, 3, 30)


def run(problem=PROBLEM, replicate=2, pauses=(), paused=None, told=None) -> Outcome:
    ticks = itertools.count(1)

    def tick(members: int) -> bool:
        if told is not None:
            told.append(members)
        return next(ticks) in pauses

    work = TrainWork(problem.model, problem.recipe, KEEP, 7, (replicate,))
    outcome = work(Context(problem.task, problem.data, "cpu", tick), {}, paused)
    if outcome.metrics is None:
        return outcome
    (member,) = outcome.metrics["members"]
    arrays = {name: stacked[0] for name, stacked in outcome.arrays.items()}
    return Outcome(arrays, {**member, "net_steps": outcome.metrics["net_steps"]})


def test_a_unit_trains_one_replicate_as_a_plain_loop_does():
    outcome = run()
    row = initial_row(PROBLEM.model, "float64", 7, 2)
    order = DataOrder(order_seed(PROBLEM.model, 7, 2, 0), 23, 6)
    x, labels = torch.from_numpy(PROBLEM.task.train.x), torch.from_numpy(PROBLEM.task.train.y)
    batches = [(x[order.batch(step)], labels[order.batch(step)]) for step in range(30)]
    net = network(PROBLEM.model.sizes, "tanh", row)

    def optimizer(params, lr):
        return torch.optim.SGD(params, lr, momentum=0.9)

    rows = list(trajectory(net, "cross-entropy", batches, optimizer, [0.1] * 30))
    layout = Layout(PROBLEM.model.shapes)
    assert set(outcome.arrays) == {f"step{step}.{name}" for step in KEEP for name in PROBLEM.model.shapes}
    for step in KEEP:
        for name, expected in layout.split(rows[step].numpy()).items():
            np.testing.assert_allclose(outcome.arrays[f"step{step}.{name}"], expected, rtol=1e-9, atol=1e-12)
    assert outcome.metrics["train_accuracy"] == accuracy(net, x, PROBLEM.task.train.y)
    assert outcome.metrics["net_steps"] == 30
    json.dumps(outcome.metrics, allow_nan=False)


def test_step_0_is_the_draw_itself():
    arrays = run().arrays
    row = Layout(PROBLEM.model.shapes).split(initial_row(PROBLEM.model, "float64", 7, 2).numpy())
    assert all(np.array_equal(arrays[f"step0.{name}"], value) for name, value in row.items())


@pytest.mark.parametrize("step", [1, 3, 17, 29])
def test_a_paused_unit_goes_on_to_the_same_outcome(step):
    told: list[int] = []
    middle = run(pauses={step}, told=told)
    assert middle.metrics is None
    assert told == [1] * step
    again, whole = run(paused=middle.arrays, told=told), run()
    assert told == [1] * 30
    assert again.metrics == whole.metrics
    assert {name: value.tobytes() for name, value in again.arrays.items()} == {
        name: value.tobytes() for name, value in whole.arrays.items()
    }


def test_replicates_and_seeds_differ():
    ends = [run(replicate=replicate).arrays["step30.layer1.weight"] for replicate in (0, 1)]
    assert not np.allclose(*ends)


def config(**changes) -> TrainConfig:
    return TrainConfig(**{**VALUES, "replicates": 3, **changes})


def test_an_experiment_is_a_stack_of_replicates():
    experiment = train_experiment(config(steps="50it", keep="13it"), toy_task())
    assert experiment.kind == "train"
    assert [work.key for work in experiment.works] == ["replicates-000000-000002"]
    assert all(work.needs == () for work in experiment.works)
    assert experiment.net_steps == 150
    assert experiment.label == "3 networks"
    assert experiment.works[0].keep == (0, 1, 2, 5, 10, 13, 25, 50)


def test_more_replicates_leave_finished_units_as_they_are():
    (work,) = train_experiment(config(replicates=2), toy_task()).works
    more = train_experiment(config(replicates=5), toy_task(), [work.key]).works
    assert [each.replicates for each in more] == [(0, 1), (2, 3, 4)]
    assert more[0] == work


def test_a_model_has_the_tasks_inputs_and_outputs():
    model = network_of(config(hidden="20,10", init="he-normal", activation="gelu"), toy_task())
    assert (model.sizes, model.activation, model.init_name) == ((4, 20, 10, 3), "gelu", "he-normal")


def stopped(ending: str = "undecided") -> dict:
    unknown = dict.fromkeys(("smallest_eigenvalue", "negative_directions"))
    return {"ending": ending, "reason": "why", "marginal": False, **unknown, "moved": 0.5, "steps": 7, "level": None}


def metrics(success: bool, ending: str = "undecided") -> dict:
    numbers = [0.25, 0.5, 0.75, 0.5, 0.625] if ending != "diverged" else [None] * 5
    return {**dict(zip(toy_task().measured, numbers, strict=True)), "success": success, **stopped(ending)}


def test_a_result_adds_the_finished_replicates_up():
    keys = ["replicates-000000-000000", "replicates-000002-000002"]
    experiment = train_experiment(config(), toy_task(), keys)
    done = {keys[1]: {"members": [metrics(False, "diverged")]}, keys[0]: {"members": [metrics(True)]}}
    result = experiment.describe(done, {keys[0]: "0" * 64})
    assert (result.replicates, result.members, result.successes, result.success_rate) == ([0, 2], 2, 1, 0.5)
    assert tuple(result.success_interval) == wilson(1, 2)
    assert (result.success, result.ending) == ([True, False], ["undecided", "diverged"])
    assert result.endings == {"undecided": 1, "diverged": 1}
    assert (result.train_loss, result.test_accuracy) == ([0.25, None], [0.5, None])
    assert result.success_criterion == "train_accuracy >= 0.5"
    assert result.parameters == 4 * 20 + 20 + 20 * 10 + 10 + 10 * 3 + 3
    assert result.checkpoints == {keys[0]: "0" * 64}


def test_a_result_of_nothing_has_no_rate():
    result = train_experiment(config(), toy_task()).describe({}, {})
    assert (result.members, result.success_rate, result.success_interval) == (0, None, None)


def test_a_task_without_labels_has_losses_only():
    assert toy_task().measured == (
        "train_loss",
        "test_loss",
        "train_accuracy",
        "test_accuracy",
        "test_accuracy_at_best_validation",
    )
    assert toy_task("squared").measured == ("train_loss", "test_loss")
    key = "replicates-000000-000000"
    experiment = train_experiment(config(), toy_task("squared"), [key])
    done = {key: {"members": [{"train_loss": 0.1, "test_loss": 0.2, "success": True, **stopped()}]}}
    assert experiment.describe(done, {}).train_accuracy is None


@pytest.mark.parametrize(
    ("count", "done", "size", "expected"),
    [
        (3, [], 4, [(0, 1, 2)]),
        (9, [], 4, [(0, 1, 2, 3), (4, 5, 6, 7), (8,)]),
        (9, [(4, 5, 6, 7)], 4, [(0, 1, 2, 3), (8,)]),
        (6, [(0, 1), (4,)], 4, [(2, 3), (5,)]),
        (2, [(0, 1)], 4, []),
    ],
)
def test_what_is_left_is_cut_into_stacks_of_neighbours(count, done, size, expected):
    assert stacks(range(count), done, size) == expected


def test_keys_say_which_replicates_they_cover():
    works = [TrainWork(PROBLEM.model, PROBLEM.recipe, KEEP, 7, stack) for stack in ((4,), (0, 1, 2, 3))]
    assert REPLICATES.stacks(work.key for work in works) == [(0, 1, 2, 3), (4,)]


def test_stacks_fit_into_the_cache_and_are_never_absurd():
    recipe = PROBLEM.recipe
    sizes = [(64, 300, 100, 10), (10, 80, 2), (2, 1, 1)]
    assert [stack_size(MLP(size, "relu"), replace(recipe, batch_size=8)) for size in sizes] == [4, 125, 256]
    assert stack_size(MLP((4, 16, 1), "tanh"), replace(recipe, batch_size=500)) == 15
