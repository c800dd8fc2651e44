from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from escapedim import __version__
from escapedim.cli.main import app, run
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


@pytest.mark.parametrize("arguments", [["--help"], ["prune", "--help"], ["--version"], ["count"]])
def test_help_imports_no_torch(arguments, tmp_path):
    ended = python(NO_TORCH.format(arguments=arguments), str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


def test_report_imports_no_torch(cli: Cli, tmp_path):
    assert cli("prune", *TINY).code == 0
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


def shell(command: str, folder) -> subprocess.CompletedProcess[str]:
    line = command.replace("escapedim", f"{sys.executable} -m escapedim")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, check=False)


MORE = [
    "escapedim report lottery.json --json",
    "escapedim prune --help",
    "escapedim --version",
    "escapedim --show-completion bash",
    "escapedim doctor",
    "escapedim train --dry-run",
]
PRINTING = [
    "escapedim count",
    "escapedim report lottery.json",
    "escapedim --help",
    *(pytest.param(command, marks=pytest.mark.long) for command in MORE),
]
TINY = ("--rounds", "1", "--hidden", "4", "--steps", "5it", "--replicates", "1", "--jobs", "1")


@pytest.fixture(scope="module")
def with_summary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("printing")
    assert run(lambda: app(["prune", *TINY, "--quiet", "--out", str(folder / "lottery.json")])) == 0
    return folder


@pytest.mark.parametrize("command", PRINTING)
def test_reader_that_has_gone_is_no_failure(with_summary, command):
    ended = shell(f"({command}; echo code $? >&2) | true", with_summary)
    assert ended.stderr == "code 0\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("command", PRINTING)
def test_full_disk_behind_standard_output_is_one_sentence(with_summary, command):
    ended = shell(f"{command} > /dev/full", with_summary)
    assert ended.returncode == 1
    assert ended.stderr.startswith("escapedim: cannot write to standard output: No space left")
    assert ended.stderr.endswith("; send it elsewhere.\n")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", PRINTING)
def test_closed_standard_output_is_no_failure(with_summary, command):
    ended = shell(f"{command} >&-", with_summary)
    assert (ended.returncode, ended.stderr) == (0, "")


TRAINING = "escapedim train --hidden 300,100 --steps 5it --replicates 8 --force"


@pytest.mark.parametrize(
    ("jobs", "streams"),
    [
        (2, ">&- 2>&- <&-"),
        pytest.param(1, "2>/dev/full", marks=pytest.mark.long),
        pytest.param(1, "2>&-", marks=pytest.mark.long),
        pytest.param(2, "2>&-", marks=pytest.mark.long),
        pytest.param(2, "2>/dev/full", marks=pytest.mark.long),
        pytest.param(1, ">&- 2>&- <&-", marks=pytest.mark.long),
    ],
)
def test_training_needs_no_standard_error(tmp_path, streams, jobs):
    if "/dev/full" in streams and not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    ended = shell(f"{TRAINING} --jobs {jobs} --json {streams}", tmp_path)
    assert ended.returncode == 0
    assert json.loads((tmp_path / "train.json").read_text())["status"] == "complete"
    if ">&- " not in streams:
        assert json.loads(ended.stdout)["status"] == "complete"


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full"])
def test_errors_have_their_exit_code_without_standard_error(tmp_path, streams):
    if "/dev/full" in streams and not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    assert shell(f"escapedim train --steps nonsense {streams}", tmp_path).returncode == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_behind_a_result_says_where_it_is_saved(with_summary):
    ended = shell(f"escapedim prune {' '.join(TINY)} --json --quiet > /dev/full", with_summary)
    assert ended.returncode == 1
    assert ended.stderr.endswith("; the summary is saved in lottery.json.\n")


def faulty() -> None:
    raise KeyError("ticket\n")


def test_a_fault_of_the_tool_is_one_sentence_and_its_traceback_is_there_on_request(capsys, monkeypatch):
    sentence = "escapedim: a fault of escapedim: KeyError: 'ticket\\n'; please report it with the output of"
    assert run(faulty) == 1
    err = capsys.readouterr().err
    assert err.startswith(sentence)
    assert len(err.splitlines()) == 1
    monkeypatch.setenv("ESCAPEDIM_TRACEBACK", "1")
    assert run(faulty) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert sentence in err


def test_several_summaries_are_one_json_document(cli: Cli):
    cli("prune", *TINY)
    both = json.loads(cli("report", "lottery.json", "lottery.json", "--json").out)
    assert both == [json.loads(cli("report", "lottery.json", "--json").out)] * 2
