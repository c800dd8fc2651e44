from __future__ import annotations

import io

import pytest

from escapedim.comparison.compare import CompareSettings, compare
from escapedim.records.summary import SCHEMA, Summary
from escapedim.reporting.render import make_console, render
from tests.comparison import cases


def shown(width: int, *summaries: Summary, settings: CompareSettings | None = None, status: str = "complete") -> str:
    named = [(f"{made.kind}{at}.json", made) for at, made in enumerate(summaries)]
    document = {
        "schema": SCHEMA, "kind": "compare", "status": status, "id": "0" * 16, "config": {},
        "provenance": {"version": "0.1.0"}, "cost": {}, "result": compare(named, settings or CompareSettings()),
    }  # fmt: skip
    stream = io.StringIO()
    render(Summary.model_validate(document), make_console(stream, width))
    return stream.getvalue()


def everything() -> tuple[Summary, ...]:
    full = cases.widen(
        isolation=[cases.isolation(7, 620, 180, 20, 180)],
        complement=[cases.complement(7, [3, 2, 4, 1] * 10)],
        escape=[cases.escape(6, 36, 0, 40), cases.escape(7, 30, 1, 40), cases.escape(8, 20, 1, 30)],
        restarts=[cases.restarts()],
    )
    return cases.lottery(), full, cases.rewind()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_report_fits_and_says_everything(width):
    text = shown(width, *everything())
    assert max(map(len, text.splitlines())) <= width
    for words in (
        "relu-teacher:k=6: lottery0.json (lottery), rewind2.json (rewind) and widen1.json (widen).",
        "Of 4 directional rows",
        "isolation",
        "escape: Of failed networks 86 of 110",
        "one is rejected at 0.5 %",
        "within a margin of 5 points",
        "Descriptions have no direction and no part in the verdict.",
        "Laws: ",
        "q(r)^floor(n/r)",
        "widening after training equals widening before",
    ):
        assert words in flat(text), words
    assert "Not measured" not in text


@pytest.mark.parametrize(("noise", "told"), [(0, "0.0"), (1, "2.5"), (20, "50.0"), (39, "97.5"), (40, "100.0")])
def test_the_share_with_noise_alone_is_told_where_its_margin_is_cut_off_at_0_or_1_too(noise, told):
    summary = cases.widen(escape=[cases.escape(7, 40, noise, 40)])
    assert f"noise alone, {told} " in shown(120, summary)


def test_every_row_has_its_sentence_and_every_direction_is_in_the_table():
    result = compare([(made.kind, made) for made in everything()], CompareSettings())
    text = flat(shown(100, *everything()))
    for row in result.rows:
        assert f"{row.key}: {flat(row.sentence)}" in text
    assert {row.direction for row in result.rows if row.kind == "directional"} <= {"escape", "neither", "undecided"}


def test_what_is_missing_has_its_command_on_a_line_of_its_own():
    lines = shown(80, cases.widen()).splitlines()
    assert "    escapedim widen --task relu-teacher:k=6 --isolate 6 --at 7" in lines
    assert "  isolation (no subnetworks were trained alone):" in lines


def test_partial_and_permitted_inputs_are_told_first():
    partial = cases.widen().model_copy(update={"status": "interrupted"})
    text = flat(shown(100, partial))
    assert text.index("Partial: widen0.json is interrupted") < text.index("Of 4 directional rows")
    other = cases.lottery(lr=0.2)
    permitted = flat(shown(100, other, cases.widen(), settings=CompareSettings(allow=("lr",))))
    assert "Permitted difference in lr: 0.2 and 0.1." in permitted


def test_an_undecided_row_says_how_many_more_would_decide():
    made = cases.widen({6: 50, 7: 20}, 100, isolation=[cases.isolation(7, 70, 6, 1, 23)])
    text = flat(shown(100, made))
    assert "observations, 100 now, would decide it if the estimate stayed." in text


def test_without_widths_there_are_no_laws():
    assert "Laws: " not in shown(100, cases.lottery())
