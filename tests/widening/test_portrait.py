"""The loss around a bad minimum and the path that leaves it, against closed forms and differences of our own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from escapedim.landscape.vocabulary import Ending
from escapedim.records.experiments import Portrait
from escapedim.training.data import Data
from escapedim.training.work import Context
from escapedim.widening.portrait import GROWTH, POINTS, PortraitWork
from escapedim.widening.sources import sources

from .runs import THREE, Ran, planned, student_hessian, student_loss, students

CERTIFIED: dict[str, Any] = {"steps": "8000it", "replicates": 5}


def drawn(found: Ran) -> Portrait:
    (entry,) = found.result.escape
    assert entry.portrait is not None
    return entry.portrait


def work(found: Ran) -> PortraitWork:
    made = found.one("escape-width-000002-", "-portrait-of-")
    assert isinstance(made, PortraitWork)
    return made


def points(found: Ran) -> tuple[np.ndarray, np.ndarray]:
    """The first source `(units, inputs)`, and the same with a unit split: rows in turn, by our own halves."""
    begin = work(found).widened
    chosen = begin.choice(begin.narrow.model, found.arrays)
    polished = sources(begin.narrow.model, chosen, THREE)
    parent = int(begin.embedded(polished.rows, chosen.replicates).parents["layer1.weight"][0, 0])
    narrow = polished.rows[0].numpy().reshape(2, 3)
    return narrow, halved(narrow, parent)


def halved(rows: np.ndarray, parent: int) -> np.ndarray:
    wide = np.concatenate([rows, rows[parent : parent + 1] / 2])
    wide[parent] /= 2
    return wide


def test_it_is_of_the_first_bad_minimum_that_a_split_left_for_a_global_one():
    found = students(**CERTIFIED)
    (entry,) = found.result.escape
    assert entry.source_ending == Ending.BAD_MINIMUM.value
    assert drawn(found).replicate == entry.replicates[0]
    assert drawn(found).path_loss[0] == pytest.approx(entry.loss_before[0], rel=1e-5)
    assert drawn(found).path_loss[-1] == pytest.approx(entry.loss_after[0], rel=1e-4)


def test_curvatures_and_losses_are_those_of_the_closed_form():
    found = students(**CERTIFIED)
    portrait, (narrow, wide) = drawn(found), points(found)
    old_values, old = np.linalg.eigh(student_hessian(narrow))
    added_values, added = np.linalg.eigh(student_hessian(wide))
    assert portrait.old_curvature == pytest.approx(old_values[0], abs=1e-5)
    assert portrait.added_curvature == pytest.approx(added_values[0], abs=1e-5)
    assert old_values[0] > 0 > added_values[0]
    along = student_loss(narrow + portrait.old[-1] * scaled(found, old[:, 0]).reshape(2, 3))
    assert portrait.loss[POINTS // 2][-1] == pytest.approx(along, rel=1e-4)
    for at in (0, POINTS // 4, POINTS - 1):
        both = [student_loss(wide + sign * portrait.added[at] * added[:, 0].reshape(3, 3)) for sign in (1, -1)]
        assert any(portrait.loss[at][POINTS // 2] == pytest.approx(loss, rel=1e-4) for loss in both)


def scaled(found: Ran, direction: np.ndarray) -> np.ndarray:
    """A direction of the narrow network, as far as one of length 1 in the wide one goes, either way round."""
    begin = work(found).widened
    chosen = begin.choice(begin.narrow.model, found.arrays)
    parent = int(begin.embedded(chosen.rows, chosen.replicates).parents["layer1.weight"][0, 0])
    direction = direction / np.linalg.norm(halved(direction.reshape(2, 3), parent))
    narrow, _ = points(found)
    portrait = drawn(found)
    losses = [student_loss(narrow + sign * portrait.old[-1] * direction.reshape(2, 3)) for sign in (1, -1)]
    return direction if abs(losses[0] - portrait.loss[POINTS // 2][-1]) < abs(
        losses[1] - portrait.loss[POINTS // 2][-1]
    ) else -direction  # fmt: skip


def test_the_point_is_a_minimum_along_the_old_direction_and_a_maximum_along_the_added_one():
    portrait = drawn(students(**CERTIFIED))
    middle = POINTS // 2
    along_old, along_added = portrait.loss[middle], [row[middle] for row in portrait.loss]
    assert min(along_old) == along_old[middle]
    assert along_added[middle] > max(along_added[middle - 1], along_added[middle + 1])
    assert portrait.old[middle] == portrait.added[middle] == 0
    assert portrait.added[-1] > portrait.path_added[-1] > 0  # drawn so that the path goes the positive way


def test_the_path_is_that_of_the_widened_member():
    """Looked at in the plane: where it began, and where its siblings' stack has left it."""
    found = students(**CERTIFIED)
    portrait, (_, wide) = drawn(found), points(found)
    assert portrait.path_step[:3] == [0, 1, 2]
    steps = np.array(portrait.path_step[10:-1])
    assert (steps[1:] / steps[:-1] < GROWTH**2).all()
    final = found.arrays[work(found).stack.key]["layer1.weight"][0]
    assert portrait.path_loss[-1] == pytest.approx(student_loss(final), rel=1e-5)
    shadow = np.hypot(portrait.path_old[-1], portrait.path_added[-1])
    assert shadow <= np.linalg.norm(final - wide) + 1e-9


def test_without_a_bad_minimum_or_another_embedding_there_is_none():
    for other in (planned(students(**CERTIFIED), **CERTIFIED, embedding="split:alpha=0.3"), students(steps="20it")):
        assert all(entry.portrait is None for entry in other.result.escape)


def test_it_pauses_and_goes_on_to_the_same(monkeypatch):
    found = students(**CERTIFIED)
    unit, earlier = work(found), {key: found.arrays[key] for key in work(found).needs}
    whole, steps = found.metrics[unit.key], iter(range(10**6))
    data = Data.of(THREE, "float64", "cpu")
    paused = unit(Context(THREE, data, "cpu", lambda done: next(steps) == 100), earlier, None)
    assert paused.metrics is None
    again = unit(Context(THREE, data, "cpu", lambda done: False), earlier, paused.arrays)
    assert again.metrics == whole


def test_embeddings_other_than_a_split_have_no_work_for_it():
    keys = [unit.key for unit in planned(students(**CERTIFIED), **CERTIFIED, escape=False).experiment.works]
    assert not any("portrait" in key for key in keys)
