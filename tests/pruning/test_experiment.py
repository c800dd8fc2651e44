from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest

from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.pruning.pruning_plan import ARMS, expected_counts
from escapedim.records.results import LotteryResult
from escapedim.training.experiment import Experiment
from escapedim.training.work import Arrays, Metrics
from escapedim.training.workers import Inline

from ..training.plain import VALUES, toy_task

NETWORK = {"hidden": (6, 5), "steps": "20it", "replicates": 2, "rounds": 2, "output_fraction": 0.1}


def config(**changes) -> PruneConfig:
    return PruneConfig(**{**VALUES, **NETWORK, **changes})


def trained(experiment: Experiment, loss: str = "cross-entropy") -> tuple[dict[str, Metrics], int]:
    """Metrics of all works, and the network steps that were counted."""
    backend, arrays, metrics = Inline(toy_task(loss), "float32", "cpu", lambda: False), {}, {}
    for work in experiment.works:
        earlier: Mapping[str, Arrays] = {key: arrays[key] for key in work.needs}
        outcome = backend.result(backend.submit(work, earlier, None))
        arrays[work.key], metrics[work.key] = outcome.arrays, outcome.metrics
    return metrics, backend.steps()


def test_units_are_ordered_by_round_and_cover_every_replicate():
    experiment = prune_experiment(config(), toy_task())
    assert experiment.kind == "lottery"
    assert [work.key for work in experiment.works] == [
        f"round-00{number}-replicate-000{replicate}" for number in range(3) for replicate in range(2)
    ]
    position = {work.key: place for place, work in enumerate(experiment.works)}
    assert all(position[need] < position[work.key] for work in experiment.works for need in work.needs)
    assert experiment.label == "8 networks × 2 rounds"


def test_the_rewind_point_is_kept_whatever_else_is():
    experiment = prune_experiment(config(rewind_to="7it", keep="13it"), toy_task())
    assert {7, 13} <= set(experiment.works[0].keep)
    assert experiment.works[0].plan.rewind_step == 7


@pytest.mark.parametrize("changes", [{}, {"rewind_to": "25%"}, {"arms": "ticket,random"}, {"replicates": 1}])
def test_the_announced_steps_are_the_counted_ones(changes):
    experiment = prune_experiment(config(**changes), toy_task())
    metrics, steps = trained(experiment)
    assert experiment.net_steps == steps == sum(entry["net_steps"] for entry in metrics.values())


def test_the_result_says_what_the_units_measured():
    experiment = prune_experiment(config(), toy_task())
    metrics, _ = trained(experiment)
    result = experiment.describe(metrics, {"round-000-replicate-0000": "0" * 64})
    assert isinstance(result, LotteryResult)
    expected = expected_counts(experiment.works[0].plan, experiment.works[0].model)
    for number, entry in enumerate(result.rounds):
        assert (entry.round, entry.replicates, entry.total) == (number, [0, 1], 4 * 6 + 6 * 5 + 5 * 3)
        assert {layer.name: layer.surviving for layer in entry.layers} == expected[number]
        assert entry.surviving == sum(expected[number].values())
        assert entry.surviving_by_replicate is None
        assert entry.density == pytest.approx(entry.surviving / entry.total)
        assert list(entry.arms) == (list(ARMS) if number else ["dense"])
        assert all(holds for _, holds in entry.invariants)
        for name, arm in entry.arms.items():
            members = [metrics[f"round-00{number}-replicate-000{replicate}"]["arms"][name] for replicate in (0, 1)]
            assert arm.success == [member["success"] for member in members]
            for column in ("train_loss", "test_loss", "train_accuracy", "test_accuracy"):
                assert getattr(arm, column) == [member[column] for member in members]
    assert result.verdict.dense_test_accuracy == pytest.approx(np.mean(result.rounds[0].arms["dense"].test_accuracy))
    assert result.verdict.tolerance == 0.005
    assert (result.success_criterion, result.optimizer_state) == ("train_accuracy >= 0.5", "reset")
    assert result.checkpoints == {"round-000-replicate-0000": "0" * 64}


def test_arms_are_reported_in_one_order_however_they_are_written():
    orders = ("random,ticket", "ticket,random")
    experiments = [prune_experiment(config(arms=arms, rounds=1), toy_task()) for arms in orders]
    left, right = (experiment.describe(trained(experiment)[0], {}) for experiment in experiments)
    assert left == right
    assert list(left.rounds[1].arms) == ["ticket", "random"]


def test_a_result_can_be_had_at_any_time():
    experiment = prune_experiment(config(), toy_task())
    metrics, _ = trained(experiment)
    for count in range(len(metrics) + 1):
        done = dict(itertools.islice(metrics.items(), count))
        result = experiment.describe(done, {})
        assert [len(entry.replicates) for entry in result.rounds] == [2] * (count // 2) + [1] * (count % 2)
    assert experiment.describe({}, {}).verdict.dense_test_accuracy is None


def test_one_replicate_that_breaks_a_promise_breaks_the_rounds():
    experiment = prune_experiment(config(), toy_task())
    metrics, _ = trained(experiment)
    broken = metrics["round-001-replicate-0001"]
    metrics["round-001-replicate-0001"] = {
        **broken,
        "invariants": {**broken["invariants"], "masked_weights_zero": False},
    }
    first, second, third = (entry.invariants for entry in experiment.describe(metrics, {}).rounds)
    assert [name for name, holds in second if not holds] == ["masked_weights_zero"]
    assert all(holds for entry in (first, third) for _, holds in entry)


def test_replicates_with_different_counts_are_listed():
    """Global scope: the whole loses the same, the layers do not."""
    experiment = prune_experiment(config(scope="global", output_fraction=None), toy_task())
    metrics, _ = trained(experiment)
    last = experiment.describe(metrics, {}).rounds[2]
    members = [metrics[f"round-002-replicate-000{replicate}"]["surviving"] for replicate in (0, 1)]
    for layer in last.layers:
        assert layer.surviving == pytest.approx(np.mean([member[layer.name] for member in members]))
    assert last.surviving_by_replicate is None
    metrics["round-002-replicate-0001"]["surviving"]["layer1.weight"] -= 1
    changed = experiment.describe(metrics, {}).rounds[2]
    total = sum(members[0].values())
    assert changed.surviving_by_replicate == [total, total - 1]
    assert changed.surviving == total - 0.5


def test_a_task_without_labels_has_losses_and_success_only():
    experiment = prune_experiment(config(), toy_task("squared"))
    metrics, _ = trained(experiment, "squared")
    result = experiment.describe(metrics, {})
    ticket = result.rounds[1].arms["ticket"]
    assert (ticket.test_accuracy, ticket.train_accuracy, ticket.test_accuracy_at_best_validation) == (None, None, None)
    assert len(ticket.train_loss) == len(ticket.test_loss) == len(ticket.success) == 2
    assert (result.rounds[1].matching, result.rounds[1].winning) == (None, None)


def test_more_rounds_and_replicates_leave_the_others_as_they_were():
    few, _ = trained(prune_experiment(config(replicates=1, rounds=1), toy_task()))
    many, _ = trained(prune_experiment(config(replicates=2, rounds=3), toy_task()))
    assert all(many[key] == metrics for key, metrics in few.items())
