from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli


def test_table_and_json_tell_the_same(cli: Cli):
    text = cli("count", "--minimal", "2", "--widths", "2:3,5")
    document = json.loads(cli("count", "--minimal", "2", "--widths", "2:3,5", "--json").out)
    assert document["minimal"] == 2
    for row in document["widths"]:
        cells = [str(row["width"]), str(row["critical_subspaces"]), str(row["global_minima_subspaces"])]
        assert cells in [line.split()[:3] for line in text.out.splitlines()]


def test_one_unit_of_a_minimal_two_is_counted_by_hand(cli: Cli):
    # Width 2 from width 1: both units copies of the one. Global: the two orders.
    (row,) = json.loads(cli("count", "--minimal", "2", "--widths", "2", "--json").out)["widths"]
    assert (row["critical_subspaces"], row["global_minima_subspaces"], row["ratio"]) == (1, 2, 0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--minimal", "0"), "--minimal"),
        (("--widths", "3:5"), "--widths"),
        (("--widths", "5:4"), "increasing"),
        (("--widths", "x"), "2:12,16,32"),
    ],
)
def test_bad_input(cli: Cli, arguments, words):
    ended = cli("count", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1
