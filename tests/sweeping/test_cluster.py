"""A plan on a real Slurm: submitted, requeued, cancelled, and against the same plan run here while nodes fail."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from documenting.difference import difference

from escapedim.sweeping.runs import expand
from escapedim.sweeping.sweep_plan import SweepPlan
from tests.cli.conftest import result_of
from tests.hostile import fill

from .cluster import NODES, Cluster, missing, wait

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "Slurm is here")
ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts" / "slurm"
BASE = {"task": "digits", "hidden": 4, "replicates": 2, "optimizer": "sgd", "lr": 0.01, "steps": "20it"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # In a folder of a short name: a socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="sl-") as folder, Cluster(Path(folder), largest=40) as found:
        yield found


def call(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "escapedim", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=1200
    ).stdout


def submitted(cluster: Cluster, folder: Path, *more: str) -> list[str]:
    """Submit a plan, and return the jobs: arrays, and the one that collects."""
    said = call(folder, "sweep", "plan.yaml", "--submit", *more, environment=cluster.environment)
    return [line.split()[0] for line in said.splitlines()]


def collected(folder: Path) -> dict:
    return json.loads((folder / "sweep-many" / "collected.json").read_text())


def test_tasks_are_requeued_when_their_time_is_up_and_stay_cancelled_when_they_are(cluster, tmp_path):
    """Three runs in two arrays of at most two tasks: one is told to save, one is cancelled, one is left alone."""
    plan = {"name": "many", "command": "train", "base": BASE, "list": [{}, {"steps": "30000it"}, {"steps": "60000it"}]}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    quick, told, cancelled = expand(SweepPlan.model_validate(plan))
    out = tmp_path / "sweep-many"
    first, second, last = submitted(cluster, tmp_path, "--time", "10:00", "--array-limit", "2")

    def begun(run) -> bool:
        return run.summary(out).exists()

    wait(lambda: begun(told) and begun(cancelled), 60, "both to train")
    cluster.call("scancel", "--batch", "--signal=USR1", f"{first}_1")
    cluster.call("scancel", f"{second}_0")
    settings, here = told.folder(out) / "config.yaml", tmp_path / "here" / "train.json"
    call(tmp_path, "train", "--config", str(settings), "--out", str(here), "--jobs", "1", "--quiet")
    wait(lambda: (out / "collected.json").exists(), 60, "the job that collects")
    wait(lambda: not cluster.jobs(), 30, "the end")
    assert cluster.restarts() == {f"{first}_0": 0, f"{first}_1": 1, f"{second}_0": 0}
    found = collected(tmp_path)
    assert [one["run"] for one in found["runs"]] == [quick.name, told.name]
    assert found["missing"] == [cancelled.name]
    assert json.loads(cancelled.summary(out).read_text())["status"] == "interrupted"
    for run in (told, cancelled):
        assert (run.folder(out) / "log.txt").read_text().count("stopped by a signal; everything is saved") == 1
    assert not any("stopped at once" in log.read_text() for log in out.rglob("*.log"))
    assert last not in cluster.restarts()
    assert found["runs"][1]["result"] == result_of(here)


def test_a_task_runs_no_module_of_the_folder_and_obeys_no_abbreviation_or_variable(cluster, tmp_path):
    """In a folder with a hostile module of every name of the standard library; `arr=5-6` would run no run at all."""
    plan = {"name": "many", "command": "train", "base": BASE, "seeds": 2}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    fill(tmp_path, tmp_path / "witness")
    command = [str(Path(sys.executable).with_name("escapedim")), "sweep", "plan.yaml", "--submit"]
    misleading = {**cluster.environment, "SBATCH_ARRAY_INX": "5-6", "SBATCH_TIMELIMIT": "0:01", "PYTHONPATH": ""}
    refused = subprocess.run([*command, "--sbatch", "arr=5-6"], cwd=tmp_path, env=misleading, capture_output=True)
    assert (refused.returncode, cluster.jobs()) == (2, [])
    subprocess.run(command, cwd=tmp_path, env=misleading, capture_output=True, check=True)
    wait(lambda: (tmp_path / "sweep-many" / "collected.json").exists(), 90, "the job that collects")
    assert len(collected(tmp_path)["runs"]) == 2
    assert not (tmp_path / "witness").exists()


@pytest.mark.docs
def test_the_page_on_clusters_shows_what_is_printed(cluster, tmp_path):
    """Its sessions, in their order, on a Slurm that has seen no job; what passes by is waited for."""
    for name in ("sweeps", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **cluster.environment, "PATH": path, "PYTHON": sys.executable, "COLUMNS": "80"}
    shown = sessions((ROOT / "docs" / "cluster.md").read_text())
    assert len(shown) == 5

    def differs(command: str, output: list[str]) -> str:
        ended = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return difference(passing(output), passing(ended.stdout.splitlines()))

    for command, output in shown:
        if command == "squeue" or command.endswith("--status"):
            wait(lambda command=command, output=output: not differs(command, output), 60, command)
        else:
            assert differs(command, output) == ""


def sessions(page: str) -> list[tuple[str, list[str]]]:
    """Commands of the page's console blocks, each with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for part in block.removeprefix("$ ").split("\n$ "):
            command, *output = part.strip("\n").split("\n")
            found.append((command, output))
    return found


def passing(lines: list[str]) -> list[str]:
    """What differs from one moment, machine and user to the next is left out."""
    text = "\n".join(lines).replace(f" {getpass.getuser()} ", " root ")
    for what in (r"\d+:\d\d", r"process \d+ on \S+,", r"heartbeat \d+ s", r"node\d", r"batch job \d+"):
        text = re.sub(what, "-", text)
    return text.splitlines()


@pytest.mark.long
def test_the_scripts_to_edit_work_as_they_are(cluster, tmp_path):
    plan = {"name": "many", "command": "train", "base": BASE, "seeds": 12}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    command = "train --task digits --hidden 4 --replicates 2 --optimizer sgd --lr 0.01 --steps 40000it"
    given = f"ALL,PYTHON={sys.executable},PLAN=plan.yaml,COMMAND={command}"
    ask = ("sbatch", "--parsable", f"--export={given}", f"--chdir={tmp_path}")
    one = cluster.call(*ask, str(SCRIPTS / "single.sbatch"))
    wait(lambda: (tmp_path / "train.json").exists(), 60, "the command to train")
    cluster.call("scancel", "--batch", "--signal=USR1", one)
    many = cluster.call(*ask, str(SCRIPTS / "sweep-array.sbatch"))
    wait(lambda: not cluster.jobs(), 240, "both scripts")
    assert json.loads((tmp_path / "train.json").read_text())["status"] == "complete"
    assert "Restarts=1 " in cluster.call("scontrol", "show", "job", "-o", one)
    assert "12 runs: 12 complete" in call(tmp_path, "sweep", "plan.yaml", "--status")
    assert sum(job.startswith(f"{many}_") for job in cluster.restarts()) == 10


def finished(folder: Path) -> int:
    return sum(1 for _ in folder.glob("sweep-many/runs/*/done.json"))


def ends_of_logs(folder: Path) -> int:
    """How often any run was trained to its end: each command that ended well has a line in its log.

    A node may die when the command has ended and its mark is not yet there; then another finds nothing to train.
    """
    logs = [path.read_text() for path in folder.glob("sweep-many/runs/*/log.txt")]
    attempts = [attempt for log in logs for attempt in log.split("\n# ")]
    return sum("Run folder: " in attempt and "nothing is trained" not in attempt for attempt in attempts)


def requeued(cluster: Cluster, node: str, how: Callable[[str], object]) -> str:
    """Do something to a task of a node that requeues it, to another one where it was over too soon."""
    for _ in range(10):
        wait(lambda: bool(cluster.running(node)), 90, f"a task on {node}")
        jobs = cluster.running(node)
        if not jobs:  # it has ended meanwhile
            continue
        job = jobs[-1]
        before = cluster.restarts().get(job, 0)
        how(job)
        try:
            wait(lambda job=job, before=before: cluster.restarts().get(job, 0) > before, 15, "the requeue")
        except TimeoutError:
            continue
        return job
    raise AssertionError(f"no task of {node} could be requeued")


def faults(cluster: Cluster, folder: Path) -> list[set[str]]:
    """One task is told that its time is up, one is requeued by hand, a node dies with its jobs, one loses its daemon.

    Returns the tasks that each may have happened to. The jobs of the node without a daemon go on beside their copies.
    """
    wait(lambda: finished(folder) >= 1 and all(cluster.running(node) for node in NODES), 120, "jobs everywhere")
    told = requeued(cluster, "node3", lambda job: cluster.call("scancel", "--batch", "--signal=USR1", job, check=False))
    by_hand = requeued(cluster, "node3", lambda job: cluster.call("scontrol", "requeue", job, check=False))
    wait(lambda: all(cluster.running(node) for node in ("node1", "node2")), 90, "tasks on the nodes that fail")
    dead, orphans = (set(cluster.running(node)) for node in ("node1", "node2"))
    cluster.lose_node("node1")
    cluster.lose_daemon("node2")
    # At once what the controller would do by itself after a time without an answer.
    cluster.call("scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=lost")
    wait(lambda: not cluster.running("node1") and not cluster.running("node2"), 90, "the loss to be seen")
    cluster.start_node("node1")
    return [{told}, {by_hand}, dead, orphans]


def campaign(cluster: Cluster, folder: Path, runs: int, steps: str, seconds: float) -> None:
    local, shared = folder / "local", folder / "shared"
    plan = {"name": "many", "command": "train", "base": {**BASE, "steps": steps}, "seeds": runs}
    for place in (local, shared):
        place.mkdir()
        (place / "plan.yaml").write_text(yaml.safe_dump(plan))
    submitted(cluster, shared, "--time", "10:00")
    struck = faults(cluster, shared)
    wait(lambda: not cluster.jobs(), seconds, "all jobs")
    restarts = cluster.restarts()
    assert all(any(restarts[job] for job in jobs) for jobs in struck), (struck, restarts)
    assert f"{runs} runs: {runs} complete" in call(shared, "sweep", "plan.yaml", "--status")
    call(shared, "sweep", "plan.yaml", "--collect")
    call(local, "sweep", "plan.yaml")
    assert collected(local) == collected(shared)
    assert collected(local)["missing"] == []
    assert ends_of_logs(shared) == runs


@pytest.mark.long
def test_nodes_fail_and_the_numbers_are_those_of_no_faults(cluster, tmp_path):
    campaign(cluster, tmp_path, 15, "20000it", 300)


@pytest.mark.long
def test_sixty_runs_through_all_faults(cluster, tmp_path):
    campaign(cluster, tmp_path, 60, "20000it", 1200)
