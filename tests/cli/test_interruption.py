"""Killed, stopped and continued runs end with the numbers of a run that was never touched."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from escapedim.records import summary
from tests.cli.conftest import Cli, result_of

ARGUMENTS = ("prune", "--hidden", "20,10", "--rounds", "3", "--replicates", "3", "--steps", "150it", "--jobs", "2")


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_goes_on_after_a_test():
    yield
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    STARTED.clear()


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "escapedim", *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    STARTED.append(process)
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def finish(cli: Cli) -> None:
    """Let the same command end, in this process: with one job instead of two, which must not matter."""
    ended = cli(*ARGUMENTS[:-1], "1", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("untouched")
    began = time.monotonic()
    process = start(folder, *ARGUMENTS, "--quiet")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, "", "")
    return {"result": result_of(folder / "lottery.json"), "seconds": time.monotonic() - began}


def kill_at_random_moments(folder: Path, kills: int, longest_s: float, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        process = start(folder, *ARGUMENTS, "--quiet")
        time.sleep(chance.uniform(0.3, longest_s))
        kill(process)
        assert_readable(folder)


def assert_readable(folder: Path) -> None:
    for path in folder.rglob("lottery.json"):
        summary.read(path)


def test_killed_at_a_random_moment(cli: Cli, untouched, tmp_path):
    kill_at_random_moments(tmp_path, kills=1, longest_s=untouched["seconds"], seed=1)
    finish(cli)
    assert result_of(tmp_path / "lottery.json") == untouched["result"]


@pytest.mark.long
def test_killed_at_twenty_random_moments(cli: Cli, untouched, tmp_path, monkeypatch):
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kill_at_random_moments(folder, kills=1 + seed % 3, longest_s=untouched["seconds"], seed=seed)
        monkeypatch.chdir(folder)
        finish(cli)
        assert result_of(folder / "lottery.json") == untouched["result"]


@pytest.mark.long
def test_of_two_starts_at_one_moment_exactly_one_runs(untouched, tmp_path):
    """Claims that are asked for at one moment are in records/test_claim.py, a run that is held in test_bad_input.py."""
    both = [start(tmp_path, *ARGUMENTS[:-1], "1", "--quiet") for _ in range(2)]
    ended = sorted(((process.returncode, err) for process, (_, err) in ((one, one.communicate()) for one in both)))
    assert [code for code, _ in ended] == [0, 2]
    assert "is held by process" in ended[1][1]
    assert result_of(tmp_path / "lottery.json") == untouched["result"]


def test_workers_die_with_a_killed_parent(tmp_path):
    process = start(tmp_path, "prune", "--steps", "10000000it", "--rounds", "1", "--jobs", "2", "--quiet")
    wait_for(lambda: len(session_of(process.pid)) >= 5)  # parent, fork server, resource tracker, two workers
    kill(process)
    wait_for(lambda: not session_of(process.pid))


def session_of(leader: int) -> list[int]:
    answer = subprocess.run(["ps", "-s", str(leader), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(pid) for pid in answer.stdout.split()]


def wait_for(condition) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen within a minute")


@pytest.mark.parametrize(
    ("number", "jobs", "code"),
    [
        (signal.SIGTERM, "2", 143),
        (signal.SIGINT, "1", 130),
        pytest.param(signal.SIGUSR1, "1", 143, marks=pytest.mark.long),
        pytest.param(signal.SIGUSR1, "2", 143, marks=pytest.mark.long),
    ],
)
def test_signals_save_and_the_same_command_continues(cli: Cli, untouched, tmp_path, number, jobs, code):
    arguments = (*ARGUMENTS[:-1], jobs)
    process = start(tmp_path, *arguments)
    wait_for(lambda: list(tmp_path.glob("escapedim-runs/*/checkpoints/round-000*")))
    # To the whole group, as a terminal's Ctrl-C and Slurm's scancel do.
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "the same command continues" in err
    assert "Traceback" not in err
    assert summary.read(tmp_path / "lottery.json").status == "interrupted"
    finish(cli)
    assert result_of(tmp_path / "lottery.json") == untouched["result"]


def test_a_unit_stopped_in_its_middle_goes_on_from_there(cli: Cli, tmp_path, monkeypatch):
    arguments = ("prune", "--hidden", "8", "--steps", "60it", "--replicates", "1", "--rounds", "2", "--jobs", "1")
    assert cli(*arguments, "--out", "straight/lottery.json").code == 0
    ticks = {"left": 25}

    def tick(self, members: int) -> bool:
        ticks["left"] -= 1
        if ticks["left"] % 10 == 0:
            signal.raise_signal(signal.SIGTERM)
        return self._stopped()

    with monkeypatch.context() as patch:
        patch.setattr("escapedim.training.workers.Ticker.__call__", tick)
        codes = [cli(*arguments).code for _ in range(30)]
    assert set(codes) == {143, 0}
    assert codes.index(0) > 5
    assert result_of(tmp_path / "lottery.json") == result_of(tmp_path / "straight/lottery.json")
    assert not list(tmp_path.glob("escapedim-runs/*/checkpoints/*paused*"))
    times, straight = (summary.read(tmp_path / name).cost.unit_s for name in ("lottery.json", "straight/lottery.json"))
    assert times.keys() == straight.keys()
    assert min(times.values()) > 0


def test_a_signal_during_the_first_second_stops_like_any_other(tmp_path):
    process = start(tmp_path, *ARGUMENTS)
    wait_for(lambda: catches_usr1(process.pid) or process.poll() is not None)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err


def catches_usr1(pid: int) -> bool:
    """Say whether a process has its handlers; long before its imports are done."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGUSR1 - 1) & 1)


LONG = ("train", "--replicates", "8", "--steps", "10000000it")


@pytest.mark.parametrize(
    ("jobs", "number", "code"),
    [
        ("2", signal.SIGINT, 130),
        pytest.param("1", signal.SIGINT, 130, marks=pytest.mark.long),
        pytest.param("2", signal.SIGTERM, 143, marks=pytest.mark.long),
        pytest.param("1", signal.SIGTERM, 143, marks=pytest.mark.long),
    ],
    ids=str,
)
def test_a_second_signal_stops_at_once_in_one_sentence(tmp_path, jobs, number, code):
    process = start(tmp_path, *LONG, "--jobs", jobs)
    wait_for(lambda: (tmp_path / "train.json").exists())  # workers are about to start
    os.killpg(process.pid, number)
    time.sleep(0.01)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert len(err.splitlines()) == 1, err
    assert err.startswith("escapedim: stopped")
    wait_for(lambda: not session_of(process.pid))


@pytest.mark.parametrize("times", [2, pytest.param(1, marks=pytest.mark.long)])
def test_a_terminal_that_closes_loses_nothing_however_often_it_says_so(tmp_path, times):
    process = start(tmp_path, *LONG, "--jobs", "1")
    wait_for(lambda: (tmp_path / "train.json").exists())
    for _ in range(times):
        process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 129
    assert "everything is saved" in err
    assert json.loads((tmp_path / "train.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
@pytest.mark.parametrize("arguments", [LONG, ("doctor",)], ids=["train", "doctor"])
def test_a_signal_with_nothing_to_save_is_one_sentence(tmp_path, number, code, arguments):
    process = start(tmp_path, *arguments)
    wait_for(lambda: catches_usr1(process.pid) or process.poll() is not None)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "escapedim: stopped by a signal.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_fork_server_killed_while_it_starts_is_one_sentence_or_no_matter(tmp_path):
    arguments = ("train", "--hidden", "300,100", "--replicates", "8", "--steps", "100it", "--jobs", "2", "--quiet")
    process = start(tmp_path, *arguments)
    wait_for(lambda: fork_servers(process.pid))
    time.sleep(0.3)  # the parent has asked it for workers, and it is importing torch
    os.kill(fork_servers(process.pid)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    status = summary.read(tmp_path / "train.json").status
    if process.returncode == 0:  # it was early enough for another one
        assert (err, status) == ("", "complete")
    else:
        assert (process.returncode, len(err.splitlines()), status) == (1, 1, "failed")
        assert err.startswith("escapedim: a worker process was killed")


def fork_servers(leader: int) -> list[int]:
    """Return the fork server and its children, in the order of their start."""
    return [pid for pid in session_of(leader) if is_fork_server(pid)]


def is_fork_server(pid: int) -> bool:
    try:
        return b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_killed_worker_ends_the_run_in_one_sentence(tmp_path):
    arguments = ("prune", "--hidden", "64", "--steps", "3000it", "--rounds", "3", "--replicates", "4", "--jobs", "2")
    process = start(tmp_path, *arguments, "--quiet")
    wait_for(lambda: list(tmp_path.glob("escapedim-runs/*/checkpoints/round-000*")))
    (worker, *_) = [pid for pid in session_of(process.pid) if is_worker(pid)]
    os.kill(worker, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("escapedim: a worker process was killed")
    assert len(err.splitlines()) == 1
    wait_for(lambda: not session_of(process.pid))


def is_worker(pid: int) -> bool:
    """Say whether a process is a child of the fork server."""
    try:
        return is_fork_server(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]))
    except OSError:
        return False
