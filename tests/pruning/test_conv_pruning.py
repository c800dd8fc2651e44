"""Pruning of convolutional nets: whole channels with all that belongs to them, and every promise of a round."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from escapedim.models.conv import ConvNet, conv_2
from escapedim.models.families import Wanted
from escapedim.models.units import alive, norms
from escapedim.pruning.masks import full_masks, prune, shuffle
from escapedim.pruning.pruning_plan import PruningPlan, expected_counts
from escapedim.training.data import Data

from ..training.plain import Toy, toy, toy_task
from .strategies import ARMS, make_plan
from .test_round_work import INVARIANTS, Runner

IMAGE, PLACES = (1, 4, 7), 6  # which the maximum leaves of each channel
NETWORK = conv_2(Wanted(IMAGE, 3, "relu", "glorot-normal", True), 4)
GROUPS = dict(zip(NETWORK.prunable, (4, 4, 16, 16), strict=False))


def plan_of(**changes) -> PruningPlan:
    fractions = dict.fromkeys(NETWORK.prunable, changes.pop("fraction", 0.3))
    return make_plan((1, 1), **{"fractions": fractions, "rounds": 4, **changes})


def by_units(first: np.ndarray, second: np.ndarray, third: np.ndarray, fourth: np.ndarray) -> dict[str, np.ndarray]:
    """Masks in which everything into and out of units that are not kept is gone, written out layer by layer."""
    kernels = np.ones((3, 3), bool)
    pixels, outputs = np.ones(1, bool), np.ones(3, bool)
    return {
        "conv1.weight": np.multiply.outer(np.outer(first, pixels), kernels),
        "conv2.weight": np.multiply.outer(np.outer(second, first), kernels),
        "dense1.weight": np.outer(third, np.repeat(second, PLACES)),
        "dense2.weight": np.outer(fourth, third),
        "output.weight": np.outer(outputs, fourth),
    }


def is_whole(masks: dict[str, np.ndarray], kept: dict[str, np.ndarray]) -> bool:
    expected = by_units(*(kept[name] for name in GROUPS))
    return all(np.array_equal(masks[name], mask) for name, mask in expected.items())


def kept_units(masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: masks[name].reshape(len(masks[name]), -1).any(1) for name in GROUPS}


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_whole_channels_are_removed_in_exact_numbers(scope):
    plan, random = plan_of(granularity="unit", scope=scope), np.random.default_rng(1)
    masks = full_masks(NETWORK)
    counts = expected_counts(plan, NETWORK)
    assert counts[0] == (GROUPS if scope == "layer" else {"all": 40})
    for before, after in itertools.pairwise(counts):
        scores = {name: random.random(units) for name, units in GROUPS.items()}
        last, kept = kept_units(masks), {}
        masks = prune(plan, NETWORK, masks, scores)
        kept = kept_units(masks)
        assert is_whole(masks, kept)
        assert all(not (kept[name] & ~last[name]).any() for name in GROUPS)
        found = {name: int(units.sum()) for name, units in kept.items()}
        assert (found if scope == "layer" else {"all": sum(found.values())}) == after
        assert sum(before.values()) > sum(after.values())
        if scope == "layer":
            for name, units in kept.items():
                worst = scores[name][units].min()
                assert (scores[name][last[name] & ~units] < worst).all()
        living = alive(NETWORK, masks)
        assert all(np.array_equal(living[name], kept[name]) for name in GROUPS)
        assert living["output.weight"].all()


def test_a_shuffle_of_channels_has_whole_channels_and_as_many():
    plan, random = plan_of(granularity="unit", fraction=0.5), np.random.default_rng(2)
    masks = prune(plan, NETWORK, full_masks(NETWORK), {name: random.random(units) for name, units in GROUPS.items()})
    shuffled = shuffle(plan, NETWORK, masks, random)
    before, after = kept_units(masks), kept_units(shuffled)
    assert is_whole(shuffled, after)
    assert [units.sum() for units in after.values()] == [units.sum() for units in before.values()] == [2, 2, 8, 8]
    assert any(not np.array_equal(before[name], after[name]) for name in GROUPS)


def test_a_channel_is_scored_by_the_product_of_the_norms_of_what_comes_in_and_goes_out():
    random = np.random.default_rng(3)
    layers = {name: random.normal(size=NETWORK.shapes[name]) for name in NETWORK.prunable}
    found = norms(NETWORK, layers)
    assert {name: len(scores) for name, scores in found.items()} == GROUPS

    def size(values: np.ndarray) -> float:
        return math.sqrt(sum(float(value) ** 2 for value in values.ravel()))

    for channel in range(4):
        incoming, outgoing = layers["conv1.weight"][channel], layers["conv2.weight"][:, channel]
        assert found["conv1.weight"][channel] == pytest.approx(size(incoming) * size(outgoing), rel=1e-13)
        places = layers["dense1.weight"][:, [channel * PLACES + place for place in range(PLACES)]]
        expected = size(layers["conv2.weight"][channel]) * size(places)
        assert found["conv2.weight"][channel] == pytest.approx(expected, rel=1e-13)
    for unit in range(16):
        expected = size(layers["dense1.weight"][unit]) * size(layers["dense2.weight"][:, unit])
        assert found["dense1.weight"][unit] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_weights_of_kernels_are_removed_as_those_of_matrices(scope):
    plan, random = plan_of(scope=scope), np.random.default_rng(4)
    masks = full_masks(NETWORK)
    for after in expected_counts(plan, NETWORK)[1:]:
        scores = {name: random.random(NETWORK.shapes[name]) for name in masks}
        last, masks = masks, prune(plan, NETWORK, masks, scores)
        assert all(not (masks[name] & ~last[name]).any() for name in masks)
        found = {name: int(mask.sum()) for name, mask in masks.items()}
        assert (found if scope == "layer" else {"all": sum(found.values())}) == after
        parts = [{name} for name in masks] if scope == "layer" else [set(masks)]
        for names in parts:
            removed = np.concatenate([scores[name][last[name] & ~masks[name]] for name in names])
            left = np.concatenate([scores[name][masks[name]] for name in names])
            assert removed.max() < left.min()


# Rounds.


def images(dtype: str = "float64") -> Toy:
    task = replace(toy_task(inputs=math.prod(IMAGE)), identity={"name": "images"})
    problem = toy(optimizer="adam", lr=0.01, steps=30, dtype=dtype)
    model = ConvNet(IMAGE, ((3, 4),), (6,), 3, "relu")
    return Toy(task, Data.of(task, dtype, "cpu"), model, problem.recipe)  # type: ignore[arg-type]


@pytest.mark.parametrize("criterion", ["magnitude", "snip"])
@pytest.mark.parametrize("granularity", ["weight", "unit"])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_three_rounds_on_images_keep_every_promise(scope, granularity, criterion):
    problem = images()
    network = problem.model
    plan = make_plan(
        (1, 1),
        rounds=3,
        fractions=dict.fromkeys(network.prunable, 0.3),
        scope=scope,
        granularity=granularity,
        criterion=criterion,
    )
    runner = Runner(problem, plan).run(3)
    for number, (metrics, expected) in enumerate(zip(runner.metrics, expected_counts(plan, network), strict=True)):
        assert metrics["invariants"] == INVARIANTS
        assert list(metrics["arms"]) == (list(ARMS) if number else ["dense"])
        found = metrics["surviving"] if granularity == "weight" else metrics["units_alive"]
        if granularity == "unit":
            found = {name: count for name, count in found.items() if name != network.output_layer}
        assert (found if scope == "layer" else {"all": sum(found.values())}) == expected
        assert metrics["arms"]["ticket" if number else "dense"]["train_loss"] < 5
    for last, number in itertools.pairwise((1, 2, 3)):
        inner, outer = runner.masks(number), runner.masks(last)
        assert not any((inner[name] & ~outer[name]).any() for name in inner)
        end = runner.weights(number, "ticket.end")
        assert not any(end[name][~mask].any() for name, mask in inner.items())
        assert all(end[name][mask].any() for name, mask in inner.items())
