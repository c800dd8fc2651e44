"""Members of a finished run: their rows from its checkpoints, which of them are widened, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from escapedim.errors import BadInput
from escapedim.landscape.vocabulary import Ending
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.records.finished import FinishedRun
from escapedim.tasks.base import Criterion
from escapedim.training.experiment import TrainWork
from escapedim.training.work import Arrays, Context
from escapedim.widening.config import WidenFromConfig
from escapedim.widening.counted_members import WidthWork
from escapedim.widening.from_run import Finished, finished_members, widen_from_experiment
from escapedim.widening.parametrization import Scales
from escapedim.widening.sources import FAILED, sources
from escapedim.widening.stack import Setting
from tests.training.plain import VALUES, Toy, toy

from .runs import Ran, ran

DEEP = toy("cross-entropy", hidden=(5, 3), lr=0.2)
WIDTHS = {width: toy("cross-entropy", hidden=(width,), lr=0.2) for width in (2, 3)}


@dataclass(frozen=True)
class Stored(FinishedRun):
    """A finished run whose checkpoints are in memory."""

    stored: dict[str, tuple[Arrays, dict[str, Any]]]

    def checkpoints(self) -> dict[str, tuple[Arrays, dict[str, Any]]]:
        return self.stored


def stored(kind: str, problem: Toy, units: list[Any]) -> Stored:
    context = Context(problem.task, problem.data, "cpu", lambda steps: False)
    outcomes = {unit.key: unit(context, {}, None) for unit in units}
    found = {key: (outcome.arrays, outcome.metrics) for key, outcome in sorted(outcomes.items())}
    return Stored(Path("run.json"), SimpleNamespace(kind=kind), found)  # type: ignore[arg-type]


def trained(*stacks: tuple[int, ...], problem: Toy = DEEP, keep: tuple[int, ...] = (0, 10, 30)) -> Stored:
    units = [TrainWork(problem.model, problem.recipe, keep, 3, numbers) for numbers in stacks]
    return stored("train", problem, units)


def setting(problem: Toy) -> Setting:
    return Setting(problem.model, problem.recipe, Scales(None, None), problem.task.criterion, 3)


def row(arrays: Arrays, number: int, shapes: dict[str, tuple[int, ...]], prefix: str = "") -> np.ndarray:
    return np.concatenate([arrays[prefix + name][number].ravel() for name in shapes])


def test_members_of_a_train_run_are_its_final_weights_by_replicate():
    run = trained((0, 1), (2, 3, 4))
    ((model, found),) = finished_members(run, [DEEP.model], 30).items()
    assert model == DEEP.model
    assert found.replicates == [0, 1, 2, 3, 4]
    for key, at, number in (("replicates-000000-000001", 1, 1), ("replicates-000002-000004", 2, 4)):
        arrays, metrics = run.stored[key]
        assert np.array_equal(found.rows[number], row(arrays, at, DEEP.model.shapes, "step30."))
        assert not np.array_equal(found.rows[number], row(arrays, at, DEEP.model.shapes, "step0."))
        assert found.measured[number] == metrics["members"][at]


def test_members_of_a_widen_run_are_found_by_width_without_its_other_stacks():
    units = [WidthWork(setting(WIDTHS[2]), numbers, False) for numbers in ((0, 1), (2,))]
    run = stored("widen", WIDTHS[2], units)
    run.stored["width-000003-members-000000-000001"] = stored(
        "widen", WIDTHS[3], [WidthWork(setting(WIDTHS[3]), (0, 1), False)]
    ).stored["width-000003-members-000000-000001"]
    run.stored["escape-width-000002-by-001-split-noise-widened-of-000003-part-000000-000002"] = ({}, {"columns": {}})
    found = finished_members(run, [problem.model for problem in WIDTHS.values()], 30)
    replicates = {model: members.replicates for model, members in found.items()}
    assert replicates == {WIDTHS[2].model: [0, 1, 2], WIDTHS[3].model: [0, 1]}
    arrays, metrics = run.stored["width-000002-members-000002-000002"]
    assert np.array_equal(found[WIDTHS[2].model].rows[2], row(arrays, 0, WIDTHS[2].model.shapes))
    assert found[WIDTHS[2].model].measured[2]["train_loss"] == metrics["columns"]["train_loss"][0]
    only = finished_members(run, [WIDTHS[3].model], 30)
    assert list(only) == [WIDTHS[3].model]


@pytest.mark.parametrize(
    ("model", "steps", "message"),
    [
        (DEEP.model, 20, "layer1.weight (2, 5, 4), found nothing"),
        (MLP((4, 6, 3, 3), "tanh"), 30, "layer1.weight (2, 6, 4), found shape (2, 5, 4)"),
    ],
)
def test_checkpoints_of_other_networks_are_refused(model, steps, message):
    with pytest.raises(BadInput) as caught:
        finished_members(trained((0, 1)), [model], steps)
    assert str(caught.value) == (
        f"run.json: expected members of {model.name}, {message}; repeat the command that wrote it with --force."
    )


# Which members are widened.


def members(*measured: tuple[float | None, Ending], replicates: range = range(10, 20)) -> Finished:
    own = [{"train_loss": loss, "success": True, "ending": ending.value} for loss, ending in measured]
    return Finished(list(replicates)[: len(own)], np.arange(2.0 * len(own)).reshape(-1, 2), own)


FIVE = members(
    (0.5, Ending.BAD_MINIMUM),
    (0.1, Ending.GLOBAL_MINIMUM),
    (None, Ending.DIVERGED),
    (0.7, Ending.UNDECIDED),
    (0.6, Ending.SADDLE),
)
LOW = Criterion("train_loss", "<=", 0.2)


def test_members_that_fail_by_the_criterion_and_did_not_diverge_are_widened():
    judged = FIVE.judged(LOW)
    assert [one["success"] for one in judged.measured] == [False, True, False, False, False]
    assert [one["success"] for one in FIVE.measured] == [True] * 5
    given = judged.failed(40, "train_loss")
    assert given.replicates == (10, 13, 14)
    assert given.rows.tolist() == [[0, 1], [6, 7], [8, 9]]
    assert given.endings == (Ending.BAD_MINIMUM, Ending.UNDECIDED, Ending.SADDLE)
    assert given.losses == (0.5, 0.7, 0.6)


@pytest.mark.parametrize(("most", "replicates"), [(1, (10,)), (2, (10, 13)), (3, (10, 13, 14))])
def test_the_first_members_are_widened_and_at_most_so_many(most, replicates):
    assert FIVE.judged(LOW).failed(most, "train_loss").replicates == replicates


@pytest.mark.parametrize("comparison", ["<=", ">=", "<", ">"])
def test_a_loss_that_was_not_finite_meets_no_criterion(comparison):
    judged = FIVE.judged(Criterion("train_loss", comparison, 0.2))  # type: ignore[arg-type]
    assert judged.measured[2]["success"] is False


def test_with_no_failed_member_there_is_nothing_to_do_and_no_entry():
    given = FIVE.judged(Criterion("train_loss", "<=", 9)).failed(40, "train_loss")
    assert given.replicates == ()
    assert given.rows.shape == (0, 2)


# What comes of it.

NAMES = ("widened", "noise-only", "merged", "continued")


def config(hidden: tuple[int, ...] = (), **changes: object) -> WidenFromConfig:
    base = {**VALUES, "optimizer": "sgd", "lr": 0.2, "steps": "30it", "dtype": "float64", "activation": "tanh"}
    values = {**base, "task": "digits", "source": "train-0", "hidden": hidden, "success": "train_loss<=1e-9"}
    return WidenFromConfig(**{**values, **changes})  # type: ignore[arg-type]


def widened(layer: int, by: int, **changes: object) -> tuple[Ran, Finished]:
    run = trained((0, 1), (2,))
    networks = finished_members(run, [DEEP.model], 30)
    experiment = widen_from_experiment(config((5, 3), layer=layer, by=by, **changes), DEEP.task, networks)
    return ran(experiment, DEEP.task), networks[DEEP.model]


@pytest.mark.parametrize(("layer", "by", "sizes"), [(1, 1, (4, 6, 3, 3)), (2, 1, (4, 5, 4, 3)), (2, 3, (4, 5, 6, 3))])
def test_any_hidden_layer_grows_and_what_the_network_computes_stays(layer, by, sizes):
    found, finished = widened(layer, by)
    unit = found.one("escape", "-widened-")
    assert unit.setting.model.sizes == sizes
    begin = unit.begin
    chosen = begin.choice(DEEP.model, {})
    assert np.array_equal(chosen.rows.numpy(), finished.rows)
    wide = begin.embedded(sources(DEEP.model, chosen, DEEP.task).rows, chosen.replicates).flat
    x = DEEP.data.train.x

    def outputs(model: MLP, flat: torch.Tensor) -> torch.Tensor:
        views = Layout(model.shapes).views(flat)
        rows = [{name: view[n] for name, view in views.items()} for n in range(len(flat))]
        return torch.stack([model.apply(own, x) for own in rows])

    expected = outputs(DEEP.model, torch.from_numpy(finished.rows))
    torch.testing.assert_close(outputs(unit.setting.model, wide), expected, rtol=1e-12, atol=1e-12)
    (entry,) = found.result.escape
    assert (entry.from_width, entry.to_width, entry.layer, entry.by) == ((5, 3)[layer - 1], sizes[layer], layer, by)
    assert (entry.sources, entry.source_ending, entry.judged_by) == (3, FAILED, "success")
    assert entry.loss_before == pytest.approx([one["train_loss"] for one in finished.measured])


def test_fresh_controls_are_all_members_of_the_run_and_new_wide_draws():
    found, _ = widened(1, 1, sources=2)
    (entry,) = found.result.escape
    assert entry.replicates == [0, 1]
    assert entry.controls.fresh_narrow.of == 3
    assert entry.controls.fresh_wide.of == 2
    assert found.result.widths == []


def test_sources_that_are_widened_for_a_while():
    found, _ = widened(2, 1, transient="10it")
    (entry,) = found.result.transient
    assert (entry.width, entry.by, entry.steps, entry.sources) == (3, 1, 10, 3)
    steps = {name: found.metrics[found.one("transient", f"-{name}-").key]["columns"]["steps"] for name in NAMES}
    assert steps == {"widened": [10] * 3, "noise-only": [10] * 3, "merged": [30] * 3, "continued": [30] * 3}


def test_a_layer_that_is_not_there_is_refused():
    networks = finished_members(trained((0,)), [DEEP.model], 30)
    with pytest.raises(BadInput, match="expected a hidden layer from 1 to 2, found 3; choose one that it has"):
        widen_from_experiment(config((5, 3), layer=3), DEEP.task, networks)


def test_the_experiment_says_how_many_are_widened_by_the_criterion_that_was_asked_for():
    run = trained((0, 1), (2,))
    networks = finished_members(run, [DEEP.model], 30)
    labels = {}
    for success in ("train_loss<=1e-9", "train_loss<=1000"):
        labels[success] = widen_from_experiment(config((5, 3), success=success), DEEP.task, networks).label
    assert labels == {
        "train_loss<=1e-9": "3 failed networks, widened",
        "train_loss<=1000": "0 failed networks, widened",
    }


def test_without_a_training_set_sources_have_the_loss_of_the_test():
    online = replace(DEEP.task, stream=lambda seeds, step, batch: (np.zeros(()), np.zeros(())))
    found = finished_members(trained((0, 1)), [DEEP.model], 30)[DEEP.model]
    measured = [
        {**one, "train_loss": None, "test_loss": loss} for one, loss in zip(found.measured, (2, 3), strict=True)
    ]
    networks = {DEEP.model: replace(found, measured=measured)}
    experiment = widen_from_experiment(config((5, 3), success="test_loss<=2.5"), online, networks)
    begin = next(unit for unit in experiment.works if "-widened-" in unit.key).begin
    chosen = begin.choice(DEEP.model, {})
    assert (chosen.replicates, chosen.losses) == ([1], [3])


def test_networks_of_a_widen_run_have_an_entry_each():
    networks = {}
    for problem in WIDTHS.values():
        run = stored("widen", problem, [WidthWork(setting(problem), (0, 1, 2), False)])
        networks |= finished_members(run, [problem.model], 30)
    found = ran(widen_from_experiment(config(widths=(2, 3)), DEEP.task, networks), DEEP.task)
    assert [(one.from_width, one.to_width, one.sources) for one in found.result.escape] == [(2, 3, 3), (3, 4, 3)]
