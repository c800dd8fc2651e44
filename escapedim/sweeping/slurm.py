"""Batch scripts for Slurm: an array a stage, chained by dependency, and a last job that collects. Pure functions.

A task of an array is a shard of the plan. `--requeue` alone does not requeue a task that exits: the script traps USR1,
which Slurm sends before the time is up, hands it to the sweep, waits until everything is saved and asks for the requeue
itself. After TERM, which is how jobs are cancelled, it saves and stays cancelled.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run


@dataclass(frozen=True)
class Cluster:
    """What a cluster is asked for: tasks of an array at most, wall-clock time of a task, partition, cores of a task.

    `running` tasks may run at the same time (None: all), `largest` is the cluster's own limit of an array.
    """

    array_limit: int = 1000
    time: str = "2:00:00"
    partition: str | None = None
    cpus: int = 1
    running: int | None = None
    notice_s: int = 120
    largest: int = 1001


@dataclass(frozen=True)
class Place:
    """Absolute paths: of the plan, of its folder, of the working folder; `python` is the command that has escapedim."""

    plan: Path
    out: Path
    working: Path
    python: str


def tasks(runs: Sequence[Run], stage: int, cluster: Cluster) -> int:
    """Return how many tasks a stage has: one a run, up to the limits; beyond them tasks take several runs each."""
    count = sum(run.stage == stage for run in runs)
    return max(1, min(count, cluster.array_limit, cluster.largest - 1))


def array_script(plan: Plan, runs: Sequence[Run], stage: int, cluster: Cluster, place: Place) -> str:
    """Return the batch script of one stage."""
    count = tasks(runs, stage, cluster)
    most = f"%{cluster.running}" if cluster.running else ""
    head = _head(f"{plan.name}-{stage}", cluster, place, f"0-{count - 1}{most}", "%x-%A_%a.log")
    work = _sweep(place, "--stage", str(stage), "--jobs", str(cluster.cpus))
    body = _BODY.format(work=f'{work} --shard "$SLURM_ARRAY_TASK_ID/{count}"', folder=shlex.quote(str(place.working)))
    return f"{head}\n\n{body}"


def collect_script(plan: Plan, cluster: Cluster, place: Place) -> str:
    """Return the batch script that collects what the stages found."""
    head = _head(f"{plan.name}-collect", cluster, place, None, "%x-%j.log")
    return f"{head}\n\ncd {shlex.quote(str(place.working))} || exit 1\nexec {_sweep(place, '--collect')}\n"


def _head(name: str, cluster: Cluster, place: Place, array: str | None, log: str) -> str:
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={name}",
        *([f"#SBATCH --array={array}"] if array else []),
        f"#SBATCH --time={cluster.time}",
        f"#SBATCH --cpus-per-task={cluster.cpus}",
        *([f"#SBATCH --partition={cluster.partition}"] if cluster.partition else []),
        f"#SBATCH --signal=B:USR1@{cluster.notice_s}",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        f"#SBATCH --output={place.out}/slurm/{log}",
    ]
    return "\n".join(lines)


def _sweep(place: Place, *more: str) -> str:
    words = [place.python, "-m", "escapedim", "sweep", str(place.plan), "--out", str(place.out), *more]
    return shlex.join(words)


_BODY = """\
cd {folder} || exit 1
{work} &
sweep=$!

# Time is nearly up: save, and go on in a new start of this task.
again() {{
    kill -USR1 "$sweep" 2>/dev/null
    wait "$sweep"
    [ $? -ne 143 ] || scontrol requeue "$SLURM_JOB_ID"
    exit 0
}}
# Cancelled: save, and stay so.
stop() {{
    kill -TERM "$sweep" 2>/dev/null
    wait "$sweep"
    exit 143
}}
trap again USR1
trap stop TERM
wait "$sweep"
"""
