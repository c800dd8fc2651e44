"""Batch scripts for Slurm: arrays a stage, chained by dependency, and a last job that collects. Pure functions.

A task of an array is a shard of the plan, and a stage with more tasks than an array may have takes several arrays.
`--requeue` alone does not requeue a task that exits: the script traps USR1, which Slurm sends before the time is up,
hands it to the sweep, waits until everything is saved and asks for the requeue itself. After TERM, which is how jobs
are cancelled, it saves and stays cancelled.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from escapedim.children import python_module
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.sweep_plan import SweepPlan

_DIRECTIVE = "#SBATCH "
MAX_ARRAY_SIZE, MAX_JOB_COUNT = 1001, 10_000  # Slurm's own defaults (slurm.conf(5))


@dataclass(frozen=True)
class Cluster:
    """What a cluster is asked for: wall-clock time, partition and cores of a task, and how many runs are its own.

    `running` tasks may run at the same time (None: all). An array has at most `array_limit` tasks, and never more than
    `largest`, the cluster's MaxArraySize; `most_jobs` is its MaxJobCount, and every task is a job. `directives` are
    more options of sbatch, such as gres=gpu:1; `device` and `retry` are those of the sweep in each task.
    """

    time: str = "2:00:00"
    partition: str | None = None
    cpus: int = 1
    running: int | None = None
    notice_s: int = 120
    runs_per_task: int = 1
    array_limit: int | None = None
    directives: tuple[str, ...] = ()
    device: str | None = None
    retry: bool = True
    largest: int = MAX_ARRAY_SIZE
    most_jobs: int = MAX_JOB_COUNT


@dataclass(frozen=True)
class Place:
    """Absolute paths: of the plan, of its folder, of the working folder; `python` is the command that has escapedim."""

    plan: Path
    out: Path
    working: Path
    python: str


@dataclass(frozen=True)
class Array:
    """One array of a stage of so many `shards`: task I of `tasks` is shard `first` + I."""

    stage: int
    number: int
    shards: int
    first: int
    tasks: tuple[int, ...]


def arrays(runs: Sequence[SweepRun], done: Collection[str], stage: int, cluster: Cluster) -> list[Array]:
    """Return the arrays of a stage, without tasks of which all runs are `done`: none where nothing is left."""
    names = [run.name for run in runs if run.stage == stage]
    shards = -(-len(names) // cluster.runs_per_task)
    wanted = sorted({at % shards for at, name in enumerate(names) if name not in done})
    size = min(cluster.largest, cluster.array_limit or cluster.largest)
    parts = {first: tuple(at - first for at in wanted if first <= at < first + size)
             for first in range(0, shards, size)}  # fmt: skip
    full = [(first, tasks) for first, tasks in parts.items() if tasks]
    return [Array(stage, number, shards, first, tasks) for number, (first, tasks) in enumerate(full)]


def array_script(plan: SweepPlan, array: Array, cluster: Cluster, place: Place) -> str:
    """Return the batch script of an array."""
    most = f"%{cluster.running}" if cluster.running else ""
    head = _head(f"{plan.name}-{array.stage}", cluster, place, f"{_ranges(array.tasks)}{most}", "%x-%A_%a.log")
    more = [*(["--device", cluster.device] if cluster.device else []), *([] if cluster.retry else ["--no-retry"])]
    work = _sweep(place, "--stage", str(array.stage), "--jobs", str(cluster.cpus), *more)
    index = f"$(({array.first} + SLURM_ARRAY_TASK_ID))" if array.first else "$SLURM_ARRAY_TASK_ID"
    shard = f'--shard "{index}/{array.shards}"'
    return f"{head}\n\n{_BODY.format(work=f'{work} {shard}', folder=shlex.quote(str(place.working)))}"


def collect_script(plan: SweepPlan, cluster: Cluster, place: Place) -> str:
    """Return the batch script that collects what the stages found."""
    head = _head(f"{plan.name}-collect", cluster, place, None, "%x-%j.log")
    return f"{head}\n\ncd {shlex.quote(str(place.working))} || exit 1\nexec {_sweep(place, '--collect')}\n"


def options_of(script: str) -> list[str]:
    """Return the options of sbatch that a script asks for, for the command line.

    There they go before variables such as SBATCH_TIMELIMIT, which go before what the script says.
    """
    lines = [line.removeprefix(_DIRECTIVE) for line in script.splitlines() if line.startswith(_DIRECTIVE)]
    return [word for line in lines for word in shlex.split(line)]


def _head(name: str, cluster: Cluster, place: Place, array: str | None, log: str) -> str:
    lines = [
        "#!/bin/bash",
        f"#SBATCH --job-name={name}",
        *([f"#SBATCH --array={array}"] if array else []),
        f"#SBATCH --time={cluster.time}",
        f"#SBATCH --cpus-per-task={cluster.cpus}",
        *([f"#SBATCH --partition={cluster.partition}"] if cluster.partition else []),
        *(f"#SBATCH --{directive}" for directive in cluster.directives),
        f"#SBATCH --signal=B:USR1@{cluster.notice_s}",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        f"#SBATCH --output={shlex.quote(str(place.out).replace('%', '%%'))}/slurm/{log}",
    ]
    return "\n".join(lines)


def _sweep(place: Place, *more: str) -> str:
    more = ("sweep", str(place.plan), "--out", str(place.out), *more)
    return shlex.join(python_module("escapedim", *more, python=place.python))


def _ranges(numbers: Sequence[int]) -> str:
    """Return increasing numbers as `0-3,7`."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and groups[-1][-1] + 1 == number:
            groups[-1][1:] = [number]
        else:
            groups.append([number])
    return ",".join("-".join(map(str, group)) for group in groups)


def time_limit_s(text: str) -> int | None:
    """Return the seconds of a time limit as sbatch takes it: `90` (minutes), `90:00`, `1:30:00`, `1-6`, `1-6:00:00`."""
    if not (found := re.fullmatch(r"(?:([0-9]{1,9})-)?([0-9]{1,9})(?::([0-9]{1,9}))?(?::([0-9]{1,9}))?", text)):
        return None
    days, *parts = found.groups()
    given = [int(part) for part in parts if part is not None]
    if days is not None or len(given) == 3:
        hours, minutes, seconds = [*given, 0, 0][:3]
    else:
        hours, (minutes, seconds) = 0, [*given, 0][:2]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


_BODY = """\
cd {folder} || exit 1
{work} &
sweep=$!

# Time is nearly up: save, and go on in a new start of this task.
again() {{
    kill -USR1 "$sweep" 2>/dev/null
    wait "$sweep"
    code=$?
    [ $code -ge 128 ] || exit $code
    # Not by SLURM_JOB_ID: one task has the number of its array, and all tasks would be requeued by it.
    for pause in 5 15 0; do
        scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" && exit 0
        sleep $pause
    done
    exit $code
}}
# Cancelled: save, and stay so. Slurm has told all processes; USR1 is no second TERM, which would end them at once.
stop() {{
    kill -USR1 "$sweep" 2>/dev/null
    wait "$sweep"
    exit 143
}}
trap again USR1
trap stop TERM
wait "$sweep"
"""
