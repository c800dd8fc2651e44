import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.reporting.bars import stacked


@pytest.mark.parametrize(
    ("counts", "cells", "bar"),
    [
        ({"G": 50, "B": 50}, 10, "GGGGGBBBBB"),
        ({"G": 999, "B": 1}, 10, "GGGGGGGGGB"),
        ({"G": 1, "B": 998, "D": 1}, 10, "GBBBBBBBBD"),
        ({"G": 2, "B": 1}, 4, "GGGB"),
        ({"G": 0, "B": 7}, 5, "BBBBB"),
        ({"G": 0}, 3, "   "),
        ({}, 3, "   "),
        ({"G": 1, "B": 1, "S": 1}, 2, "GBS"),
    ],
)
def test_known_bars(counts, cells, bar):
    assert stacked(counts, cells) == bar


letters = st.dictionaries(st.sampled_from("GBSPCTDU?"), st.integers(0, 2**62), max_size=9)


@given(letters, st.integers(9, 60))
def test_bars_add_up_to_their_width_and_show_whatever_occurs(counts, cells):
    bar = stacked(counts, cells)
    assert len(bar) == cells
    assert set(bar) - {" "} == {letter for letter, count in counts.items() if count}
    assert "".join(dict.fromkeys(bar)).strip() == "".join(letter for letter, count in counts.items() if count)


@given(letters, st.integers(9, 60))
def test_a_letter_is_off_its_share_by_no_more_than_the_rare_ones_take(counts, cells):
    bar, total = stacked(counts, cells), sum(counts.values())
    rare = sum(0 < count * cells < total for count in counts.values())
    for letter, count in counts.items():
        assert abs(bar.count(letter) - count * cells / max(total, 1)) <= rare + 1
