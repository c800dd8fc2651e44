from __future__ import annotations

import pytest
from scipy import stats

from escapedim.comparison.margins import rate_below
from escapedim.comparison.power import needed


def test_as_many_networks_as_are_needed_decide():
    """Of 80 networks 1 contradicts: too few to reject 5 % at the level of eight tests, at first."""
    p = rate_below(1, 80, 0.05)
    found = needed(80, [(0.9, None), (p, None)], 0.005, 8)
    assert found is not None
    assert rate_below(round(found / 80), found, 0.05) < 0.005 / 8
    assert rate_below(round(found / 160), found // 2, 0.05) > 0.005 / 8


def test_it_is_the_square_of_the_ratio_of_scores():
    p = float(stats.norm.sf(1.0))
    times = (stats.norm.isf(0.005 / 4) / 1.0) ** 2
    assert needed(100, [(p, None)], 0.005, 4) == pytest.approx(100 * times, rel=0.1)


def test_a_claim_takes_all_of_its_tests():
    """The prediction that is left must be shown too: the weaker of both decides how many it takes."""
    strong, weak = float(stats.norm.sf(2.0)), float(stats.norm.sf(1.0))
    assert needed(100, [(strong, weak), (0.9, 0.9)], 0.005, 4) == needed(100, [(weak, None)], 0.005, 4)
    assert needed(100, [(strong, 0.9), (0.9, strong)], 0.005, 4) is None


@pytest.mark.parametrize("claims", [[(None, 0.1), (0.01, None)], [(0.5, None), (0.9, None)], [(0.4999999, None)], []])
def test_at_the_border_and_without_a_test_no_number_decides(claims):
    assert needed(100, claims, 0.005, 8) is None
    assert needed(0, [(0.01, None)], 0.005, 8) is None


def test_what_is_decided_needs_no_more():
    assert needed(100, [(1e-9, None)], 0.005, 8) is None
