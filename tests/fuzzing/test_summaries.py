"""Summaries of all kinds with something wrong in them, through `report` with its pages and tables, and `compare`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from escapedim.records import summary as summaries
from tests.comparison import cases
from tests.fuzzing.harness import CAMPAIGNS, assert_done_or_refused, campaign, command
from tests.fuzzing.mutations import Draw, damaged, documents, one_of
from tests.reporting import experiment_cases, rewind_cases, widen_cases
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import digits_rounds, envelope, lottery, train


def _everything(summary: summaries.Summary, **more: Any) -> dict[str, Any]:
    document = summary.model_dump(mode="json", by_alias=True, exclude={"digest"})
    return {**document, "result": {**document["result"], **more}}


SMALL = {
    "isolation": [experiment_cases.isolation()],
    "complement": [experiment_cases.complement()],
    "escape": [experiment_cases.certified(6, 4, 3), experiment_cases.escape(7, 2, 1, 0)],
    "restarts": [experiment_cases.restarts(8)],
    "transient": [experiment_cases.transient(6, 4, 3, 1)],
    "step_halving": [experiment_cases.halving(6)],
}
VALID: list[dict[str, Any]] = [
    _everything(lottery(digits_rounds(2))),
    _everything(train()),
    _everything(widen_cases.teacher(), **SMALL),
    _everything(widen_cases.digits()),
    {**rewind_cases.SUMMARY, "result": rewind_cases.RESULT},
    _everything(envelope("compare", comparison().model_dump(mode="json"))),
]
COMPARED = [
    _everything(cases.lottery()),
    _everything(
        cases.widen(
            isolation=[cases.isolation(8, 40, 30, 1, 29)],
            complement=[cases.complement(9, [3, 2, 4])],
            escape=[cases.escape(6, 40, 3, 60)],
            restarts=[cases.restarts()],
        )
    ),
    _everything(cases.rewind()),
]


@st.composite
def files(draw: Draw, valid: list[dict[str, Any]]) -> bytes:
    """The bytes of a summary: as another program writes it, with its own digest or a wrong one, or damaged bytes."""
    form = one_of(draw, ("plain", "plain", "plain", "signed", "signed", "wrong", "damaged"))
    if form == "damaged":
        return draw(damaged([json.dumps(document).encode() for document in valid]))
    document = draw(documents(valid))
    if form == "wrong":
        document["digest"] = "0" * 64
    if form == "signed":
        with suppress(ValueError):  # not strict JSON: what escapedim never signs
            document["digest"] = summaries.digest_of(document)
    return json.dumps(document).encode()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand reports are no reason to wait for the disk, nor for git."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr("escapedim.records.provenance.commit_of", lambda file: None)


@pytest.mark.parametrize("number", range(len(VALID)))
def test_what_is_mutated_is_valid(number, tmp_path):
    (tmp_path / "x.json").write_bytes(json.dumps(VALID[number]).encode())
    assert command("report", tmp_path / "x.json").code == 0


@CAMPAIGNS
def test_reports_of_mutated_summaries(inputs, tmp_path):
    path, page, tables = (tmp_path / name for name in ("x.json", "x.md", "csv"))

    def check(raw: bytes) -> None:
        path.write_bytes(raw)
        assert_done_or_refused(command("report", path, "--markdown", page, "--csv", tables))

    campaign(inputs, files(VALID), check)


@CAMPAIGNS
def test_comparisons_of_mutated_summaries(inputs, tmp_path):
    names = [tmp_path / f"{number}.json" for number in range(len(COMPARED))]

    def check(drawn: tuple[int, bytes]) -> None:
        at, raw = drawn
        for number, path in enumerate(names):
            path.write_bytes(raw if number == at else json.dumps(COMPARED[number]).encode())
        assert_done_or_refused(command("compare", *names, "--out", tmp_path / "compare.json"))

    one = [files([document]).map(lambda raw, at=at: (at, raw)) for at, document in enumerate(COMPARED)]
    campaign(inputs, st.one_of(one), check)


def test_a_comparison_of_what_is_mutated_works(tmp_path: Path):
    for number, document in enumerate(COMPARED):
        (tmp_path / f"{number}.json").write_text(json.dumps(document))
    ended = command("compare", *(tmp_path / f"{n}.json" for n in range(3)), "--out", tmp_path / "compare.json")
    assert (ended.code, ended.err) == (0, "")
