"""`escapedim sweep PLAN --slurm`: print the batch scripts of a plan, or submit them and return at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from escapedim.cli.streams import note, show
from escapedim.errors import BadInput, EscapedimError
from escapedim.records.atomic import write_atomic
from escapedim.records.folders import prepare_folder
from escapedim.records.ledger import Ledger
from escapedim.records.strict_json import read_object
from escapedim.regular_files import read_regular
from escapedim.sweeping.directives import WORD, check_directive
from escapedim.sweeping.runs import SweepRun
from escapedim.sweeping.slurm import (
    Array,
    Cluster,
    Place,
    array_script,
    arrays,
    collect_script,
    options_of,
    time_limit_s,
)  # fmt: skip
from escapedim.sweeping.state import standings
from escapedim.sweeping.sweep_plan import SweepPlan
from escapedim.text import excerpt

SUBMITTED = "submitted.json"
_TIMEOUT_S = 30
MOST_SUBMITTED_BYTES = 1 << 20  # ours


@dataclass(frozen=True)
class Script:
    """A batch script; those of one stage wait for the stage before them, the last one for all."""

    name: str
    stage: int
    text: str


def scripts(plan: SweepPlan, runs: Sequence[SweepRun], path: Path, out: Path, cluster: Cluster) -> list[Script]:
    """Return the batch scripts of what is not complete, stage after stage, and of the job that collects.

    Raises
    ------
    BadInput
        More tasks than the cluster takes; a path that a batch script cannot hold.
    """
    place = Place(path.absolute(), out.absolute(), Path.cwd(), sys.executable)
    for found in (place.plan, place.out, place.working):
        if not str(found).isprintable() or "\\" in str(found):
            raise BadInput(
                f"{excerpt(str(found))}: a batch script cannot hold a backslash, a line break or undecodable bytes "
                "in a path; use another folder or name."
            )
    done = {one.run.name for one in standings(runs, out) if one.state == "complete"}
    stages = [arrays(runs, done, stage, cluster) for stage in range(len(plan.stages))]
    _check_jobs([array for found in stages for array in found], cluster)
    made = [
        Script(
            f"{array.stage}-{plan.stages[array.stage].command}{f'-{array.number}' if len(found) > 1 else ''}.sbatch",
            array.stage,
            array_script(plan, array, cluster, place),
        )
        for found in stages
        for array in found
    ]
    return [*made, Script("collect.sbatch", len(stages), collect_script(plan, cluster, place))]


def print_scripts(plan: SweepPlan, runs: Sequence[SweepRun], path: Path, out: Path, cluster: Cluster) -> None:
    """Print the scripts. They name the plan itself, as nothing is written; those that are submitted have their copy."""
    for script in scripts(plan, runs, path, out, _fitted(cluster)):
        sys.stdout.write(f"# {script.name}\n{script.text}\n")


def submit(plan: SweepPlan, runs: Sequence[SweepRun], path: Path, out: Path, cluster: Cluster) -> None:
    """Write the scripts below `out` and submit them, each stage after the one before it; print the job of each.

    They run a copy of the plan, so that it may be edited for the next study while jobs wait.

    Raises
    ------
    BadInput
        There is no sbatch here, jobs of an earlier submission are still under way, or `out` cannot be written.
    EscapedimError
        Slurm refused a script; those before it are cancelled again.
    """
    if shutil.which("sbatch") is None:
        raise BadInput("--submit: there is no sbatch here; run it on a login node, or leave --submit out.")
    folder = out / "slurm"
    prepare_folder(folder)
    _check_idle(folder / SUBMITTED)
    text = read_regular(path)
    copy = folder / f"plan-{hashlib.sha256(text).hexdigest()[:16]}.yaml"
    made = scripts(plan, runs, copy, out, _fitted(cluster))
    ledger = Ledger(folder, "--out")
    ledger.require_ours((one.name for one in made), {one.name: _earlier(folder / one.name) for one in made})
    write_atomic(copy, text)
    ledger.write({one.name: one.text.encode() for one in made})
    jobs: list[tuple[Script, str]] = []
    for script in made:
        after = _before(script, jobs, cluster)
        options = [*options_of(script.text), *([f"--dependency=afterany:{':'.join(after)}"] if after else [])]
        jobs.append((script, _sbatch(folder / script.name, options, [job for _, job in jobs])))
        show(f"{jobs[-1][1]}  {script.name}")
    write_atomic(folder / SUBMITTED, json.dumps({"jobs": [job for _, job in jobs]}).encode())


def _earlier(path: Path) -> list[str]:
    """Return the hash of a script of versions that left no ledger, known by the command in it."""
    with suppress(OSError):
        data = read_regular(path)
        return [hashlib.sha256(data).hexdigest()] if b"-m escapedim sweep" in data else []
    return []


def _check_idle(submitted: Path) -> None:
    """Refuse to submit what is queued already: its runs would be done once, but twice as many tasks wait for nodes."""
    try:
        jobs = [str(job) for job in read_object(submitted, MOST_SUBMITTED_BYTES)["jobs"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    ended = _call("squeue", "--noheader", "--format=%F", f"--jobs={','.join(jobs)}") if jobs else None
    left = sorted(set(ended.stdout.split()) & set(jobs)) if ended is not None and ended.returncode == 0 else []
    if left:
        raise BadInput(
            f"--submit: jobs of the last submission are still queued or running ({', '.join(left)}); wait for them, or "
            f"cancel them ('scancel {' '.join(left)}'), then repeat the command."
        )


def _before(script: Script, jobs: Sequence[tuple[Script, str]], cluster: Cluster) -> list[str]:
    """Return the jobs for which a script waits: the last stage before it that has some.

    A limit of running tasks holds within an array, so that arrays of one stage wait for each other where there is one.
    """
    own = [job for earlier, job in jobs if earlier.stage == script.stage]
    if own and cluster.running:
        return own[-1:]
    last = max((earlier.stage for earlier, _ in jobs if earlier.stage < script.stage), default=None)
    return [job for earlier, job in jobs if earlier.stage == last]


def _sbatch(script: Path, options: Sequence[str], submitted: Sequence[str]) -> str:
    ended = _call("sbatch", "--parsable", *options, str(script))
    if ended is not None and ended.returncode == 0 and (job := re.fullmatch(r"([0-9]+)(;\S*)?\s*", ended.stdout)):
        return job[1]
    if submitted:
        _call("scancel", *submitted)
    # A cluster that holds as many jobs as it can does not refuse: sbatch tries again.
    full = f"no answer within {_TIMEOUT_S} s, perhaps because of too many jobs (--runs-per-task makes fewer)"
    said = full if ended is None else " ".join((ended.stderr or f"no job number, but '{ended.stdout.strip()}'").split())
    again = "what was submitted before it is cancelled: correct it and submit again" if submitted else "correct it"
    raise EscapedimError(f"sbatch {script}: {said}; {again}.")


def _check_jobs(found: Sequence[Array], cluster: Cluster) -> None:
    """Refuse more tasks than the cluster takes jobs, with which sbatch would try again and again."""
    tasks, most = sum(len(array.tasks) for array in found), cluster.most_jobs - 1  # and one collects
    if tasks > most:
        fewer = cluster.runs_per_task * -(-tasks // max(1, most))
        raise BadInput(
            f"{tasks:,} tasks are too many for this cluster, which holds {cluster.most_jobs:,} jobs (MaxJobCount); "
            f"give --runs-per-task {fewer} or more."
        )


def _fitted(cluster: Cluster) -> Cluster:
    """Return what is asked for, with the cluster's own limits: indices stay below MaxArraySize.

    Raises
    ------
    BadInput
        A time limit that sbatch would not read, or that is over before its notice; a partition or another option of
        sbatch that does not fit into its line.
    """
    if cluster.partition is not None and not re.fullmatch(WORD, cluster.partition):
        raise BadInput(f"--partition: expected a name without spaces and quotes, found {excerpt(cluster.partition)!r}.")
    for directive in cluster.directives:
        check_directive(directive)
    limit_s = time_limit_s(cluster.time)
    if limit_s is None:
        raise BadInput(
            f"--time: expected minutes, or a time such as 2:00:00 or 1-12:00:00, found {cluster.time!r:.80}."
        )
    if cluster.notice_s >= limit_s:
        raise BadInput(
            f"--notice: {cluster.notice_s} s before the end come before the start where --time is {cluster.time}; "
            "give a longer --time or a shorter --notice."
        )
    ended = _call("scontrol", "show", "config")
    found = dict(re.findall(r"^(Max\w+)\s*=\s*(\d{1,9})$", ended.stdout, re.MULTILINE)) if ended else {}
    if int(found.get("MaxArraySize", 0)) > 0:
        most = int(found.get("MaxJobCount", cluster.most_jobs))
        return replace(cluster, largest=int(found["MaxArraySize"]), most_jobs=most)
    note(
        f"scontrol does not say this cluster's MaxArraySize; arrays have at most {cluster.largest:,} tasks, "
        "Slurm's default (--array-limit sets fewer)."
    )
    return cluster


def _call(*command: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False,
            # The one option that cannot be undone on the command line: sbatch would wait for the job to end.
            env={name: value for name, value in os.environ.items() if name != "SBATCH_WAIT"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
