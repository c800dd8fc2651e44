"""Escape: sources, their embeddings and perturbations, and entries recomputed from the stacks by other formulas."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from escapedim.comparison.statistics import wilson
from escapedim.landscape.vocabulary import Ending
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.specs import parse_spec
from escapedim.tasks.base import Criterion, Split
from escapedim.widening.choice import BySuccess, rows_of
from escapedim.widening.config import WidenConfig
from escapedim.widening.embedding_names import EMBEDDINGS
from escapedim.widening.experiment import widen_experiment
from escapedim.widening.findings import Judge
from escapedim.widening.sources import FAILED, sources
from escapedim.widening.stack import ENDINGS, Setting, Starts
from tests.training.plain import LOSSES, loss_gradient, network, toy

from .runs import DESCENT, THREE, Ran, planned, ran, student_gradient, student_hessian, student_loss, students
from .test_config import config

CERTIFIED: dict[str, Any] = {"steps": "8000it", "replicates": 5}
SHORT: dict[str, Any] = {"steps": "60it", "replicates": 5, "widths": (2, 4)}
GAP = 1e-5  # of eigenvalues by differences


def changed(**changes: Any) -> Ran:
    return planned(students(**CERTIFIED), **CERTIFIED, **changes)


def arm(found: Ran, name: str, width: int = 2) -> Any:
    return found.one(f"escape-width-{width:06d}-", f"-{name}-of-")


def began(found: Ran, name: str) -> Starts:
    return found.began(arm(found, name), THREE)


def columns(found: Ran, name: str) -> dict[str, list[Any]]:
    metrics = found.metrics[arm(found, name).key]
    return {**metrics["columns"], **metrics}


def embedded(found: Ran) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Sources `(members, units, inputs)`, the same widened and not perturbed, and the units that were split."""
    begin = arm(found, "widened").begin
    chosen = begin.choice(begin.narrow.model, found.arrays)
    polished = sources(begin.narrow.model, chosen, THREE)
    made = begin.embedded(polished.rows, chosen.replicates)
    return (
        polished.rows.view(-1, 2, 3).numpy(),
        made.flat.view(-1, 3, 3).numpy(),
        made.parents["layer1.weight"][:, 0].tolist(),
    )


# Sources.


def test_sources_are_members_that_failed_and_did_not_diverge_by_replicate():
    model = MLP((1, 1, 1), "tanh")

    def stack(values: list[float], success: list[bool], endings: list[Ending]) -> dict[str, np.ndarray]:
        arrays = {name: np.zeros((len(values), *shape)) for name, shape in model.shapes.items()}
        arrays["layer1.weight"][:, 0, 0] = values
        numbers = np.array([ENDINGS.index(ending) for ending in endings])
        return {**arrays, "success": np.array(success), "ending": numbers, "loss": np.array(values)}

    stacks = {
        "late": stack([4, 5, 6], [False, True, False], [Ending.SADDLE, Ending.UNDECIDED, Ending.BAD_MINIMUM]),
        "early": stack([1, 2, 3], [False, False, False], [Ending.STALLED, Ending.DIVERGED, Ending.CHANNEL]),
    }
    choice = BySuccess((("late", (4, 5, 6)), ("early", (1, 2, 3))), success=False, start=1, stop=3)
    chosen = choice(model, stacks)
    assert chosen.replicates == [3, 4]
    assert chosen.rows[:, 0].tolist() == [3, 4]
    assert chosen.losses == [3, 4]
    assert chosen.endings == [Ending.CHANNEL, Ending.SADDLE]
    assert replace(choice, success=True, start=0)(model, stacks).replicates == [5]


def test_certified_sources_are_strict_minima_and_are_widened_there():
    found = students(**CERTIFIED)
    (entry,) = found.result.escape
    assert (entry.source_ending, entry.sources, entry.judged_by) == ("bad minimum", 5, "ending")
    for w, loss in zip(embedded(found)[0], entry.loss_before, strict=True):
        assert np.abs(student_gradient(w)).max() < 1e-9
        assert np.linalg.eigvalsh(student_hessian(w))[0] > 1e-3
        assert loss == pytest.approx(student_loss(w), rel=1e-9)


def test_members_without_a_certified_ending_go_on_from_where_they_stopped():
    found = students(**SHORT)
    entry = found.result.escape[0]
    assert (entry.source_ending, entry.judged_by, entry.sources) == ("failed", "success", 5)
    assert entry.reason == "no ending of theirs was certified"
    assert entry.critical is entry.escaped is entry.negative_directions is None
    assert entry.lambda_min is entry.opened_gradient is None
    stopped = found.arrays["width-000002-members-000000-000004"]["layer1.weight"]
    assert np.array_equal(embedded(found)[0], stopped)
    assert entry.loss_before == pytest.approx([student_loss(w) for w in stopped])


# Where members begin.


def test_a_split_keeps_the_function():
    narrow, wide, parents = embedded(students(**CERTIFIED))
    x = np.random.default_rng(0).normal(size=(200, 3))
    for w, v, parent in zip(narrow, wide, parents, strict=True):
        np.testing.assert_allclose(np.maximum(x @ v.T, 0).sum(1), np.maximum(x @ w.T, 0).sum(1), rtol=1e-13)
        np.testing.assert_array_equal(v[[parent, 2]], np.stack([w[parent] / 2] * 2))
    assert len(set(parents)) == 2


@pytest.mark.parametrize("size", [1e-4, 1e-2])
def test_noise_has_its_relative_size_and_is_each_members_own(size):
    found = changed(perturbation=f"noise:size={size}")
    narrow, wide, _ = embedded(found)
    for name, before in (("widened", wide), ("noise-only", narrow)):
        moved = began(found, name).rows.numpy() - before.reshape(5, -1)
        lengths = np.linalg.norm(moved, axis=1) / np.linalg.norm(before.reshape(5, -1), axis=1)
        assert lengths == pytest.approx([size] * 5, rel=1e-6)
        directions = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        assert np.abs(directions @ directions.T - np.eye(5)).max() < 0.999


def test_both_arms_draw_noise_from_the_same_seeds_and_see_the_same_data(monkeypatch):
    found, seeds = students(**CERTIFIED), []

    def noise(rows: Tensor, size: float, own: list[int]) -> Tensor:
        seeds.append(own)
        return torch.zeros_like(rows)

    monkeypatch.setattr("escapedim.widening.escape.noise", noise)
    starts = [began(found, name) for name in ("widened", "noise-only")]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 5
    assert starts[0].order_seeds == starts[1].order_seeds
    assert starts[0].labels["source"] == starts[1].labels["source"] == [0, 1, 2, 3, 4]
    assert not {*starts[0].order_seeds} & {*arm(found, "widened").begin.narrow.orders(range(5))}


def test_a_direction_is_that_of_the_most_negative_curvature_in_the_wide_network_only():
    found = changed(perturbation="direction:size=0.01")
    wide = embedded(found)[1]
    for v, row in zip(wide, began(found, "widened").rows.numpy(), strict=True):
        values, vectors = np.linalg.eigh(student_hessian(v))
        moved = row - v.ravel()
        assert values[0] < -0.1
        assert np.linalg.norm(moved) == pytest.approx(0.01 * np.linalg.norm(v), rel=1e-6)
        along = vectors[:, 0] @ moved / np.linalg.norm(moved)
        assert abs(along) == pytest.approx(1, abs=1e-6)
    alone = began(changed(perturbation="noise:size=0.01"), "noise-only").rows
    assert torch.equal(began(found, "noise-only").rows, alone)


def test_without_known_curvature_a_direction_is_noise(monkeypatch):
    noisy, along = (changed(perturbation=f"{name}:size=0.01") for name in ("noise", "direction"))
    assert not torch.equal(began(along, "widened").rows, began(noisy, "widened").rows)
    monkeypatch.setattr("escapedim.widening.escape.make_surface", lambda model, task: "there is none")
    assert torch.equal(began(along, "widened").rows, began(noisy, "widened").rows)


def test_fresh_members_are_drawn_for_the_sources_where_none_of_their_width_are_counted():
    found = students(**SHORT)
    unit = arm(found, "fresh-wide")
    rows = began(found, "fresh-wide").rows
    own: Setting = unit.setting
    assert own.width == 3
    assert len(np.unique(torch.cat([rows, own.drawn(range(5))]).numpy(), axis=0)) == 10
    assert not {*began(found, "fresh-wide").order_seeds} & {*own.orders(range(5))}
    controls = found.result.escape[0].controls
    assert controls.fresh_wide.of == controls.fresh_narrow.of == 5
    assert controls.fresh_wide.count == sum(found.metrics[unit.key]["columns"]["success"])


def test_fresh_members_are_the_counted_ones_where_there_are_some():
    found = students(**CERTIFIED)
    assert not [unit.key for unit in found.experiment.works if "fresh" in unit.key and "000002-by" in unit.key]
    (entry,) = found.result.escape
    for width, control in ((2, entry.controls.fresh_narrow), (3, entry.controls.fresh_wide)):
        endings = found.metrics[f"width-{width:06d}-members-000000-000004"]["columns"]["ending"]
        assert (control.count, control.of) == (endings.count("global minimum"), 5)


# What is found.


def test_negative_directions_are_those_of_the_wide_hessian_and_of_the_splits_identity():
    """At α = 1/2 a split adds the eigenvalues 2 λ(H_ii - I/2), the rest stays non-negative (science, section 3)."""
    found = students(**CERTIFIED)
    (entry,) = found.result.escape
    counts, least = [], []
    for w, v, parent in zip(*embedded(found), strict=True):
        values = np.linalg.eigvalsh(student_hessian(v))
        block = student_hessian(w)[3 * parent : 3 * parent + 3, 3 * parent : 3 * parent + 3]
        added = 2 * np.linalg.eigvalsh(block - np.eye(3) / 2)
        counts.append(int((values < -GAP).sum()))
        assert counts[-1] == (added < -GAP).sum()
        assert values[0] == pytest.approx(added[0], abs=GAP)
        least.append(values[0])
    own = columns(found, "widened")
    assert own["negative"] == counts
    assert own["smallest"] == pytest.approx(least, abs=GAP)
    assert entry.negative_directions is not None
    assert entry.negative_directions.model_dump() == {
        "min": min(counts),
        "median": float(np.median(counts)),
        "max": max(counts),
    }
    assert entry.lambda_min == min(own["smallest"])
    assert entry.opened_gradient == max(own["gradient"]) < 1e-9
    assert entry.critical is True
    assert entry.reason == ""


def test_a_certified_minimum_comes_back_from_noise_and_leaves_once_it_is_wide():
    found = students(**CERTIFIED)
    (entry,) = found.result.escape
    assert entry.loss_noise_only == pytest.approx(entry.loss_before, rel=1e-9)
    assert entry.controls.noise_only.count == 0
    assert entry.escaped is not None
    assert entry.escaped.count == 5
    assert entry.reached_global.count == 5  # as many units as the teacher has
    finals = found.arrays[arm(found, "widened").key]["layer1.weight"]
    assert entry.loss_after == pytest.approx([student_loss(w) for w in finals], rel=1e-6)


def test_members_that_stay_have_not_escaped():
    found = students(**CERTIFIED)
    wide, alone = arm(found, "widened").key, arm(found, "noise-only").key
    metrics = {**found.metrics, wide: {**found.metrics[wide]}}
    own, control = found.metrics[wide]["columns"], found.metrics[alone]["columns"]
    metrics[wide]["columns"] = {
        name: [*values[:3], *control[name][3:]] if name in ("level", "ending", "train_loss") else values
        for name, values in own.items()
    }
    (entry,) = Ran(found.experiment, metrics, found.arrays).result.escape
    assert entry.escaped is not None
    assert (entry.escaped.count, entry.escaped.of, entry.escaped.interval) == (3, 5, wilson(3, 5))
    assert (entry.reached_global.count, entry.reached_global.interval) == (3, wilson(3, 5))
    assert [(one.ending, one.members) for one in entry.landings] == [("global minimum", 3), ("bad minimum", 2)]
    assert (entry.against_noise.first_only, entry.against_noise.neither) == (3, 2)
    assert entry.against_noise.p == 2 * 0.5**3


def test_endings_decide_where_they_are_certified_and_a_global_minimum_is_known():
    members = [{"success": True, "ending": "stalled"}, {"success": False, "ending": "global minimum"}]
    unknown = toy("squared").task
    assert unknown.global_below is None
    for task, certified, by, reached in (
        (THREE, True, "ending", [False, True]),
        (THREE, False, "success", [True, False]),
        (unknown, True, "success", [True, False]),
    ):
        judge = Judge.of(task, certified)
        assert (judge.by, judge.all(members)) == (by, reached)


def test_without_a_training_set_losses_are_those_of_the_test():
    def stream(seeds: Sequence[int], step: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
        draws = np.stack([np.random.default_rng((seed, step)).normal(size=(batch, 4)) for seed in seeds])
        return draws, np.sin(draws[:, :, :3])

    none = Split(np.zeros((0, 4)), np.zeros((0, 3)))
    hopeless = Criterion("test_loss", "<=", 1e-9)
    task = replace(toy("squared").task, train=none, validation=none, stream=stream, criterion=hopeless)
    own = config(**{**DESCENT, "optimizer": "sgd", "batch_size": 8, "widths": (2,), "replicates": 3, "steps": "20it"})
    found = ran(widen_experiment(own, task), task)
    (entry,) = found.result.escape
    before = found.arrays["width-000002-members-000000-000002"]
    stages = {
        "loss_before": before,
        "loss_after": found.arrays[arm(found, "widened").key],
        "loss_noise_only": found.arrays[arm(found, "noise-only").key],
    }
    x, y = torch.from_numpy(task.test.x), torch.from_numpy(task.test.y)
    for name, arrays in stages.items():
        sizes = (4, arrays["layer1.weight"].shape[1], 3)
        parts = [arrays[part].reshape(3, -1) for part in MLP(sizes, "tanh").shapes]
        nets = [network(sizes, own.activation, torch.from_numpy(row)) for row in np.concatenate(parts, 1)]
        assert getattr(entry, name) == pytest.approx([LOSSES["squared"](net(x), y).item() for net in nets])


def test_each_class_of_sources_has_an_entry_of_its_own():
    found = students(**CERTIFIED)
    wide = arm(found, "widened").key
    classes = ["bad minimum", FAILED, "bad minimum", FAILED, "bad minimum"]
    metrics = {**found.metrics, wide: {**found.metrics[wide], "source_ending": classes}}
    entries = Ran(found.experiment, metrics, found.arrays).result.escape
    assert [(one.source_ending, one.replicates, one.judged_by) for one in entries] == [
        ("bad minimum", [0, 2, 4], "ending"),
        ("failed", [1, 3], "success"),
    ]
    (whole,) = found.result.escape
    for entry in entries:
        assert entry.loss_noise_only == [whole.loss_noise_only[n] for n in entry.replicates]
        assert entry.loss_before == [whole.loss_before[n] for n in entry.replicates]


def test_there_is_no_entry_before_all_is_done_nor_without_a_source():
    found = students(**CERTIFIED)
    assert [entry.from_width for entry in found.result.escape] == [2]  # every member of width 3 succeeds
    for key in (arm(found, "widened").key, arm(found, "noise-only").key, "width-000003-members-000000-000004"):
        metrics = {name: value for name, value in found.metrics.items() if name != key}
        assert Ran(found.experiment, metrics, found.arrays).result.escape == []


# Smooth networks with several outputs, against the Hessian of torch.


PROBLEM = toy("squared", hidden=(1,))
TASK = replace(PROBLEM.task, criterion=Criterion("train_loss", "<=", 1e-9))


@functools.cache
def minima(activation: str = "tanh") -> Ran:
    """Members with one hidden unit, at their minima, that all fail by a criterion that none can meet."""
    return ran(widen_experiment(smooth_config("split", activation, escape=False), TASK), TASK)


def smooth_config(embedding: str, activation: str, **changes: object) -> WidenConfig:
    values = {"widths": (1,), "replicates": 3, "steps": "1500it", "activation": activation, "seed": 0}
    return config(**{**DESCENT, "lr": 0.3, **values, "embedding": embedding, **changes})


@functools.cache
def smooth(embedding: str, activation: str = "tanh", **changes: Any) -> Ran:
    return ran(widen_experiment(smooth_config(embedding, activation, **changes), TASK), TASK, minima(activation))


def plain_loss(sizes: tuple[int, ...], row: Tensor) -> Tensor:
    """Mean squared error of a plain network, written for one row of parameters."""
    parts = Layout(MLP(sizes, "tanh").shapes).split(row)
    data = PROBLEM.data.train
    hidden = torch.tanh(data.x @ parts["layer1.weight"].T + parts["layer1.bias"])
    return LOSSES["squared"](hidden @ parts["layer2.weight"].T + parts["layer2.bias"], data.targets)


CASES = {"split:alpha=0.5": True, "split:alpha=0.3": True, "null": True, "null:drawn=true": False, "zero-in": False}


@pytest.mark.parametrize("embedding", CASES)
def test_what_an_embedding_opens_is_what_the_wide_network_has(embedding):
    found = smooth(embedding)
    (entry,) = found.result.escape
    unit = arm(found, "widened", 1)
    begin = unit.begin
    chosen = begin.choice(begin.narrow.model, found.arrays)
    wide = begin.embedded(sources(begin.narrow.model, chosen, TASK).rows, chosen.replicates).flat
    metrics, critical = found.metrics[unit.key], CASES[embedding]
    assert (entry.embedding, entry.critical, entry.judged_by) == (embedding.split(":")[0], critical, "success")
    assert entry.alpha == (float(embedding.split("=")[1]) if "alpha" in embedding else None)
    assert entry.sources == 3
    sizes = unit.setting.model.sizes
    assert sizes == (4, 2, 3)
    x, y = PROBLEM.data.train.x, PROBLEM.data.train.targets
    gradients = [loss_gradient(network(sizes, "tanh", row), "squared", x, y).norm().item() for row in wide]
    assert metrics["gradient"] == pytest.approx(gradients, rel=1e-6, abs=1e-9)
    assert entry.opened_gradient == max(metrics["gradient"])
    for row, loss in zip(wide, entry.loss_before, strict=True):
        assert plain_loss(sizes, row).item() == pytest.approx(loss, rel=1e-12)
    if not critical:
        assert min(gradients) > 1e-3
        assert metrics["negative"] == metrics["smallest"] == [None] * 3
        assert entry.negative_directions is entry.lambda_min is None
        assert entry.reason.endswith("weights have a gradient")
        return
    assert max(gradients) < 1e-8
    assert entry.reason == ""
    hessians = [torch.autograd.functional.hessian(functools.partial(plain_loss, sizes), row) for row in wide]
    spectra = [torch.linalg.eigvalsh(hessian) for hessian in hessians]
    assert metrics["negative"] == [int((values < -1e-8).sum()) for values in spectra]
    assert metrics["smallest"] == pytest.approx([values[0].item() for values in spectra], rel=1e-6, abs=1e-9)


def test_all_embeddings_are_tried():
    assert {parse_spec(name).name for name in CASES} == set(EMBEDDINGS)


def test_a_split_of_a_relu_unit_has_no_curvature_of_its_own_and_says_so():
    found = smooth("split", activation="relu")
    (entry,) = [entry for entry in found.result.escape if entry.source_ending != FAILED]
    assert entry.reason == "on a finite sample the split of a relu unit has no curvature of its own"


def test_several_units_are_added_and_keys_say_how():
    found = smooth("split:alpha=0.3", by=2)
    (entry,) = found.result.escape
    assert (entry.from_width, entry.by, entry.to_width) == (1, 2, 3)
    assert all("by-002-split-alpha-0.3-noise" in unit.key for unit in found.experiment.works if "esc" in unit.key)
    wide = found.arrays[arm(found, "widened", 1).key]
    assert rows_of(arm(found, "widened", 1).setting.model, wide).shape == (3, 4 * 3 + 3 + 3 * 3 + 3)
