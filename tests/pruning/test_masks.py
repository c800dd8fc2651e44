import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from escapedim.models.units import alive
from escapedim.pruning.masks import full_masks, prune, shuffle
from escapedim.pruning.pruning_plan import expected_counts, left_in_all

from .strategies import arrays, deep_sizes, fractions, make_network, make_plan, make_shapes, sizes, values


def network_of(masks: dict[str, np.ndarray]) -> Network:
    """The net that has such layers."""
    shapes = [mask.shape for mask in masks.values()]
    return make_network((shapes[0][1], *(units for units, _ in shapes)))


SCOPES = st.sampled_from(["layer", "global"])


@st.composite
def rounds(draw, granularity="weight"):
    """A plan and the scores of each of its rounds."""
    shape = draw(sizes if granularity == "weight" else deep_sizes)
    plan = make_plan(
        shape,
        rounds=draw(st.integers(1, 4)),
        fraction=draw(fractions),
        output=draw(fractions),
        scope=draw(SCOPES),
        granularity=granularity,
    )
    network, shapes = make_network(shape), make_shapes(shape)
    scored = shapes if granularity == "weight" else {name: s[:1] for name, s in list(shapes.items())[:-1]}
    return plan, network, [draw(arrays(scored, values, float)) for _ in range(plan.rounds)]


def lowest_first(survivors: list[tuple], scores: dict) -> list[tuple]:
    """Places (layer number, flat index) by score, scores that are not numbers last, ties by place."""

    def rank(place):
        name, index = place
        value = scores[name].flat[index]
        return (math.isnan(value), 0 if math.isnan(value) else value, *place)

    return sorted(survivors, key=rank)


def places(masks: dict) -> list[tuple]:
    return [(name, index) for name, mask in masks.items() for index in range(mask.size) if mask.flat[index]]


def remove_by_brute_force(masks: dict, scores: dict, counts: dict[str, int]) -> set[tuple]:
    """Survivors after removing the lowest one by one until the counts are reached."""
    groups = {"all": places(masks)} if "all" in counts else {n: places({n: mask}) for n, mask in masks.items()}
    left = set()
    for name, group in groups.items():
        ranked = lowest_first(group, scores)
        while len(ranked) > counts[name]:
            ranked.pop(0)
        left |= set(ranked)
    return left


@settings(deadline=None)
@given(rounds())
def test_the_lowest_scores_of_the_survivors_are_removed_in_exact_numbers(case):
    plan, network, scores = case
    masks, shapes = full_masks(network), {name: network.shapes[name] for name in network.prunable}
    for expected, scored in zip(expected_counts(plan, network)[1:], scores, strict=True):
        last = masks
        masks = prune(plan, network, masks, scored)
        assert set(places(masks)) == remove_by_brute_force(last, scored, expected)
        assert all(not (mask & ~last[name]).any() for name, mask in masks.items())
        assert {name: mask.shape for name, mask in masks.items()} == shapes
        assert all(mask.dtype == bool for mask in masks.values())


@settings(deadline=None)
@given(rounds("unit"))
def test_whole_units_are_removed(case):
    plan, network, scores = case
    shapes = {name: network.shapes[name] for name in network.prunable}
    masks, names = full_masks(network), list(shapes)
    units = {name: np.ones(shape[0], bool) for name, shape in list(shapes.items())[:-1]}
    for expected, scored in zip(expected_counts(plan, network)[1:], scores, strict=True):
        left = remove_by_brute_force(units, scored, expected)
        if plan.scope == "global" and {name for name, _ in left} != set(units):
            return  # an emptied layer: nothing is alive beyond it
        last, masks = masks, prune(plan, network, masks, scored)
        units = {name: np.array([(name, n) in left for n in range(len(kept))]) for name, kept in units.items()}
        outgoing = [*units.values(), np.ones(shapes[names[-1]][0], bool)]
        incoming = [np.ones(shapes[names[0]][1], bool), *units.values()]
        for name, rows, columns in zip(names, outgoing, incoming, strict=True):
            assert np.array_equal(masks[name], np.outer(rows, columns))
            assert not (masks[name] & ~last[name]).any()


def test_ties_fall_from_the_lowest_flat_index():
    plan, network = make_plan((3, 4), fraction=0.5), make_network((3, 4))
    masks = prune(plan, network, full_masks(network), {"layer1.weight": np.ones((4, 3))})
    assert masks["layer1.weight"].ravel().tolist() == [False] * 6 + [True] * 6
    plan, network = make_plan((2, 2, 2), fraction=0.75, scope="global"), make_network((2, 2, 2))
    scores = {name: np.zeros((2, 2)) for name in ("layer1.weight", "layer2.weight")}
    masks = prune(plan, network, full_masks(network), scores)
    assert [mask.ravel().tolist() for mask in masks.values()] == [[False] * 4, [False, False, True, True]]


def test_scores_that_are_not_numbers_are_kept_longest():
    plan, network = make_plan((4, 1), fraction=0.5), make_network((4, 1))
    scores = {"layer1.weight": np.array([[np.nan, np.inf, -np.inf, 3.0]])}
    assert prune(plan, network, full_masks(network), scores)["layer1.weight"].tolist() == [[True, True, False, False]]
    nothing = {"layer1.weight": np.full((1, 4), np.nan)}
    assert prune(plan, network, full_masks(network), nothing)["layer1.weight"].tolist() == [[False, False, True, True]]


def test_pruning_changes_neither_masks_nor_scores():
    for granularity, shape in (("weight", (3, 4)), ("unit", (3,))):
        plan, network = make_plan((4, 3, 2), fraction=0.4, granularity=granularity), make_network((4, 3, 2))
        masks = full_masks(network)
        scores = {"layer1.weight": np.arange(np.prod(shape)).reshape(shape) * -1.0}
        if granularity == "weight":
            scores["layer2.weight"] = np.zeros((2, 3))
        before = {name: values.copy() for name, values in scores.items()}
        prune(plan, network, masks, scores)
        assert all(mask.all() for mask in masks.values())
        assert all(np.array_equal(values, before[name]) for name, values in scores.items())


@settings(deadline=None)
@given(sizes.flatmap(lambda s: arrays(make_shapes(s), st.booleans(), bool)), st.integers(0, 2**32))
def test_a_shuffle_keeps_every_layers_count(masks, seed):
    plan, network = make_plan((1, 1)), network_of(masks)
    before = {name: mask.copy() for name, mask in masks.items()}
    shuffled = shuffle(plan, network, masks, np.random.default_rng(seed))
    counts = [{name: (mask.shape, int(mask.sum())) for name, mask in some.items()} for some in (shuffled, before)]
    assert counts[0] == counts[1]
    assert all(np.array_equal(masks[name], before[name]) for name in masks)


@settings(deadline=None)
@given(rounds("unit"), st.integers(0, 2**32))
def test_a_shuffle_of_units_keeps_every_layers_number_of_units(case, seed):
    plan, network, scores = case
    masks = prune(plan, network, full_masks(network), scores[0])
    living = alive(network, masks)
    shuffled = alive(network, shuffle(plan, network, masks, np.random.default_rng(seed)))
    assert [int(shuffled[name].sum()) for name in scores[0]] == [int(living[name].sum()) for name in scores[0]]


def test_a_shuffle_of_units_has_whole_units():
    network = make_network((5, 40, 30, 3))
    plan = make_plan((5, 40, 30, 3), fraction=0.5, granularity="unit")
    scores = {"layer1.weight": np.arange(40.0), "layer2.weight": np.arange(30.0)}
    masks = prune(plan, network, full_masks(network), scores)
    shuffled = shuffle(plan, network, masks, np.random.default_rng(0))
    first, second = (shuffled[name].any(1) for name in ("layer1.weight", "layer2.weight"))
    assert np.array_equal(shuffled["layer1.weight"], np.outer(first, np.ones(5, bool)))
    assert np.array_equal(shuffled["layer2.weight"], np.outer(second, first))
    assert np.array_equal(shuffled["layer3.weight"], np.outer(np.ones(3, bool), second))
    assert not np.array_equal(shuffled["layer1.weight"], masks["layer1.weight"])


def test_a_shuffle_moves_survivors_to_every_place():
    plan, network, mask = make_plan((4, 3)), make_network((4, 3)), np.zeros((3, 4), bool)
    mask[0, :3] = True
    random = np.random.default_rng(0)
    frequency = np.mean(
        [shuffle(plan, network, {"layer1.weight": mask}, random)["layer1.weight"] for _ in range(4000)], axis=0
    )
    np.testing.assert_allclose(frequency, 0.25, atol=6 * math.sqrt(0.25 * 0.75 / 4000))


@settings(deadline=None)
@given(sizes.flatmap(lambda s: arrays(make_shapes(s), st.booleans(), bool)))
def test_living_units_have_a_way_in_and_a_way_out(masks):
    names, living = list(masks), alive(network_of(masks), masks)
    for number, name in enumerate(names):
        expected = []
        for unit in range(len(masks[name])):
            way_in = any(masks[name][unit, source] for source in range(masks[name].shape[1]))
            after = masks[names[number + 1]] if number + 1 < len(names) else None
            way_out = after is None or any(after[target, unit] for target in range(len(after)))
            expected.append(way_in and way_out)
        assert living[name].tolist() == expected


@pytest.mark.parametrize("density", [0.5, 0.2, 0.03])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_one_shot_pruning_keeps_the_highest_scores(density, scope):
    plan, network = make_plan((10, 8, 4), rounds=1, density=density, scope=scope), make_network((10, 8, 4))
    random = np.random.default_rng(3)
    scores = {name: random.normal(size=shape) for name, shape in make_shapes((10, 8, 4)).items()}
    masks = prune(plan, network, full_masks(network), scores)
    assert set(places(masks)) == remove_by_brute_force(full_masks(network), scores, expected_counts(plan, network)[1])
    if scope == "global":
        assert (
            sum(int(mask.sum()) for mask in masks.values())
            == left_in_all(plan, 112, 112, len(masks))
            == round(112 * density)
        )


LONE = ReluStudent(3, 5)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_units_with_fixed_outgoing_weights_are_removed_with_all_that_comes_in(scope):
    plan = make_plan((3, 5), rounds=2, fraction=0.4, granularity="unit", scope=scope)
    scores = {"layer1.weight": np.array([3.0, 1.0, 4.0, 1.0, 5.0])}
    once = prune(plan, LONE, full_masks(LONE), scores)
    twice = prune(plan, LONE, once, scores)
    kept = [[unit for unit in range(5) if masks["layer1.weight"][unit].any()] for masks in (once, twice)]
    assert kept == [[0, 2, 4], [2, 4]]
    assert all((mask.all(1) == mask.any(1)).all() for masks in (once, twice) for mask in masks.values())
    assert [list(counts.values()) for counts in expected_counts(plan, LONE)] == [[5], [3], [2]]
    assert alive(LONE, twice)["layer1.weight"].sum() == 2
    assert shuffle(plan, LONE, twice, np.random.default_rng(0))["layer1.weight"].any(1).sum() == 2
