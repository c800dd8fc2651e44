import io

import pytest
from rich.console import Console

from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import block, encodable, prose, write


def test_sentences_are_broken_at_the_width_but_not_inside_a_number():
    text = f"Tickets match within 0.5{TIE}points down to 98.22{TIE}±{TIE}0.17{TIE}% of it."
    assert prose(text, 30) == ["Tickets match within", "0.5 points down to", "98.22 ± 0.17 % of it."]


def test_later_lines_may_be_indented_and_wide_terminals_get_no_longer_lines():
    lines = prose("word " * 50, 400, indent="  ")
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith("  word")


def test_blocks_are_set_apart_by_one_line_and_empty_ones_vanish():
    stream = io.StringIO()
    write(Console(file=stream, width=10), [block(["one [bold]"]), block([]), block(["x" * 30, "two"])])
    assert stream.getvalue() == f"one [bold]\n\n{'x' * 30}\ntwo\n"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "98 ± 1 × 2 ─ é"), ("latin-1", "98 +- 1 x 2 - é"), ("ascii", "98 +- 1 x 2 - ?")],
)
def test_a_log_in_a_narrow_encoding_stays_readable(encoding, expected):
    assert encodable("98 ± 1 × 2 ─ é", encoding) == expected


def test_control_characters_of_a_path_do_not_reach_the_terminal():
    assert encodable("runs/\x1b[31mred\n", "utf-8") == "runs/?[31mred"
