import pytest

from escapedim.reporting.sweep import table
from tests.reporting.widen_cases import everything, widen, width


def trial(rate, loss, failures):
    return {"lr": rate, "members": 20, "median_loss": loss, "failures": failures}


def swept(number, taken, trials):
    return width(number, 100, 50, {"undecided": 100}, lr=taken, lr_sweep=trials)


SWEPT = widen(
    [
        swept(2, 0.01, [trial(0.001, 0.61, 19), trial(0.01, 0.3131, 4), trial(0.1, None, 20)]),
        swept(16, 0.001, [trial(0.01, 0.02, 1), trial(0.001, 0.01, 0)]),
    ]
).result


def test_a_known_table_cell_by_cell():
    assert table(SWEPT, 80) == [
        "Learning-rate sweep: median loss and failures of pilot members; * the rate that",
        "was taken.",
        "width        lr 0.001           lr 0.01         lr 0.1",
        "─" * 56,
        "    2  0.61, 19 of 20    0.313, 4 of 20 *  -, 20 of 20",
        "   16   0.01, 0 of 20 *   0.02, 1 of 20",
    ]


def test_a_narrow_table_has_two_lines_a_cell():
    assert table(SWEPT, 42)[-2:] == ["   16        0.01       0.02", "        0 of 20 *  1 of 20"]


def test_rates_of_their_own_make_a_paragraph_a_width():
    assert table(SWEPT, 30)[4:] == [
        "  width 2:",
        "    lr 0.001: 0.61 (19 of 20),",
        "    lr 0.01*: 0.313 (4 of 20),",
        "    lr 0.1: - (20 of 20)",
        "  width 16:",
        "    lr 0.001*: 0.01 (0 of 20),",
        "    lr 0.01: 0.02 (1 of 20)",
    ]
    lines = table(everything(sweep=True).result, 100)
    assert lines[1] == "  width 2: lr 0.0015: 0.0313 (4 of 20), lr 0.005*: 0.0313 (4 of 20), lr 0.015: 0.0313 (4 of 20)"


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_sweep_keeps_the_width(columns):
    assert max(map(len, table(everything(sweep=True).result, columns))) <= columns


def test_without_a_sweep_there_is_nothing():
    assert table(everything().result, 80) == []
