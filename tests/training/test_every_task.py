"""What holds for all tasks alike: members do not depend on their batch-mates, and every command trains them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from escapedim.cli.settings import Given, resolve
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.tasks.registry import WITH_PARAMETERS
from escapedim.training.config import TrainConfig
from escapedim.training.data import Data
from escapedim.training.experiment import ENDING_COLUMNS, TrainWork, train_experiment
from escapedim.training.initial import initial_row
from escapedim.training.networks import network_of
from escapedim.training.work import Context

TASKS = [*WITH_PARAMETERS, "parity:samples=50", "relu-teacher:k=10", "teacher:activation=relu"]
SHORT = {"steps": "12it", "jobs": 1}
MEMBERS = 41


def prepared(model, name, **flags):
    settings = resolve(model, Given({"task": name, **SHORT, **flags}))
    data = Data.of(settings.task, settings.config.dtype, "cpu")
    return settings.config, settings.task, Context(settings.task, data, "cpu", lambda members: False)


def trained(name, replicates):
    flags = {"hidden": "6"} if name == "digits" else {}
    config, task, context = prepared(TrainConfig, name, **flags)
    work = TrainWork(network_of(config, task), config.recipe(task), (0, 5, 12), 3, tuple(replicates))
    outcome = work(context, {}, None)
    return outcome.metrics["members"], outcome.arrays


@pytest.mark.parametrize("name", TASKS)
def test_member_17_of_many_is_member_17_alone(name):
    (alone,), own = trained(name, [17])
    members, arrays = trained(name, range(MEMBERS))
    assert members[17] == alone
    assert {key: array[17].tobytes() for key, array in arrays.items()} == {
        key: array[0].tobytes() for key, array in own.items()
    }
    ends = np.concatenate([array.reshape(MEMBERS, -1) for key, array in arrays.items() if key.startswith("step12")], 1)
    starts = np.concatenate([array.reshape(MEMBERS, -1) for key, array in arrays.items() if key.startswith("step0")], 1)
    assert (ends != starts).any(1).all()
    assert len(np.unique(ends, axis=0)) == MEMBERS


@pytest.mark.parametrize("name", TASKS)
def test_metrics_and_the_result_have_what_the_task_measures(name):
    config, task, context = prepared(TrainConfig, name, replicates=2)
    experiment = train_experiment(config, task)
    metrics = {work.key: work(context, {}, None).metrics for work in experiment.works}
    (member, _) = next(iter(metrics.values()))["members"]
    assert list(member)[: len(task.measured) + 1] == [*task.measured, "success"]
    assert set(ENDING_COLUMNS) < set(member)
    unseen = {"train_loss"} if task.stream else set()
    assert {key for key in task.measured if member[key] is None} == unseen
    result = experiment.describe(metrics, {})
    assert result.success_criterion == str(task.criterion)
    assert result.parameters == len(initial_row(network_of(config, task), config.dtype, 0, 0))
    assert task.criterion.metric in task.measured


@pytest.mark.parametrize("name", TASKS)
def test_pruning_keeps_its_invariants(name):
    flags = {"hidden": "6"} if name == "digits" else {}
    config, task, context = prepared(PruneConfig, name, replicates=1, rounds=3, fraction=0.4, **flags)
    experiment = prune_experiment(config, task)
    arrays, metrics = {}, {}
    for work in experiment.works:
        outcome = work(context, {key: arrays[key] for key in work.needs}, None)
        arrays[work.key], metrics[work.key] = outcome.arrays, outcome.metrics
    result = experiment.describe(metrics, {})
    assert all(holds for entry in result.rounds for _, holds in entry.invariants)
    densities = [entry.density for entry in result.rounds]
    assert all(after <= before for before, after in itertools.pairwise(densities))
    assert densities[-1] < 1
    assert set(result.rounds[-1].arms) == {"ticket", "reinit", "shuffle", "random"}


def test_the_one_layer_of_a_relu_student_loses_the_whole_fraction():
    config, task, _ = prepared(PruneConfig, "relu-teacher", fraction=0.25)
    plan = config.plan(network_of(config, task), config.recipe(task))
    assert plan.fractions == {"layer1.weight": 0.25}
