from __future__ import annotations

import pytest
from scipy import stats

from escapedim.comparison import counted
from escapedim.widening.shares import paired, share


@pytest.mark.parametrize(("count", "of"), [(0, 5), (3, 7), (7, 7)])
def test_a_share_has_its_denominator_and_wilsons_interval(count, of):
    found = share([True] * count + [False] * (of - count))
    expected = stats.binomtest(count, of).proportion_ci(0.95, method="wilson")
    assert (found.count, found.of, found.rate) == (count, of, count / of)
    assert found.interval == pytest.approx((expected.low, expected.high))
    assert counted.share(count, of) == found


def test_of_none_there_is_no_rate():
    found = share([])
    assert (found.count, found.of, found.rate, found.interval) == (0, 0, None, None)


def test_the_same_members_under_two_treatments():
    first = [True, True, True, False, False, True, False]
    second = [True, False, False, True, False, False, False]
    found = paired(first, second)
    assert (found.both, found.first_only, found.second_only, found.neither) == (1, 3, 1, 2)
    assert found.p == pytest.approx(stats.binomtest(3, 4, 0.5).pvalue)
    assert paired([True], [True]).p is None
    with pytest.raises(ValueError, match="zip"):
        paired([True], [])
