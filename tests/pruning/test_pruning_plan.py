import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.units import alive
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.masks import full_masks, prune
from escapedim.pruning.pruning_plan import ARMS, CONTROLS, counted, expected_counts, survivors_after

from .strategies import fractions, make_network, make_plan, make_shapes, sizes


def half_even(number: Fraction) -> int:
    """Round in integers: to the nearest, and halves to the even neighbour."""
    twice, down = number * 2, number.numerator // number.denominator
    if twice == 2 * down + 1:
        return down + down % 2
    return down + (twice > 2 * down + 1)


def independent(counts: list[int], rates: list[Fraction], rounds: int) -> list[list[int]]:
    """Survivors by layer, round after round, never fewer than one."""
    table = [counts]
    for _ in range(rounds):
        pairs = zip(table[-1], rates, strict=True)
        table.append([max(1, count - half_even(rate * count)) for count, rate in pairs])
    return table


def layer_counts(sizes: tuple[int, ...], rounds: int) -> list[list[int]]:
    weights = [inputs * units for inputs, units in itertools.pairwise(sizes)]
    return independent(weights, [Fraction(1, 5)] * (len(weights) - 1) + [Fraction(1, 10)], rounds)


LENETS = [(784, 300, 100, 10), (64, 300, 100, 10)]


def test_half_even_rounds_as_documented():
    assert [half_even(Fraction(n, 2)) for n in range(8)] == [0, 0, 1, 2, 2, 2, 3, 4]
    assert [half_even(Fraction(n, 5)) for n in range(6)] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("sizes", LENETS)
def test_lenet_loses_a_fifth_a_round_and_its_output_layer_a_tenth(sizes):
    plan, shapes = make_plan(sizes, rounds=20, fraction=0.2, output=0.1), make_shapes(sizes)
    expected = [dict(zip(shapes, row, strict=True)) for row in layer_counts(sizes, 20)]
    assert expected_counts(plan, make_network(sizes)) == expected


def test_the_first_rounds_of_lenet_by_hand():
    table = layer_counts((784, 300, 100, 10), 2)
    assert table == [[235_200, 30_000, 1000], [188_160, 24_000, 900], [150_528, 19_200, 810]]


@pytest.mark.parametrize("sizes", LENETS)
def test_masks_of_twenty_rounds_have_exactly_these_counts(sizes):
    plan, shapes = make_plan(sizes, rounds=20, fraction=0.2, output=0.1), make_shapes(sizes)
    network = make_network(sizes)
    masks, random = full_masks(network), np.random.default_rng(0)
    for row in layer_counts(sizes, 20)[1:]:
        masks = prune(plan, network, masks, {name: random.random(shape) for name, shape in shapes.items()})
        assert [int(mask.sum()) for mask in masks.values()] == row


def test_global_scope_takes_the_first_fraction_of_all_weights():
    sizes = (64, 300, 100, 10)
    plan = make_plan(sizes, rounds=12, fraction=0.2, output=0.1, scope="global")
    expected = independent([64 * 300 + 300 * 100 + 100 * 10], [Fraction(1, 5)], 12)
    assert expected_counts(plan, make_network(sizes)) == [{"all": row[0]} for row in expected]


def test_unit_granularity_counts_hidden_units():
    sizes, rate = (64, 300, 100, 10), Fraction(1, 4)
    network, shapes = make_network(sizes), make_shapes(sizes)
    by_layer = independent([300, 100], [rate, rate], 8)
    plan = make_plan(sizes, rounds=8, fraction=0.25, granularity="unit")
    assert expected_counts(plan, network) == [dict(zip(list(shapes)[:2], row, strict=True)) for row in by_layer]
    in_all = independent([400], [rate], 8)
    plan = make_plan(sizes, rounds=8, fraction=0.25, granularity="unit", scope="global")
    assert expected_counts(plan, network) == [{"all": row[0]} for row in in_all]
    masks, random = full_masks(network), np.random.default_rng(0)
    for row in in_all[1:]:
        scores = {name: random.random(shape[0]) for name, shape in list(shapes.items())[:-1]}
        masks = prune(plan, network, masks, scores)
        living = alive(network, masks)
        assert [sum(int(living[name].sum()) for name in scores)] == row


@pytest.mark.parametrize("density", [0.5, 0.1, 0.0213])
def test_one_shot_density_leaves_its_share(density):
    sizes, share = (64, 30, 10), Fraction(str(density))
    network, weights = make_network(sizes), [64 * 30, 300]
    plan = make_plan(sizes, rounds=1, density=density)
    expected = [max(1, half_even(share * count)) for count in weights]
    assert list(expected_counts(plan, network)[1].values()) == expected
    plan = make_plan(sizes, rounds=1, density=density, scope="global")
    assert expected_counts(plan, network)[1] == {"all": half_even(share * sum(weights))}


@settings(deadline=None)
@given(sizes, fractions, st.integers(1, 30), st.sampled_from(["weight", "unit"]))
def test_in_layer_scope_no_layer_is_emptied(sizes, fraction, rounds, granularity):
    plan = make_plan(sizes, rounds=rounds, fraction=fraction, granularity=granularity)
    network = make_network(sizes)
    table = expected_counts(plan, network)
    assert len(table) == rounds + 1
    assert table[0] == counted(plan, network)
    assert all(count >= 1 for row in table for count in row.values())
    for before, after in itertools.pairwise(table):
        assert all(after[name] <= before[name] for name in before)


@settings(deadline=None)
@given(sizes, st.floats(0.001, 0.999))
def test_no_density_empties_a_layer(sizes, density):
    row = expected_counts(make_plan(sizes, rounds=1, density=density), make_network(sizes))[1]
    assert all(count >= 1 for count in row.values())


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 99))
def test_a_round_removes_the_rounded_share_and_not_one_more(count, percent):
    exact = Fraction(percent, 100) * count
    removed = count - survivors_after(count, percent / 100)
    assert abs(removed - exact) <= Fraction(1, 2)


def test_controls_are_all_arms_but_the_ticket():
    assert ("ticket", *CONTROLS) == ARMS
    assert PruneConfig.model_fields["arms"].default == ARMS
