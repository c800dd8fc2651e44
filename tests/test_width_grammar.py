from __future__ import annotations

import pytest

from escapedim.errors import BadInput
from escapedim.width_grammar import parse_widths


@pytest.mark.parametrize(
    ("text", "widths"),
    [("5", (5,)), ("2:4", (2, 3, 4)), ("2:3, 8,16:17", (2, 3, 8, 16, 17)), ("7:7", (7,))],
)
def test_ranges_include_both_ends(text, widths):
    assert parse_widths(text) == widths


@pytest.mark.parametrize("text", ["", "a", "2:", "-1", "1.5", "2:3:4", "0", "3,2", "4,4", "5:2", "2:4,3", "1:5000"])
def test_refused_in_one_sentence(text):
    with pytest.raises(BadInput, match="widths"):
        parse_widths(text)
