"""Two processes on one run folder, and one that sleeps for longer than a heartbeat: one goes on, and it is right.

A partitioned node's job and its requeued copy may both live; on a laptop whose lid was closed nobody took over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from escapedim.sweeping.runs import expand
from escapedim.sweeping.sweep_plan import SweepPlan
from tests.cli.conftest import Cli, result_of
from tests.cli.test_interruption import wait_for

ON = "import socket; socket.gethostname = lambda: '{host}'; from escapedim.__main__ import main; main()"
RECIPE = (
    "--hidden",
    "4",
    "--replicates",
    "2",
    "--optimizer",
    "sgd",
    "--lr",
    "0.01",
    "--steps",
    "2000it",
    "--jobs",
    "1",
)
PRUNE = ("prune", *RECIPE, "--rounds", "4", "--arms", "ticket", "--quiet")


def start(folder: Path, host: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command that takes itself to be on another host."""
    command = [sys.executable, "-c", ON.format(host=host), *arguments]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


def age(folder: Path) -> None:
    """Make every heartbeat below a folder ten minutes older."""
    for claim in folder.rglob("claim-*.json"):
        moment = claim.stat().st_mtime - 600
        os.utime(claim, (moment, moment))


def test_of_two_that_live_at_once_the_one_without_the_claim_stops(cli: Cli, tmp_path):
    assert cli(*PRUNE, "--out", "alone/lottery.json").code == 0
    with start(tmp_path, "node1", *PRUNE) as orphan:
        wait_for(lambda: list(tmp_path.glob("escapedim-runs/*/checkpoints/*")))
        (run,) = tmp_path.glob("escapedim-runs/*")
        orphan.send_signal(signal.SIGSTOP)
        early = cli(*PRUNE)
        assert early.code == 2
        assert f"is held by process {orphan.pid} on node1" in early.err
        age(run)
        with start(tmp_path, "node2", *PRUNE) as copy:
            wait_for(lambda: (run / "claim-0002.json").exists())
            orphan.send_signal(signal.SIGCONT)
            said = orphan.stderr.read()
            assert orphan.wait(60) == 1, said
            assert f"taken over by process {copy.pid} on node2; it stops without writing" in said
            assert (copy.wait(60), copy.stderr.read()) == (0, "")
    assert result_of(tmp_path / "lottery.json") == result_of(tmp_path / "alone" / "lottery.json")
    assert result_of(run / "lottery.json") == result_of(tmp_path / "alone" / "lottery.json")
    assert json.loads((run / "lottery.json").read_text())["status"] == "complete"


@pytest.mark.long
def test_a_lid_that_was_closed_for_long_is_opened_and_the_sweep_goes_on(cli: Cli, tmp_path):
    """Its small twin, a claim whose holder slept, is among the tests of claims."""
    settings = {"hidden": 4, "replicates": 2, "optimizer": "sgd", "lr": 0.01, "steps": "20000it"}
    plan = {"name": "lid", "command": "train", "base": settings}
    (tmp_path / "lid.yaml").write_text(yaml.safe_dump(plan))
    (run,) = expand(SweepPlan.model_validate(plan))
    folder = run.folder(tmp_path / "sweep-lid")
    command = [sys.executable, "-m", "escapedim", "sweep", "lid.yaml", "--jobs", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as sweep:
        wait_for(lambda: run.summary(tmp_path / "sweep-lid").exists())
        asleep = [sweep.pid, *children(sweep.pid)]
        assert len(asleep) == 2
        for pid in asleep:
            os.kill(pid, signal.SIGSTOP)
        age(folder)
        assert "1 run: 1 running." in cli("sweep", "lid.yaml").err
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
        assert sweep.wait(60) == 0, sweep.stderr.read()
    found = json.loads((tmp_path / "sweep-lid" / "collected.json").read_text())
    assert cli("train", "--config", str(folder / "config.yaml"), "--out", "train.json", "--quiet").code == 0
    assert [one["result"] for one in found["runs"]] == [result_of(tmp_path / "train.json")]
    assert (folder / "log.txt").read_text().count("escapedim train") == 1


def children(pid: int) -> list[int]:
    answer = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    return [int(child) for child in answer.stdout.split()]
