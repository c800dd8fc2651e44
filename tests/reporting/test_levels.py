import pytest

from escapedim.reporting import levels
from tests.reporting.widen_cases import everything, level, teacher, widen, width


def entry(number, found, members=1000):
    return width(number, members, 0, {"bad minimum": members}, levels=found)


def table(entries, columns=100):
    return levels.table(widen(entries).result, columns)


def test_a_known_table_cell_by_cell():
    found = [
        level(0.0128731, 300),
        level(0.02, 2, "plateau saddle", smallest_eigenvalue=1e-12, negative_directions=None, marginal=True),
    ]
    assert table([entry(6, found), entry(12, [level(0.031, 12, "saddle", smallest_eigenvalue=None)])]) == [
        "Losses of certified endings, equal ones together:",
        "width  ending                loss  of 1,000  share, % (interval)    smallest    negative",
        "                                    members                       eigenvalue  directions",
        "─" * 88,
        "    6  bad minimum       0.012873       300  30.0 (27.2 to 32.9)      0.0123           0",
        "    6  plateau saddle ~      0.02         2     0.2 (0.1 to 0.7)       1e-12           -",
        "   12  saddle               0.031        12     1.2 (0.7 to 2.1)           -           0",
        "~ marginal: an eigenvalue cannot be told from 0",
    ]


def test_without_certified_endings_there_is_no_table():
    assert table([width(2, 10, 0, {"undecided": 10})]) == []


def test_global_minima_are_left_out():
    both = [level(1e-9, 900, "global minimum"), level(0.01, 100)]
    assert "other than global minima" in table([entry(6, both)])[0]
    assert not any("global minimum" in line for line in table([entry(6, both)])[1:])
    assert table([entry(6, both[:1])]) == []


def test_the_most_frequent_levels_are_listed_by_width_and_the_others_counted():
    many = [entry(number, [level(0.01 * k, 10 * k + number) for k in range(1, 9)]) for number in (2, 3)]
    lines = table(many)
    assert lines[0] == "Losses of certified endings, the 12 most frequent levels; 4 more are in the JSON:"
    rows = [line.split() for line in lines[4:]]
    assert [(row[0], row[3]) for row in rows] == [(n, f"0.0{k}") for n in "23" for k in (8, 7, 6, 5, 4, 3)]


def test_a_single_level_more_is_one():
    assert "; 1 more is in the JSON:" in table([entry(6, [level(0.01 * k, 20 - k) for k in range(1, 14)])])[0]


def test_many_widths_leave_fewer_rows():
    lines = levels.table(everything().result, 100)
    assert "the 6 most frequent levels; 74 more are in the JSON:" in lines[0]


def test_members_that_differ_between_widths_are_told_in_each_row():
    lines = table([entry(6, [level(0.1, 3)]), entry(7, [level(0.1, 3)], 50)])
    assert [line.split()[4:7] for line in lines[-2:]] == [["3", "of", "1,000"], ["3", "of", "50"]]


def test_a_count_that_cannot_be_a_share_is_no_rate():
    assert table([entry(6, [level(0.1, 7)], members=5)])[-1].split()[5] == "-"


@pytest.mark.parametrize("columns", [72, 80, 100])
@pytest.mark.parametrize("summary", [teacher(), everything()])
def test_the_table_keeps_the_width_and_loses_nothing(summary, columns):
    lines = levels.table(summary.result, columns)
    assert max(map(len, lines)) <= columns
    assert sum(" to " in line for line in lines) == (7 if len(summary.result.widths) == 4 else 6)
