"""Processes that escapedim starts, in a folder that holds a hostile module for every one that they could import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from escapedim import children
from escapedim.errors import BadInput
from tests.hostile import fill

COMMAND = str(Path(sys.executable).with_name("escapedim"))
PLAN = {
    "name": "tiny",
    "command": "prune",
    "base": {"task": "xor", "hidden": 4, "rounds": 1, "replicates": 2, "steps": "20it"},
    "then": [{"command": "compare"}],
}
TINY = ("--hidden", "8", "--steps", "10it", "--replicates", "2", "--jobs", "2", "--quiet")


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """What hostile modules write into; the working folder is full of them."""
    (tmp_path / "here").mkdir()
    fill(tmp_path / "here", tmp_path / "witness")
    (tmp_path / "here" / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    return tmp_path / "witness"


def call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder / "here", capture_output=True, text=True, check=False, timeout=300)


def test_no_module_of_the_current_folder_is_run(tmp_path, witness):
    assert "a module of the current" in call(tmp_path, sys.executable, "-c", "import selectors").stderr
    assert witness.read_text() == "selectors\n"
    witness.unlink()
    for arguments in (
        ("prune", "--rounds", "1", *TINY),  # whose own workers no -P keeps safe
        ("sweep", "plan.yaml", "--dry-run"),
        ("sweep", "plan.yaml", "--jobs", "1"),
        ("report", "sweep-tiny/compare.json", "--html", "report.html", "--figures", "figures"),
    ):
        ended = call(tmp_path, COMMAND, *arguments)
        assert (ended.returncode, witness.exists()) == (0, False), (arguments, ended.stderr)


def test_innocent_modules_of_the_current_folder_do_not_matter(tmp_path):
    """Nor to `python -m`, once Python has found escapedim."""
    (tmp_path / "here").mkdir()
    for name in ("random", "statistics", "signal", "tempfile"):
        (tmp_path / "here" / f"{name}.py").write_text("mine = 1\n")
    ended = call(tmp_path, sys.executable, "-m", "escapedim", "train", *TINY)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_variables_are_set_for_children_and_given_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv(children.SAFE_PATH, raising=False)
    with children.child_environment(OMP_NUM_THREADS="1"):
        assert (os.environ["OMP_NUM_THREADS"], os.environ[children.SAFE_PATH]) == ("1", "1")
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get(children.SAFE_PATH)) == ("7", None)


class IgnoringTheEnvironment:
    ignore_environment, safe_path = 1, False


def test_a_python_that_ignores_variables_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "flags", IgnoringTheEnvironment)
    with pytest.raises(BadInput, match="add -P, or use --jobs 1"), children.child_environment():
        pass


@pytest.mark.parametrize(
    ("given", "here", "installed", "expected"),
    [
        ("", None, True, None), (":x", None, True, "x"), (":", "/here", True, None), ("x", "/here", False, "/here:x"),
        ("", "/here", False, "/here"),
    ],
)  # fmt: skip
def test_children_find_escapedim_and_nothing_by_an_empty_entry(monkeypatch, given, here, installed, expected):
    monkeypatch.setenv("PYTHONPATH", given)
    if not installed:
        monkeypatch.setattr(sys, "meta_path", [])
    children.prepare_path(here)
    assert os.environ.get("PYTHONPATH") == expected
