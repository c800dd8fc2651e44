"""A sweep whose processes are killed at random moments, again and again, ends with the numbers of an untouched one.

What is killed is the sweep, one of its commands with the command's workers, or everything at once as on a lost node. A
killed sweep leaves commands behind that go on: the next start waits for them, or takes over what they had.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from tests.cli.test_interruption import wait_for

BASE = {"task": "digits", "replicates": 2, "steps": "30it"}
PLAN = {
    "name": "tiny",
    "command": "prune",
    "base": {**BASE, "hidden": 4, "rounds": 1, "arms": "ticket,random"},
    "seeds": 2,
    "then": [
        {"command": "rewind", "base": {"retrain": "weights", "complement": "none", "to": "init", "round": 1}},
        {"command": "widen", "base": {**BASE, "widths": "7:8"}},
        {"command": "compare"},
    ],
}
COMMAND = [sys.executable, "-m", "escapedim", "sweep", "plan.yaml", "--jobs", "2"]
LONGEST_S = 5.0


def start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "sweep.txt").open("ab") as said:
        return subprocess.Popen(COMMAND, cwd=folder, stdout=said, stderr=said)


def working_in(folder: Path) -> dict[int, list[str]]:
    """Return the processes of a folder: the sweep's, and those that it has started, by pid with their words."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path(os.readlink(process / "cwd")) == folder:
                found[int(process.name)] = (process / "cmdline").read_text().split("\0")
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_something(folder: Path, sweep: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill everything, the sweep alone, or a command and its workers; the sweep in any case, at last."""
    victim = chance.choice(["everything", "sweep", "command"])
    if victim == "everything":
        kill(list(working_in(folder)))
    elif victim == "command":
        commands = [pid for pid, words in working_in(folder).items() if "--out" in words]
        kill(chance.sample(commands, min(1, len(commands))))
        time.sleep(chance.uniform(0.0, 1.0))
    kill([sweep.pid])
    sweep.wait()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for folder in tmp_path.iterdir():
        kill(list(working_in(folder)))


def made(folder: Path) -> Path:
    folder.mkdir()
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    return folder


def collected(folder: Path) -> dict:
    return json.loads((folder / "sweep-tiny" / "collected.json").read_text())


def finish(folder: Path) -> None:
    """Start the sweep until it finds everything done: what a killed one left behind may still hold its run."""
    for _ in range(100):
        assert start(folder).wait() == 0, (folder / "sweep.txt").read_text()
        if (folder / "sweep-tiny" / "collected.json").exists():
            return
        time.sleep(0.5)
    raise AssertionError((folder / "sweep.txt").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = made(tmp_path_factory.mktemp("whole") / "untouched")
    finish(folder)
    found = collected(folder)
    assert [one["command"] for one in found["runs"]] == ["prune", "prune", "rewind", "rewind", "widen", "compare"]
    return found


@pytest.mark.long
def test_a_sweep_that_is_killed_at_two_hundred_random_moments(folders, whole):
    """Its small twin, killed twice, is among the tests of the command `sweep`."""
    kills, done, chance = 200, 0, random.Random(0)
    while done < kills:
        folder = made(folders / str(done))
        while done < kills and not (folder / "sweep-tiny" / "collected.json").exists():
            sweep = start(folder)
            time.sleep(chance.uniform(0.2, LONGEST_S))
            done += sweep.poll() is None
            kill_something(folder, sweep, chance)
        finish(folder)
        assert collected(folder) == whole, folder
        assert_nothing_doubled(folder)
        wait_for(lambda folder=folder: not working_in(folder))


@pytest.mark.long
def test_two_sweeps_that_start_at_one_moment_share_the_runs(folders, whole):
    for number in range(3):
        folder = made(folders / str(number))
        both = [start(folder) for _ in range(2)]
        assert [one.wait() for one in both] == [0, 0], (folder / "sweep.txt").read_text()
        finish(folder)
        assert collected(folder) == whole
        assert_nothing_doubled(folder)


def assert_nothing_doubled(folder: Path) -> None:
    for run in (folder / "sweep-tiny" / "runs").glob("*/"):
        assert (run / "done.json").exists()
        assert not (run / "failed.json").exists()
        assert len(list(run.glob("escapedim-runs/*"))) == (not run.name.startswith("compare"))
        checkpoints = [path.name for path in run.glob("escapedim-runs/*/checkpoints/*")]
        assert all(name.endswith(".safetensors") and "paused" not in name for name in checkpoints), checkpoints
