import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from escapedim.landscape.vocabulary import Ending

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"


@pytest.fixture(scope="module")
def benchmark(script):
    return script("benchmark")


@pytest.fixture
def run(benchmark, tmp_path):
    def run(*arguments):
        file = tmp_path / "benchmark.json"
        ended = CliRunner().invoke(benchmark.app, [*arguments, "--json", str(file)])
        return ended, json.loads(file.read_text()) if file.exists() else None

    return run


def test_what_is_printed_is_in_the_file(run):
    tiny = ["--repeats", "1", "--net-steps", "2", "--certify-members", "3"]
    ended, report = run("--rows", "steps,certify", "--quick", "--members", "1,3", *tiny)
    assert ended.exit_code == 0, ended.output
    assert set(report["rows"]) == {"steps", "certify"}
    assert [row["members"] for row in report["rows"]["steps"]] == [1, 3]
    for row in report["rows"]["steps"]:
        for stack in (row["shared"], row["own"]):
            assert f"{stack['ratio']['ratio']:.2f} ×" in ended.stdout
    certify = report["rows"]["certify"]
    assert (certify["members"], certify["network"]) == (3, "relu-student 10-10")
    assert certify["net_steps"] > 0
    assert set(certify["endings"]) <= {Ending.GLOBAL_MINIMUM.value, Ending.BAD_MINIMUM.value}
    assert sum(certify["endings"].values()) == pytest.approx(1)
    assert all(f"{share:.1%}" in ended.stdout for share in certify["endings"].values())
    assert max(map(len, ended.stdout.splitlines())) <= 80


@pytest.mark.long
def test_small_networks_are_printed_and_in_the_file(run):
    ended, report = run("--rows", "small", "--quick", "--repeats", "1", "--net-steps", "2", "--small-steps", "1")
    assert ended.exit_code == 0, ended.output
    small = report["rows"]["small"]
    for times in filter(None, (small["one_core"], small["all_cores"])):
        assert f"{times['plain_ratio']['ratio']:.2f} ×" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_report_says_where_it_was_measured(benchmark):
    said = benchmark.machine()
    assert said["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert {"argv", "started", "git", "cpu", "cores", "torch_threads"} <= set(said)


def test_nothing_is_timed_where_the_sides_do_different_work(script, run, monkeypatch):
    monkeypatch.setattr(script("benchmarking.plain_loop"), "apply_masks", lambda tensors, masks: None)
    ended, report = run("--rows", "steps", "--members", "1", "--net-steps", "1")
    assert (ended.exit_code, report) == (1, None)
    assert "they do not do the same work, and nothing was timed" in ended.stderr


MORE = "certify, certify20, scale, commands, kernels, gpu"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "steps,prunes"], f"{MORE}, found 'steps,prunes'."),
        (["--rows", ""], f"--rows takes prune, steps, rounds, small, spectra, {MORE}, found ''."),
        (["--against", "nowhere.json"], "--against nowhere.json: [Errno 2] No such file or directory"),
        (["--members", "1,0"], "--members takes whole numbers from 1 on, such as 1,8,64, found '1,0'."),
        (["--members", "x"], "found 'x'."),
    ],
)
def test_wrong_usage(run, arguments, message):
    ended, report = run(*arguments)
    assert (ended.exit_code, report) == (2, None)
    assert message in ended.stderr


@pytest.mark.long
def test_runs_from_any_folder(tmp_path):
    command = [sys.executable, str(SCRIPT), "--help"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "--members" in ended.stdout
