from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from escapedim.errors import BadInput
from escapedim.records.results import WidenResult
from escapedim.tasks import relu_teacher
from escapedim.tasks.base import Split
from escapedim.training.work import Context
from escapedim.widening.config import WidenConfig
from escapedim.widening.counted_members import RATE_FACTORS, PilotWork, WidthWork
from escapedim.widening.experiment import members_per_width, success_criterion, widen_experiment
from escapedim.widening.member_keys import by_width
from tests.training.plain import toy

from .test_config import config

PROBLEM = toy("cross-entropy")


def small(**changes: object) -> WidenConfig:
    values = {
        "steps": "10it",
        "lr": 0.1,
        "optimizer": "sgd",
        "dtype": "float64",
        "replicates": 6,
        "seed": 2,
        "escape": False,
    }
    return config(**{**values, **changes})


def done(experiment, problem=PROBLEM) -> tuple[WidenResult, dict]:
    metrics, arrays = {}, {}
    for work in experiment.works:
        context = Context(problem.task, problem.data, "cpu", lambda members: False)
        outcome = work(context, {key: arrays[key] for key in work.needs}, None)
        metrics[work.key], arrays[work.key] = outcome.metrics, outcome.arrays
    result = experiment.describe(metrics, {})
    assert isinstance(result, WidenResult)
    return result, metrics


def test_every_width_has_stacks_of_all_replicates_narrow_ones_first(monkeypatch):
    monkeypatch.setattr("escapedim.widening.experiment.stack_size", lambda model, recipe: 4)
    experiment = widen_experiment(small(), PROBLEM.task)
    works = [(work.setting.width, work.replicates) for work in experiment.works if isinstance(work, WidthWork)]
    assert works == [(width, part) for width in (2, 3) for part in ((0, 1, 2, 3), (4, 5))]
    assert experiment.net_steps == 2 * 6 * 10
    assert all(work.setting.model.sizes == (4, work.setting.width, 3) for work in experiment.works)


def test_what_was_begun_is_kept_and_the_rest_is_filled_up(monkeypatch):
    monkeypatch.setattr("escapedim.widening.experiment.stack_size", lambda model, recipe: 4)
    begun = ["width-000003-members-000002-000004", "width-000003-pilot-0.5", "something else"]
    assert by_width(begun) == {3: [(2, 3, 4)]}
    works = widen_experiment(small(), PROBLEM.task, begun).works
    assert [work.replicates for work in works if work.setting.width == 3] == [(0, 1), (2, 3, 4), (5,)]


def test_how_members_were_cut_into_stacks_is_not_in_the_result():
    one, _ = done(widen_experiment(small(), PROBLEM.task))
    begun = ["width-000003-members-000002-000004", "width-000002-members-000000-000000"]
    other, _ = done(widen_experiment(small(), PROBLEM.task, begun))
    assert one == other
    assert [entry.members for entry in one.widths] == [6, 6]


def test_a_width_without_a_finished_stack_is_not_in_the_result_yet():
    experiment = widen_experiment(small(), PROBLEM.task)
    _, metrics = done(experiment)
    first = {key: value for key, value in metrics.items() if key.startswith("width-000002")}
    result = experiment.describe(first, {})
    assert isinstance(result, WidenResult)
    assert [entry.width for entry in result.widths] == [2]
    empty = experiment.describe({}, {})
    assert isinstance(empty, WidenResult)
    assert empty.widths == []


def test_learning_rates_are_tried_before_they_are_taken():
    experiment = widen_experiment(small(lr_per_width=True, steps="5it"), PROBLEM.task)
    kinds = [type(work) for work in experiment.works if work.setting.width == 2]
    assert kinds == [PilotWork] * len(RATE_FACTORS) + [WidthWork]
    assert members_per_width(small(lr_per_width=True)) == 6 + 5 * 20
    result, metrics = done(experiment)
    for entry in result.widths:
        assert entry.lr_sweep
        assert [trial.lr for trial in entry.lr_sweep] == pytest.approx([0.025, 0.05, 0.1, 0.2, 0.4])
        best = min(entry.lr_sweep, key=lambda trial: trial.median_loss or np.inf)
        assert entry.lr == best.lr
        assert entry.members == 6
        losses = metrics[f"width-{entry.width:06d}-pilot-2"]["losses"]
        assert entry.lr_sweep[3].median_loss == np.median(losses)


def test_another_criterion_judges_members_and_pilots():
    config = small(success="train_loss<=100", lr_per_width=True, steps="2it")
    result, metrics = done(widen_experiment(config, PROBLEM.task))
    assert result.success_criterion == "train_loss <= 100"
    assert all(entry.success_rate == 1 for entry in result.widths)
    assert metrics["width-000002-pilot-1"]["failures"] == 0


def test_a_criterion_must_be_measured():
    with pytest.raises(BadInput, match="did you mean 'train_accuracy'"):
        success_criterion(small(success="train_acuracy>=0.9"), PROBLEM.task)
    online = replace(
        PROBLEM.task,
        train=Split(PROBLEM.task.train.x[:0], PROBLEM.task.train.y[:0]),
        stream=lambda seeds, step, batch: (np.zeros(()), np.zeros(())),
    )
    with pytest.raises(BadInput, match="measures no 'loss'"):
        success_criterion(small(success="loss<=0.1"), online)
    assert success_criterion(small(success="test_loss<=0.1"), online).metric == "test_loss"
    assert success_criterion(small(), PROBLEM.task) is PROBLEM.task.criterion


@pytest.mark.parametrize("changes", [{"lazy": True}, {"parametrization": "ntk"}, {"parametrization": "mup:base=4"}])
def test_fixed_outgoing_weights_have_no_parametrization(changes):
    task = relu_teacher.load(3)
    values = {"init": "lecun-normal", "optimizer": "gd", "batch_size": "full", "dtype": "float64"}
    with pytest.raises(BadInput, match="outgoing weights are fixed"):
        widen_experiment(small(**values, **changes), task)


def test_two_widths_share_no_draw():
    experiment = widen_experiment(small(), PROBLEM.task)
    names = {work.setting.model.name for work in experiment.works}
    assert len(names) == 2  # the architecture is in every seed
