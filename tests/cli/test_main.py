from __future__ import annotations

import os
import subprocess
import sys

import pytest

from escapedim import __version__
from tests.cli.conftest import Cli

NO_TORCH = """
import sys
from escapedim.cli.main import app, run
code = run(lambda: app({arguments!r}, prog_name='escapedim'))
heavy = {{"torch", "scipy", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


def python(code: str, cwd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["prune", "--help"], ["train", "--help"], ["--version"], ["count"]])
def test_help_imports_no_torch(arguments, tmp_path):
    ended = python(NO_TORCH.format(arguments=arguments), str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


def test_report_imports_no_torch(cli: Cli, tmp_path):
    assert (
        cli("prune", "--rounds", "1", "--hidden", "4", "--steps", "5it", "--replicates", "1", "--jobs", "1").code == 0
    )
    ended = python(NO_TORCH.format(arguments=["report", "lottery.json"]), str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "Invariants hold" in ended.stdout


def test_help_lists_every_command(cli: Cli):
    text = cli("--help").out
    for command in ("train", "prune", "report", "doctor"):
        assert command in text


def test_version(cli: Cli):
    assert cli("--version").out.strip() == f"escapedim {__version__}"


def test_unknown_command_and_option_are_usage_errors(cli: Cli):
    assert cli("prun").code == 2
    ended = cli("prune", "--roundz", "3")
    assert ended.code == 2
    assert "--rounds" in ended.err


def test_module_runs_like_the_script():
    ended = subprocess.run(
        [sys.executable, "-m", "escapedim", "--version"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, f"escapedim {__version__}")


def test_reader_that_closes_the_pipe_is_no_failure(tmp_path):
    command = f"{sys.executable} -m escapedim doctor --json | head -c 1"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, cwd=tmp_path, check=False, env=os.environ
    )
    assert ended.stderr == b""
