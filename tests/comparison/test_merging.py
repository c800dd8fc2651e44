from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.comparison.merging import check_members, is_split, merged
from escapedim.errors import BadInput
from escapedim.records.results import WidenResult

from .cases import escape, isolation, lottery, widen


def test_one_summary_is_itself():
    only = widen()
    assert merged([("a", only)]) is only.result
    assert not is_split([("a", only)])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=4))
def test_counts_and_levels_add_up(parts):
    """`parts` are failures at widths 6 and 7 of 50 members each, of as many root seeds."""
    named = [
        (str(seed), widen({6: one, 7: other}, 50, seed=seed, identity=f"{seed:016x}"))
        for seed, (one, other) in enumerate(parts)
    ]
    check_members(named)
    result = merged(named)
    for at, entry in enumerate(result.widths):
        failed = sum(part[at] for part in parts)
        assert (entry.members, entry.successes) == (50 * len(parts), 50 * len(parts) - failed)
        assert entry.endings == {"global minimum": entry.successes, "bad minimum": failed}
        assert {level.ending: level.members for level in entry.levels} == entry.endings
        assert entry.loss_quantiles.median is None
        assert entry.median_steps is None
    WidenResult.model_validate(result.model_dump(mode="json"))
    assert is_split(named)


def test_other_widths_of_the_same_seed_are_more_of_one_study():
    named = [("a", widen({6: 5, 7: 3})), ("b", widen({8: 2}, identity="b" * 16, isolation=[isolation(8, 5, 5, 0, 0)]))]
    check_members(named)
    assert [entry.width for entry in merged(named).widths] == [6, 7, 8]
    assert len(merged(named).isolation) == 1
    assert not is_split(named)
    assert merged(named).widths[0].loss_quantiles.median == 0.001


def test_levels_that_differ_by_more_than_rounding_stay_apart():
    def one(loss: float, seed: int) -> tuple[str, object]:
        made = widen({6: 10}, 50, seed=seed, identity=f"{seed:016x}")
        level = made.result.widths[0].levels[1].model_copy(update={"loss": loss})
        entry = made.result.widths[0].model_copy(update={"levels": [level]})
        return str(seed), made.model_copy(update={"result": made.result.model_copy(update={"widths": [entry]})})

    together = merged([one(0.1, 0), one(0.1 + 1e-9, 1)]).widths[0].levels
    assert [(level.loss, level.members) for level in together] == [(0.1, 20)]
    apart = merged([one(0.1, 0), one(0.1001, 1)]).widths[0].levels
    assert [level.members for level in apart] == [10, 10]


def test_members_are_counted_once():
    with pytest.raises(BadInput, match="is the same run as a"):
        check_members([("a", lottery()), ("b", lottery())])
    with pytest.raises(BadInput, match="replicates 0 to 999 of width 6, seed 0, and so has a"):
        check_members([("a", widen({6: 5})), ("b", widen({6: 9}, identity="b" * 16))])
    again = widen({7: 9}, identity="b" * 16, escape=[escape(6, 5, 0, 10)])
    with pytest.raises(BadInput, match="failed replicate 0 of width 6, seed 0, widened by split"):
        check_members([("a", widen({6: 50}, escape=[escape(6, 5, 0, 10)])), ("b", again)])
    check_members([("a", widen({6: 5})), ("b", widen({6: 9}, identity="b" * 16, seed=1))])
