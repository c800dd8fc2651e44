"""Anything in the place of any file of a run and of a sweep: pipes, devices, links, folders, other files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from tests.cli.conftest import result_of
from tests.forked import fork_runs
from tests.fuzzing.harness import CAMPAIGNS, assert_done_or_refused, campaign, command
from tests.fuzzing.mutations import Draw, one_of

TINY = ("--hidden", "3", "--steps", "3it", "--replicates", "2", "--jobs", "1", "--quiet")
PLAN = {
    "name": "tiny",
    "command": "widen",
    "base": {"task": "xor", "widths": "2", "replicates": 2, "steps": "3it", "escape": False},
    "then": [{"command": "compare"}],
}
CONTENTS = {
    "empty": b"",
    "deep": b"[" * 100_000,
    "digits": b'{"wall_s": ' + b"9" * 5000 + b"}",
    "NUL": b"a\0b\n",
    "mine": b"mine",
}
LINKS = ("link to a pipe", "link to a device", "link to nothing", "link to itself", "link to mine")
FORMS = ("pipe", "folder", "gone", *LINKS, *CONTENTS)


def put(path: Path, form: str, mine: Path) -> None:
    """Put something else in the place of a file."""
    path.unlink()
    if form == "pipe":
        os.mkfifo(path)
    elif form == "folder":
        path.mkdir()
    elif form.startswith("link"):
        pipe = mine.with_name("pipe")
        if not pipe.exists():
            os.mkfifo(pipe)
        targets = {"pipe": pipe, "device": "/dev/zero", "nothing": "nowhere", "itself": path, "mine": mine}
        path.symlink_to(targets[form.rpartition(" ")[2]])
    elif form != "gone":
        path.write_bytes(CONTENTS[form])


def put_back(path: Path, good: Path) -> None:
    """Put the file there again, whatever is in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    shutil.copy(good, path)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, a comparison, a report, a list, and a finished sweep."""
    folder = tmp_path_factory.mktemp("good")
    assert command("train", *TINY, "--out", folder / "train.json").code == 0
    assert command("prune", *TINY, "--rounds", "1", "--out", folder / "lottery.json").code == 0
    assert command("compare", folder / "lottery.json", "--out", folder / "compare.json").code == 0
    assert command("report", folder / "train.json", "--html", folder / "page.html", "--csv", folder / "csv").code == 0
    (folder / "list").write_text(f"{folder / 'lottery.json'}\n")
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    with pytest.MonkeyPatch.context() as patched:
        fork_runs(patched)
        assert command("sweep", folder / "plan.yaml", "--out", folder / "sweep", "--jobs", "1").code == 0
    (folder / "mine").write_text("mine")
    return folder


@st.composite
def changes(draw: Draw, places: list[str]) -> list[tuple[str, str]]:
    """Some of the files, and what comes into their places."""
    return [(one_of(draw, places), one_of(draw, FORMS)) for _ in range(draw(st.integers(1, 3)))]


@CAMPAIGNS
def test_anything_in_the_place_of_any_file(inputs, good, tmp_path, monkeypatch):
    """Nothing waits, nothing of the user's changes, and with the files as they were the results are, too."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("escapedim.records.provenance.commit_of", lambda file: None)
    here = tmp_path / "here"
    places = sorted(str(path.relative_to(good)) for path in good.rglob("*") if path.is_file() and path.name != "mine")
    assert len(places) > 20
    before = {name: result_of(good / name) for name in ("train.json", "lottery.json", "compare.json")}

    def check(drawn: list[tuple[str, str]]) -> None:
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(good, here)
        for place, form in dict(drawn).items():
            put(here / place, form, here / "mine")
        commands: list[tuple[Any, ...]] = [
            ("train", *TINY, "--out", here / "train.json"),
            ("report", here / "train.json", "--html", here / "page.html", "--csv", here / "csv"),
            ("rewind", here / "lottery.json", "--dry-run", "--out", here / "rewind.json"),
            ("compare", f"@{here / 'list'}", "--out", here / "compare.json"),
            ("sweep", here / "plan.yaml", "--out", here / "sweep", "--status"),
            ("sweep", here / "plan.yaml", "--out", here / "sweep", "--collect"),
        ]
        for arguments in commands:
            ended = command(*arguments)
            if ended.code == 1:
                assert "choose another" in ended.err
                assert "fault of escapedim" not in ended.err
            else:
                assert_done_or_refused(ended)
        assert (here / "mine").read_text() == "mine"
        for place in dict(drawn):  # what was done beside them stays
            put_back(here / place, good / place)
        for arguments in commands[:4]:
            assert command(*arguments).code == 0
        assert {name: result_of(here / name) for name in before} == before

    campaign(max(20, inputs // 20), changes(places), check)
