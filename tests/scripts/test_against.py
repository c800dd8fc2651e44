import copy
import json

import pytest

from escapedim.errors import BadInput


@pytest.fixture(scope="module")
def against(script):
    return script("benchmarking.against")


def ratio(value, least, most):
    return {"ratio": value, "min": least, "max": most}


REPORT = {
    "schema": "escapedim.benchmark/2",
    "cores": 2,
    "cpu": "one",
    "versions": {"torch": "2.13.0"},
    "scale": {"rounds": 1, "repeats": 5},
    "rows": {
        "steps": [{"members": 8, "plain_ms": {"median": 1.0}, "shared": {"ratio": ratio(4.0, 3.9, 4.1)}}],
        "rounds": [{"inputs": "784", "network": "mlp", "round": 13, "ratio": ratio(6.0, 5.5, 6.5)}],
        "small": {"one_core": {"plain_ratio": ratio(8.0, 7.0, 9.0)}},
    },
}


def changed(shared):
    report = copy.deepcopy(REPORT)
    report["rows"]["steps"][0]["shared"]["ratio"] = shared
    report["rows"]["steps"][0]["plain_ms"]["median"] = 100.0
    return report


@pytest.mark.parametrize(
    ("shared", "verdict"),
    [
        (ratio(2.0, 1.9, 2.1), "slower"),
        (ratio(6.0, 5.9, 6.1), "faster"),
        (ratio(3.8, 3.7, 4.0), "as before"),
        (ratio(4.2, 4.15, 4.3), "as before"),  # within a tenth
    ],
)
def test_only_ratios_are_compared_and_ranges_that_meet_say_nothing(against, shared, verdict):
    found = {change.name: change for change in against.changes(changed(shared), REPORT)}
    assert list(found) == [
        "steps / members 8 / shared / ratio",
        "rounds / 784, mlp, round 13 / ratio",
        "small / one_core / plain_ratio",
    ]
    assert found["steps / members 8 / shared / ratio"].verdict == verdict
    assert found["small / one_core / plain_ratio"].verdict == "as before"


def test_what_one_report_lacks_is_left_out(against, tmp_path):
    other = copy.deepcopy(REPORT)
    del other["rows"]["steps"], other["rows"]["rounds"]
    assert [change.name for change in against.changes(REPORT, other)] == ["small / one_core / plain_ratio"]
    del other["rows"]["small"]
    lines = [line for block in against.against_blocks(tmp_path, against.changes(REPORT, other)) for line in block.lines]
    assert lines[-1] == "The two runs have no ratio in common: measure the same rows."


def test_the_table_is_at_most_80_columns_wide(against, tmp_path):
    blocks = against.against_blocks(tmp_path / "before.json", against.changes(changed(ratio(2.0, 1.9, 2.1)), REPORT))
    lines = [line for block in blocks for line in block.lines]
    assert "Ratios against before.json" in lines
    assert any(line.split()[-3:] == ["4.00", "2.00", "slower"] for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("text", "message"), [(None, "No such file"), ("{", "Expecting"), ('{"schema": "x"}', "expected a report")]
)
def test_what_is_no_report_is_refused(against, tmp_path, text, message):
    file = tmp_path / "before.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadInput, match=message):
        against.read_report(file)


def test_a_written_report_is_read(against, tmp_path):
    file = tmp_path / "before.json"
    file.write_text(json.dumps(REPORT))
    assert against.read_report(file) == REPORT


def test_ratios_with_escapedim_on_both_sides_are_left_out(against):
    """A dense step that is quicker alone would make every pruned one look slower."""
    own = copy.deepcopy(REPORT)
    own["rows"]["rounds"][0]["dense_ratio"] = ratio(2.0, 1.9, 2.1)
    own["rows"]["scale"] = {"jobs_ratio": ratio(1.9, 1.8, 2.0)}
    own["rows"]["gpu"] = [{"network": "mlp", "ratio": ratio(100.0, 99.0, 101.0)}]
    names = [change.name for change in against.changes(own, own)]
    assert names == [change.name for change in against.changes(REPORT, REPORT)]


def test_runs_of_different_work_are_warned_of(against, tmp_path):
    other = copy.deepcopy(REPORT)
    other["scale"] |= {"rounds": 10, "repeats": 3}
    other["versions"]["torch"] = "2.8.0"
    assert against.unlike(REPORT, REPORT) == []
    found = against.unlike(REPORT, other)
    assert found == ["torch 2.13.0 and not 2.8.0", "rounds 1 and not 10"]
    blocks = against.against_blocks(tmp_path / "x.json", against.changes(REPORT, other), found)
    assert "what follows compares different work" in " ".join(line for block in blocks for line in block.lines)


@pytest.mark.parametrize("report", [{}, {"rows": {}}, {"rows": [], "scale": {}}])
def test_a_report_without_its_parts_is_refused_before_anything_is_measured(against, tmp_path, report):
    (tmp_path / "x.json").write_text(json.dumps({"schema": "escapedim.benchmark/2", **report}))
    with pytest.raises(BadInput, match="expected a report of this benchmark"):
        against.read_report(tmp_path / "x.json")
