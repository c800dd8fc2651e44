"""`escapedim sweep PLAN --slurm`: print the batch scripts of a plan, or submit them and return at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from escapedim.errors import BadInput, EscapedimError
from escapedim.records.atomic import write_atomic
from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run
from escapedim.sweeping.slurm import Cluster, Place, array_script, collect_script

_TIMEOUT_S = 30


def scripts(plan: Plan, runs: Sequence[Run], path: Path, out: Path, cluster: Cluster) -> list[tuple[str, str]]:
    """Return the batch scripts by file name, in the order in which they depend on each other."""
    place = Place(path.absolute(), out.absolute(), Path.cwd(), sys.executable)
    made = [
        (f"{number}-{stage.command}.sbatch", array_script(plan, runs, number, cluster, place))
        for number, stage in enumerate(plan.stages)
    ]
    return [*made, ("collect.sbatch", collect_script(plan, cluster, place))]


def show(plan: Plan, runs: Sequence[Run], path: Path, out: Path, cluster: Cluster) -> None:
    """Print the scripts."""
    for name, text in scripts(plan, runs, path, out, cluster):
        sys.stdout.write(f"# {name}\n{text}\n")


def submit(plan: Plan, runs: Sequence[Run], path: Path, out: Path, cluster: Cluster) -> None:
    """Write the scripts below `out` and submit them, each after the one before it; print the job of each.

    Raises
    ------
    BadInput
        There is no sbatch here.
    EscapedimError
        Slurm refused a script; those before it are submitted.
    """
    if shutil.which("sbatch") is None:
        raise BadInput("--submit: there is no sbatch here; run it on a login node, or leave --submit out.")
    folder = out / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    before: str | None = None
    for name, text in scripts(plan, runs, path, out, replace(cluster, largest=_largest(cluster.largest))):
        write_atomic(folder / name, text.encode())
        before = _sbatch(folder / name, before)
        sys.stdout.write(f"{before}  {name}\n")


def _sbatch(script: Path, after: str | None) -> str:
    dependency = [f"--dependency=afterany:{after}"] if after else []
    ended = _call("sbatch", "--parsable", *dependency, str(script))
    if ended is None or ended.returncode != 0:
        said = "no answer" if ended is None else " ".join(ended.stderr.split())
        raise EscapedimError(f"sbatch {script}: {said}; correct it and submit again, what is done stays done.")
    return ended.stdout.split(";")[0].strip()


def _largest(default: int) -> int:
    """Return the cluster's MaxArraySize: indices stay below it."""
    ended = _call("scontrol", "show", "config")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", ended.stdout, re.MULTILINE) if ended else None
    return int(found[1]) if found else default


def _call(*command: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
