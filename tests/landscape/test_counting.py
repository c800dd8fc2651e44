"""Closed forms against enumeration of what they count."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice, pairwise, product

import pytest

from escapedim.errors import BadInput
from escapedim.landscape.counting import bell_numbers, counts, surjection_rows

SMALL = [(r, m) for m in range(1, 8) for r in range(1, m + 1)]


def onto(r: int, m: int) -> int:
    """All maps of m units onto r, by trying them."""
    return sum(set(image) == set(range(r)) for image in product(range(r), repeat=m))


def partitions(items: tuple[int, ...]) -> int:
    """Set partitions, by putting the first item into every block or alone."""

    def place(rest: tuple[int, ...], blocks: list[list[int]]) -> int:
        if not rest:
            return 1
        first, after = rest[0], rest[1:]
        total = place(after, [*blocks, [first]])
        for index in range(len(blocks)):
            grown = [[*block, first] if number == index else block for number, block in enumerate(blocks)]
            total += place(after, grown)
        return total

    return place(items, [])


def labelled(r: int, m: int) -> int:
    """Every unit either copies one of r units, all of them used, or lies in a group of redundant units."""
    total = 0
    for image in product(range(r + 1), repeat=m):
        if set(range(r)) <= set(image):
            total += partitions(tuple(unit for unit, target in enumerate(image) if target == r))
    return total


@pytest.mark.parametrize(("r", "m"), SMALL)
def test_surjections_by_brute_force(r, m):
    assert next(islice(surjection_rows(r), m, None))[r] == onto(r, m)


@pytest.mark.parametrize(("r", "m"), SMALL)
def test_global_subspaces_by_brute_force(r, m):
    (found,) = counts(r, [m])
    assert (found.global_minima, found.critical) == (labelled(r, m), sum(onto(k, m) for k in range(1, r)))


def test_bell_numbers_by_brute_force():
    assert bell_numbers(7) == [partitions(tuple(range(n))) for n in range(8)]


def test_at_the_minimal_width_only_permutations_are_global():
    assert [counts(r, [r])[0].global_minima for r in range(1, 6)] == [1, 2, 6, 24, 120]


def test_the_ratio_falls_with_width():
    ratios = [found.ratio for found in counts(4, range(4, 40))]
    assert all(after < before for before, after in pairwise(ratios))
    assert ratios[0] == Fraction(onto(1, 4) + onto(2, 4) + onto(3, 4), 24)


def test_large_widths_are_exact_integers():
    assert next(islice(surjection_rows(3), 300, None)) == [0, 1, 2**300 - 2, 3**300 - 3 * 2**300 + 3]


@pytest.mark.parametrize(("minimal", "width"), [(0, 4), (5, 4), (4, 1001), (-1, 3)])
def test_widths_out_of_range(minimal, width):
    with pytest.raises(BadInput, match=r"--(minimal|widths)"):
        counts(minimal, [width])
