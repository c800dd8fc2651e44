import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.cli.main import app, run
from escapedim.records.summary import encode
from escapedim.reporting.endings import LETTERS
from escapedim.reporting.widen import SCREEN_LINES, blocks
from tests.reporting.conftest import flat, text, train
from tests.reporting.widen_cases import (
    DIGITS,
    TEACHER_CONFIG,
    digits,
    everything,
    level,
    rates,
    teacher,
    thresholds,
    widen,
    width,
)

SUMMARIES = {
    "digits": digits(),
    "teacher": teacher(),
    "everything": everything(),
    "sweep": everything(sweep=True),
    "large": rates({2: 0, 10_000: 10**6}, 10**6),
    "one width": rates({6: 91}),
    "none": rates({}, status="interrupted"),
    "no member": widen([width(2, 0, 0, {})], status="running"),
}


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("name", SUMMARIES)
def test_no_line_is_longer_than_the_width_and_nothing_is_empty(name, columns):
    report = text(SUMMARIES[name], columns)
    assert max(map(len, report.splitlines())) <= columns
    assert not re.search(r"\b(nan|inf|None)\b", report)
    assert "\n\n\n" not in report


@pytest.mark.parametrize("summary", [digits(), teacher()])
def test_sixteen_widths_fit_on_one_screen(summary):
    assert len(text(summary, 100).splitlines()) <= SCREEN_LINES


def test_the_order_of_the_report():
    starts = [part.splitlines()[0][:22] for part in text(teacher(), 100).split("\n\n")]
    assert starts == [
        "relu-teacher:k=6, relu",
        "Success rises from 65.",
        "success rate in %",
        "width  parameters  suc",
        "Endings of the 1,000 m",
        "Losses of certified en",
        "Failures change with t",
        "Recipe: gd, lr 0.1, 10",
    ]


def test_blocks_that_say_nothing_are_left_out():
    report = text(rates({6: 91}), 80)
    assert report.count("\n\n") == 4
    assert "success rate in %" not in report
    assert "Losses" not in report


@pytest.mark.parametrize(
    ("summary", "heading"),
    [
        (digits(), "digits, relu; 16 widths (2 to 64) × 100 members; complete."),
        (rates({6: 91}), "digits, relu; 1 width (6) × 100 members; complete."),
        (
            rates({2: 1, 3: 4}, status="interrupted", config={**TEACHER_CONFIG, "hidden": None}),
            "relu-teacher:k=6, relu; 2 widths (2 to 3) × 100 members; interrupted after 2 of 4 widths.",
        ),
        (rates({}, status="running", config={"task": "digits"}), "digits; still running after 0 widths."),
        (
            widen([width(2, 10, 0, {"diverged": 10}), width(3, 2000, 0, {"diverged": 2000})]),
            "digits, relu; 2 widths (2 to 3), 2,010 members in all; complete.",
        ),
    ],
)
def test_the_heading(summary, heading):
    assert flat(text(summary, 80).split("\n\n")[0]) == heading


def test_the_foot_has_recipe_cost_and_folder():
    assert text(digits(), 80).split("\n\n")[-1].splitlines() == [
        "Recipe: adam, lr 0.0012, 1,000 steps, batch size 60.",
        "Cost: 205,000 network steps, 3 min 12 s wall-clock time, peak memory 412 MB.",
        "Run folder: escapedim-runs/widen-0123456789abcdef",
    ]


def test_every_width_has_its_row():
    rows = [line.split() for line in text(digits(), 80).splitlines()]
    for number, succeeded in DIGITS.items():
        assert any(row[:4] == [str(number), f"{75 * number + 10:,}", "100", f"{succeeded:.1f}"] for row in rows)


def test_the_command_report_prints_a_summary_from_a_file(tmp_path, capsys):
    path = tmp_path / "widen.json"
    path.write_bytes(encode(teacher()))
    assert run(lambda: app(["report", str(path)])) == 0
    assert capsys.readouterr().out == text(teacher(), 100)


def test_a_result_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="expected a widen result, found TrainResult"):
        blocks(train(), 80)


number = st.floats(1e-12, 1e6)
counts = st.dictionaries(st.sampled_from(list(LETTERS)), st.integers(0, 3000), max_size=8)


@st.composite
def any_width(draw, size):
    found = draw(counts)
    members = sum(found.values())
    succeeded = draw(st.integers(0, members))
    certified = st.builds(level, number, st.integers(0, 3000), st.sampled_from(list(LETTERS)), marginal=st.booleans())
    failures = st.dictionaries(number, st.integers(0, members), max_size=4) if members else st.just({})
    return width(
        size,
        members,
        succeeded,
        found,
        levels=draw(st.lists(certified, max_size=5)),
        reasons=draw(st.dictionaries(st.sampled_from(["too slow", "left the basin"]), st.integers(0, 3000))),
        lr=draw(number),
        median_steps=draw(st.none() | number),
        loss_quantiles={"median": draw(st.none() | number)},
        threshold_sensitivity=thresholds(members, draw(failures)),
    )


@given(
    st.lists(st.integers(1, 5000), max_size=6, unique=True).flatmap(
        lambda sizes: st.tuples(*(any_width(size) for size in sorted(sizes)))
    ),
    st.sampled_from([80, 100, 120]),
    st.sampled_from(["complete", "running"]),
)
@settings(max_examples=50, deadline=None)
def test_any_result_has_a_report_that_keeps_the_width(entries, columns, status):
    report = text(widen(list(entries), status=status), columns)
    assert max(map(len, report.splitlines())) <= columns
