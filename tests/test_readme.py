"""The README's commands run as they stand, and what it shows is what they print."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
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
OUTPUTS = {"train": "train.json", "prune": "lottery.json", "rewind": "rewind.json", "widen": "widen.json",
           "compare": "compare.json"}  # fmt: skip
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


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a prune run of the default length has ended, of narrow networks."""
    folder = tmp_path_factory.mktemp("tickets")
    arms = ("--hidden", "4", "--rounds", "10", "--replicates", "2", "--arms", "ticket,random", "--jobs", "1", "--quiet")
    assert run(lambda: app(["prune", *arms, "--out", str(folder / "lottery.json")])) == 0
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a small prune run and a small widen run have ended, and were compared."""
    folder = tmp_path_factory.mktemp("study")
    lottery, widen, compare = (str(folder / name) for name in ("lottery.json", "widen.json", "compare.json"))
    for made in (
        ["prune", *TINY, "--hidden", "4", "--rounds", "1", "--out", lottery],
        ["widen", *TINY, "--widths", "7,8", "--out", widen],
        ["compare", lottery, widen, "--out", compare],
    ):
        assert run(lambda made=made: app([*made, "--quiet"])) == 0
    return folder


SMALLER = (
    ("500it", "20it"),
    ("rounds: 5", "rounds: 1"),
    ("round: 5", "round: 1"),
    ("replicates: 5", "replicates: 2"),
    ("replicates: 30", "replicates: 4"),
    ('"6:12"', '"9:10"'),
)


def before(given: list[str], request: pytest.FixtureRequest) -> None:
    """Put what a command starts from into the working folder, in small."""
    if given[0] == "sweep":
        plan = Path(given[1])
        plan.parent.mkdir(exist_ok=True)
        text = (ROOT / plan).read_text()
        for large, small in SMALLER:
            assert large in text
            text = text.replace(large, small)
        plan.write_text(text)
    if given[0] == "rewind":
        shutil.copytree(request.getfixturevalue("tickets"), ".", dirs_exist_ok=True)
    if given[0] in ("compare", "report") and not Path("widen.json").exists():
        shutil.copytree(request.getfixturevalue("study"), ".", dirs_exist_ok=True)


def more_options(given: list[str]) -> list[str]:
    """Return what makes a command small."""
    if given[0] in ("compare", "report", "count"):
        return []
    if given[0] == "sweep":
        return [] if "--slurm" in given else ["--jobs", "1"]
    if given[0] == "rewind":
        return ["--jobs", "1"]
    rounds = given[0] == "prune" and "--rounds" not in given and "--density" not in given
    return [*TINY, *(["--rounds", "2"] if rounds else [])]


@pytest.mark.parametrize("command", [*COMMANDS, "escapedim prune --rounds 10"])
def test_commands_run(command, tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    write_idx(tmp_path / "MNIST")
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)), np.arange(60) % 3
    np.savez("mine.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    for part in command.split(" && "):
        given = shlex.split(part, comments=True)[1:]
        before(given, request)
        arguments = [*given, *more_options(given)]
        code = run(lambda arguments=arguments: app(arguments))
        assert code == (3 if "# exit code 3" in part else 0), capsys.readouterr().err
        if given[0] in OUTPUTS and "--dry-run" not in arguments:
            assert json.loads((tmp_path / OUTPUTS[given[0]]).read_text())["status"] == "complete"


@pytest.mark.parametrize("command", [text for text in INLINE if "FILE" not in text and "PLAN" not in text])
def test_commands_in_the_text_are_valid(command, study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(study, ".", dirs_exist_ok=True)
    extra = [] if "report" in command else ["--dry-run"]
    assert run(lambda: app([*shlex.split(command)[1:], *extra])) == 0, capsys.readouterr().err


def test_files_that_it_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    assert (ROOT / "scripts" / "benchmark.py").exists()
