"""The README's commands run as they stand, and what it shows is what they print."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from escapedim.cli.main import app, run
from tests.cli.test_bad_input import write_idx

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHELL = [line.strip() for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
COMMANDS = [line for line in SHELL if line.startswith("escapedim ")]
INLINE = re.findall(r"`(escapedim [a-z]+ [^`]*)`", README)
SET_UP = "python3 -m venv .venv && .venv/bin/pip install -e "
TINY = ["--steps", "20it", "--replicates", "2", "--jobs", "1"]


def test_one_line_installs_and_runs_and_one_tests():
    first, second = [line for line in SHELL if line.startswith(SET_UP)]
    assert first == SET_UP + ". && .venv/bin/escapedim prune --rounds 10"
    assert second == SET_UP + "'.[dev]' && .venv/bin/pytest -n 2"


def test_ci_runs_exactly_the_test_line():
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m 1 -E '([^']+)' README.md", script)
    assert pattern
    matching = [line for line in README.splitlines() if re.search(pattern[1], line)]
    assert [line for line in matching if "pytest" in line] == matching[:1]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def tickets() -> None:
    """A prune run of the default length, of narrow networks."""
    arms = ("--hidden", "4", "--rounds", "10", "--replicates", "2", "--arms", "ticket,random", "--jobs", "1", "--quiet")
    assert run(lambda: app(["prune", *arms])) == 0


@pytest.mark.parametrize("command", [*COMMANDS, "escapedim prune --rounds 10"])
def test_commands_run(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_idx(tmp_path / "MNIST")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)), np.arange(60) % 3
    np.savez("mine.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    given = shlex.split(command, comments=True)[1:]
    if given[0] == "rewind":
        tickets()
    arguments = [*given, *(("--jobs", "1") if given[0] == "rewind" else TINY)]
    if "--rounds" not in arguments and "prune" in arguments and "--density" not in arguments:
        arguments += ["--rounds", "2"]
    code = run(lambda: app(arguments))
    assert code == 0, capsys.readouterr().err
    if "--dry-run" not in arguments:
        (summary,) = [path for path in tmp_path.glob("*.json") if given[0] == "prune" or path.name != "lottery.json"]
        assert json.loads(summary.read_text())["status"] == "complete"


@pytest.mark.parametrize("command", [text for text in INLINE if "FILE" not in text])
def test_commands_in_the_text_are_valid(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(lambda: app(["prune", *TINY, "--rounds", "1", "--hidden", "4"])) == 0
    extra = [] if "report" in command else ["--dry-run"]
    assert run(lambda: app([*shlex.split(command)[1:], *extra])) == 0, capsys.readouterr().err


def test_files_that_it_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    assert (ROOT / "scripts" / "benchmark.py").exists()
