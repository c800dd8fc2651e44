"""Tables of every kind of result, as CSV and brief: the same numbers as in the summary."""

from __future__ import annotations

import copy
import csv
import io
from pathlib import Path
from typing import Any

import pytest

from escapedim.records.summary import Summary
from escapedim.reporting.export import csv_files
from escapedim.reporting.material import of_comparison, of_files
from escapedim.reporting.tables import collect
from escapedim.reporting.tables.brief import brief, numeric
from escapedim.reporting.tables.plain import Table, of_records
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import SPREAD, digits_rounds, lottery, train
from tests.reporting.experiment_cases import default, escape, halving, transient
from tests.reporting.rewind_cases import SUMMARY
from tests.reporting.widen_cases import rates, teacher, widen, width


def tables(summary: Summary) -> dict[str, Table]:
    (material,) = of_files([(Path("one.json"), summary)])
    return {table.name: table for _, table in collect.of_material(material)}


def records(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_rounds_by_arms():
    summary = lottery(digits_rounds())
    found = records(tables(summary)["rounds"])
    assert len(found) == 1 + 10 * 4
    row = next(one for one in found if (one["round"], one["arm"]) == (4, "shuffle"))
    values = summary.result.rounds[4].arms["shuffle"].test_accuracy
    assert row["test_accuracy_mean"] == pytest.approx(sum(values) / 5)
    mean = sum(SPREAD) / 5
    error = (sum((one - mean) ** 2 for one in SPREAD) / 4 / 5) ** 0.5
    assert row["test_accuracy_standard_error"] == pytest.approx(error)
    assert (row["test_accuracy_count"], row["test_accuracy_diverged"]) == (5, 0)
    contrasts = records(tables(summary)["contrasts"])
    assert contrasts[3]["difference"] == summary.result.rounds[4].contrast.difference
    assert (contrasts[3]["difference_low"], contrasts[3]["difference_high"]) == summary.result.rounds[
        4
    ].contrast.interval


def test_diverged_replicates_are_counted():
    rounds = digits_rounds(last=1)
    rounds[1]["arms"]["ticket"]["test_accuracy"] = [0.96, None, None, None, None]
    table = tables(lottery(rounds))["rounds"]
    row = records(table)[1]
    assert (row["test_accuracy_mean"], row["test_accuracy_standard_error"], row["test_accuracy_diverged"]) == (
        0.96,
        None,
        4,
    )
    shown = brief(table)
    assert shown.rows[1][shown.columns.index("test accuracy")] == "0.96 (4 diverged)"


def test_widths_with_their_endings():
    summary = teacher()
    found = records(tables(summary)["widths"])
    for row, entry in zip(found, summary.result.widths, strict=True):
        assert (row["successes"], row["success_rate"]) == (entry.successes, entry.success_rate)
        assert (row["success_low"], row["success_high"]) == entry.success_interval
        assert row["bad_minimum"] == entry.endings["bad minimum"]
    assert len(tables(summary)["levels"].rows) == sum(len(entry.levels) for entry in summary.result.widths)


def test_a_table_for_each_experiment():
    found = default() | {"transient": [transient(6, 10, 5, 1)], "step_halving": [halving(6)]}
    given = tables(widen([width(8, 100, 78, {"undecided": 100})], found=found))
    assert set(given) == {
        "widths", "isolation", "complement", "complement_index", "escape", "escape_members", "transient", "restarts",
        "step_halving",
    }  # fmt: skip
    assert records(given["complement_index"])[0]["A"] == 0.332
    assert records(given["isolation"])[0]["wins_given_none_count"] == 29
    assert len(given["escape_members"].rows) == sum(len(one["loss_before"]) for one in found["escape"])
    alone, first, *_ = records(given["complement"])
    assert (alone["rest"], alone["success_rate"], first["scale"], first["success_rate"]) == ("alone", 0.8825, 1, 0.8125)


def test_rewind_and_train():
    rewound = tables(Summary.model_validate(copy.deepcopy(SUMMARY)))
    assert set(rewound) == {"modes", "complements", "complement_contrasts", "barriers", "barrier_curves"}
    assert records(rewound["modes"])[0]["against_dense_difference"] == 0.004
    assert records(rewound["barriers"])[1]["barrier_mean"] == 0.05
    trained = tables(train())
    assert [row["replicate"] for row in records(trained["replicates"])] == list(range(5))
    assert records(trained["replicates"])[4]["test_accuracy"] is None


def test_a_comparison():
    found = [(name, table.name) for name, table in collect.of_material(of_comparison(comparison()))]
    assert found[:5] == [("compare", name) for name in ("rows", "measurements", "failures", "laws", "law_predictions")]
    assert ("lottery", "rounds") in found
    assert ("widen", "isolation") in found


def test_nothing_measured_is_no_table():
    assert tables(lottery([])) == {}
    assert set(tables(rates({}))) == set()
    assert of_records("x", "y", []) == []


def test_csv_reads_back_to_the_same_numbers():
    summary = teacher()
    (material,) = of_files([(Path("one.json"), summary)])
    found = csv_files.files([material])
    assert set(found) == {"one-widths.csv", "one-levels.csv", "one-thresholds.csv"}
    for row, entry in zip(read(found["one-widths.csv"]), summary.result.widths, strict=True):
        assert (int(row["width"]), float(row["success_rate"])) == (entry.width, entry.success_rate)
        assert (float(row["success_low"]), float(row["success_high"])) == entry.success_interval
        assert row["loss_q05"] == ""
    level = read(found["one-levels.csv"])[0]
    assert (level["ending"], level["marginal"]) == ("global minimum", "false")


def test_csv_names_of_a_comparison_and_of_equal_files():
    assert "compare-lottery-rounds.csv" in csv_files.files([of_comparison(comparison())])
    twice = of_files([(Path("a/x.json"), teacher()), (Path("b/x.json"), teacher())])
    assert {"x-widths.csv", "x-2-widths.csv"} <= set(csv_files.files(twice))


def test_cells_with_commas_quotes_and_lines_stay_one_cell():
    table = Table("t", "", ("a", "b"), (('x, "y"\nz', 1.0),))
    assert read(csv_files.encode(table)) == [{"a": 'x, "y"\nz', "b": "1.0"}]


def test_brief_joins_what_belongs_together():
    table = tables(widen([], found={"escape": [escape(4, 12, 9, 3)]}))["escape"]
    shown = brief(table)
    row = dict(zip(shown.columns, shown.rows[0], strict=True))
    assert row["reached global rate"] == "9 of 12: 0.75 (0.468 to 0.911)"
    assert row["alpha"] == "0.5"
    assert "escaped rate" not in row
    assert not {name for name in shown.columns if name.endswith(("low", "high", "count", " of"))}
    assert numeric(shown, shown.columns.index("reached global rate"))
    assert not numeric(shown, shown.columns.index("embedding"))


def test_brief_rates_without_a_name_and_values_without_an_interval():
    table = Table(
        "t", "", ("rate", "rate_low", "rate_high", "A", "A_low", "A_high"), ((0.5, 0.25, 0.75, 0.3, None, None),)
    )
    assert brief(table).rows == (("0.5 (0.25 to 0.75)", "0.3"),)
