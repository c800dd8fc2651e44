"""Transient width: merging undoes the split, the control gets as many steps, and entries are recounted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from escapedim.comparison.statistics import wilson
from escapedim.errors import BadInput
from escapedim.models.layout import Layout
from escapedim.widening.config import WidenConfig
from escapedim.widening.sources import FAILED, sources

from .runs import THREE, Ran, student_config, student_experiment, student_loss, students

SETTINGS: dict[str, Any] = {
    "steps": "400it",
    "replicates": 4,
    "widths": (2,),
    "transient": "25%",
    "by": 2,
    "escape": False,
}


def stack(found: Ran, name: str) -> Any:
    return found.one("transient-width-000002", f"-{name}-of-")


def chosen_and_found(found: Ran) -> tuple[Any, Any, Any]:
    begin = stack(found, "widened").begin
    chosen = begin.choice(begin.narrow.model, found.arrays)
    return begin, chosen, sources(begin.narrow.model, chosen, THREE)


def test_members_that_were_not_trained_are_merged_back_to_the_last_digits():
    found = students(**SETTINGS)
    begin, chosen, polished = chosen_and_found(found)
    wide = begin.embedded(polished.rows, chosen.replicates)
    model = stack(found, "widened").setting.model
    arrays = {name: view.numpy() for name, view in Layout(model.shapes).views(wide.flat).items()}
    merged = stack(found, "merged")
    starts = merged.begin(merged.setting, THREE, {**found.arrays, stack(found, "widened").key: arrays})
    torch.testing.assert_close(starts.rows, polished.rows, rtol=1e-15, atol=0)
    assert {name: parents.shape for name, parents in wide.parents.items()} == {"layer1.weight": (4, 2)}


def test_members_that_were_trained_are_the_sums_of_their_copies():
    found = students(**SETTINGS)
    begin, chosen, polished = chosen_and_found(found)
    parents = begin.embedded(polished.rows, chosen.replicates).parents["layer1.weight"].tolist()
    trained = found.arrays[stack(found, "widened").key]["layer1.weight"]
    rows = found.began(stack(found, "merged"), THREE).rows.view(-1, 2, 3).numpy()
    for w, own, (first, second) in zip(trained, rows, parents, strict=True):
        groups = [[0], [1]]
        groups[first].append(2)
        next(group for group in groups if second in group).append(3)
        np.testing.assert_allclose(own, np.stack([w[group].sum(0) for group in groups]), rtol=1e-13)
    assert np.abs(rows - polished.rows.view(-1, 2, 3).numpy()).max() > 1e-3


def test_the_control_begins_with_the_same_sources_and_takes_as_many_steps():
    found = students(**SETTINGS)
    arms = {name: stack(found, name) for name in ("widened", "noise-only", "merged", "continued")}
    steps = {name: unit.setting.recipe.steps for name, unit in arms.items()}
    assert steps == {"widened": 100, "noise-only": 100, "merged": 400, "continued": 400}
    widths = {name: unit.setting.width for name, unit in arms.items()}
    assert widths == {"widened": 4, "noise-only": 2, "merged": 2, "continued": 2}
    own = {name: found.metrics[unit.key]["columns"]["steps"] for name, unit in arms.items()}
    assert own["widened"] == own["noise-only"] == [100] * 4
    assert own["merged"] == own["continued"] == [400] * 4
    starts = {name: found.began(unit, THREE) for name, unit in arms.items()}
    for one, other in (("widened", "noise-only"), ("merged", "continued")):
        assert starts[one].order_seeds == starts[other].order_seeds
        assert starts[one].labels["source"] == starts[other].labels["source"] == [0, 1, 2, 3]
    assert not {*starts["merged"].order_seeds} & {*starts["widened"].order_seeds}
    went_on = found.arrays[arms["noise-only"].key]["layer1.weight"]
    assert np.array_equal(starts["continued"].rows.numpy(), went_on.reshape(4, -1))


def test_the_wide_while_goes_on_where_the_escape_begins():
    found = students(**SETTINGS)
    escape = student_experiment(**{**SETTINGS, "escape": True})
    both = Ran(escape, found.metrics, found.arrays)
    for name in ("widened", "noise-only"):
        alike = both.one("escape-width-000002", f"-{name}-of-")
        assert torch.equal(both.began(alike, THREE).rows, found.began(stack(found, name), THREE).rows)


def test_the_entry_is_counted_from_its_stacks():
    found = students(**SETTINGS)
    (entry,) = found.result.transient
    merged, alone = (found.metrics[stack(found, name).key]["columns"] for name in ("merged", "continued"))
    assert (entry.width, entry.by, entry.steps, entry.sources) == (2, 2, 100, 4)
    assert (entry.source_ending, entry.judged_by) == (FAILED, "success")
    losses = [student_loss(w) for w in found.arrays[stack(found, "merged").key]["layer1.weight"]]
    assert merged["train_loss"] == pytest.approx(losses)
    assert entry.merged.count == sum(loss < 1e-3 for loss in losses) == 0
    assert (entry.noise_only.count, entry.noise_only.of) == (sum(alone["success"]), 4)
    assert entry.merged.interval == wilson(0, 4)
    assert (entry.against_noise.neither, entry.against_noise.p) == (4, None)
    assert sum(landing.members for landing in entry.landings) == 4


def test_pairs_are_told_apart_by_class_and_by_source():
    found = students(**SETTINGS)
    merged, alone = stack(found, "merged").key, stack(found, "continued").key
    metrics = {**found.metrics}
    won, control = [True, True, False, False], [True, False, False, True]
    for key, success in ((merged, won), (alone, control)):
        metrics[key] = {**metrics[key], "columns": {**metrics[key]["columns"], "success": success}}
    metrics[merged]["source_ending"] = ["bad minimum", FAILED, FAILED, FAILED]
    endings = metrics[merged]["columns"]["ending"]
    assert "global minimum" not in endings
    certified, failed = Ran(found.experiment, metrics, found.arrays).result.transient
    assert (certified.source_ending, certified.judged_by, certified.sources) == ("bad minimum", "ending", 1)
    assert (certified.merged.count, certified.against_noise.neither) == (0, 1)
    assert (failed.judged_by, failed.merged.count, failed.noise_only.count, failed.sources) == ("success", 1, 1, 3)
    assert (failed.against_noise.first_only, failed.against_noise.second_only, failed.against_noise.neither) == (
        1,
        1,
        1,
    )
    assert failed.against_noise.p == 1


@pytest.mark.parametrize("name", ["widened", "noise-only", "merged", "continued"])
def test_there_is_no_entry_before_all_is_done(name):
    found = students(**SETTINGS)
    key = stack(found, name).key
    metrics = {own: value for own, value in found.metrics.items() if own != key}
    assert Ran(found.experiment, metrics, found.arrays).result.transient == []


def test_with_no_failed_member_nothing_is_trained():
    found = students(**{**SETTINGS, "success": "train_loss<=1000"})
    assert found.result.transient == []
    for name in ("widened", "noise-only", "merged", "continued"):
        own = found.metrics[stack(found, name).key]
        assert (own["net_steps"], own["columns"]) == (0, {})


def resolved(transient: str) -> int | None:
    made: WidenConfig = student_config(steps="400it", transient=transient)
    return made.transient_steps(made.recipe(THREE))


@pytest.mark.parametrize(("written", "steps"), [("25%", 100), ("400it", 400), ("1it", 1), ("none", None)])
def test_steps_of_the_transient(written, steps):
    assert resolved(written) == steps


@pytest.mark.parametrize(("written", "found"), [("401it", "401"), ("0.1%", "0"), ("200%", "800")])
def test_a_transient_that_is_no_part_of_a_run_is_refused(written, found):
    with pytest.raises(
        BadInput, match=rf"transient: expected from 1 to 400 steps, .* found {written}, which is {found};"
    ):
        resolved(written)
