"""A plan on a real Slurm whose nodes fail, against the same plan run here without faults."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .cluster import Cluster, missing, wait

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "Slurm is here")


def plan_of(runs: int, steps: str) -> dict:
    return {
        "name": "many",
        "command": "train",
        "base": {"task": "teacher", "hidden": 4, "replicates": 4, "steps": steps},
        "seeds": runs,
    }


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    # In a folder of a short name: a socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="sl-") as folder, Cluster(Path(folder)) as found:
        yield found


def submitted(cluster: Cluster, folder: Path, *more: str) -> str:
    """Submit a plan, and return the array's job."""
    command = [sys.executable, "-m", "escapedim", "sweep", "plan.yaml", "--submit", *more]
    ended = subprocess.run(
        command, cwd=folder, env=cluster.environment, capture_output=True, text=True, check=True, timeout=60
    )
    return ended.stdout.split()[0]


def here(folder: Path, *more: str) -> str:
    command = [sys.executable, "-m", "escapedim", "sweep", "plan.yaml", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=600).stdout


def finished(folder: Path) -> int:
    return sum(1 for _ in folder.glob("sweep-many/runs/*/done.json"))


def ends_of_logs(folder: Path) -> int:
    """How often any run was trained to its end: each such command has a line in its log, and no other has."""
    logs = [path.read_text() for path in folder.glob("sweep-many/runs/*/log.txt")]
    return sum(log.count("Run folder: ") for log in logs)


def faults(cluster: Cluster, folder: Path, runs: int, job: str) -> None:
    """One node dies with its jobs, one loses its daemon, one task is told that its time is up."""

    def on(node: str) -> list[str]:
        return [line.split()[0] for line in cluster.jobs() if line.endswith(f"RUNNING {node}")]

    wait(lambda: finished(folder) >= 1 and all(on(node) for node in ("node1", "node2", "node3")), 90, "jobs everywhere")
    told = on("node3")[0]
    cluster.call("scancel", "--batch", "--signal=USR1", told, check=False)
    cluster.lose_node("node1")
    cluster.lose_daemon("node2")
    if runs > 20:
        requeued = on("node3")
        if requeued:
            cluster.call("scontrol", "requeue", requeued[-1], check=False)
    wait(lambda: any("node1" not in line for line in cluster.jobs()) or not cluster.jobs(), 60, "the loss to be seen")
    cluster.start_node("node1")


def campaign(cluster: Cluster, folder: Path, runs: int, steps: str, seconds: float) -> None:
    local = folder / "local"
    shared = folder / "shared"
    for place in (local, shared):
        place.mkdir()
        (place / "plan.yaml").write_text(yaml.safe_dump(plan_of(runs, steps)))
    job = submitted(cluster, shared, "--time", "10:00")
    faults(cluster, shared, runs, job)
    wait(lambda: finished(shared) == runs, seconds, "all runs")
    assert f"{runs} runs: {runs} complete" in here(shared, "--status")
    here(shared, "--collect")
    here(local)
    one, other = (json.loads((place / "sweep-many" / "collected.json").read_text()) for place in (local, shared))
    assert one == other
    assert ends_of_logs(shared) == runs


@pytest.mark.long
def test_nodes_fail_and_the_numbers_are_those_of_no_faults(cluster, tmp_path):
    campaign(cluster, tmp_path, 9, "1500it", 150)


@pytest.mark.long
def test_sixty_runs_through_all_faults(cluster, tmp_path):
    campaign(cluster, tmp_path, 60, "4000it", 1200)
