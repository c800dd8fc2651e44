"""Benchmark: escapedim against a plain PyTorch loop, and JAX where it is installed, that do the same work.

Rows are measured in turns (A B A B ...), so that a machine that slows down slows down all sides. `prune` times the
default `escapedim prune` as a process of its own, start included; `steps` times training steps of the engine in one
thread; `small` times full-batch steps of many small networks, and there JAX is measured too; `certify` times a descent
to certified endings, for which there is no other side; `gpu`, if asked for, times CUDA against one core. The plain loop
is what one writes by hand: one network after another, `nn.Sequential`, `torch.optim`, data in memory, masks multiplied
in after every step. It is spared the start of a process, saving, and all evaluation but one a network.

Before anything is timed, all sides run a few steps in float64 and must end with the same parameters.

    python scripts/benchmark.py            # some minutes; --quick: under one; --full: times all of the plain loop
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmarking.certify_row import measure_certify
from benchmarking.gpu_row import measure_gpu
from benchmarking.prune_row import measure_prune
from benchmarking.report import certify_blocks, gpu_blocks, prune_blocks, small_blocks, steps_blocks
from benchmarking.same_work import check_same_small_work, check_same_work
from benchmarking.small_row import measure_small
from benchmarking.steps_row import measure_steps
from benchmarking.timing import DEFAULT_THREADS, QUICK, Scale
from rich.console import Console

import escapedim
from escapedim.cli.settings import usable_cores
from escapedim.errors import BadInput, EscapedimError
from escapedim.records.atomic import write_atomic
from escapedim.records.provenance import commit_of, now
from escapedim.reporting.page import Block, write
from escapedim.reporting.render import make_console

ROWS = ("prune", "steps", "small", "certify", "gpu")
DEFAULT_ROWS = ROWS[:-1]
MEMBERS = (1, 8, 64, 512)


def machine() -> dict[str, Any]:
    """Say what was measured where."""
    return {
        "argv": sys.argv,
        "started": now(),
        "git": commit_of(Path(escapedim.__file__)),
        "versions": {name: version(name) for name in ("escapedim", "torch", "numpy")}
        | {"python": platform.python_version()},
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "torch_threads": DEFAULT_THREADS,
        "load_average": os.getloadavg(),
    }


def _cpu_model() -> str:
    with_names = Path("/proc/cpuinfo")
    lines = with_names.read_text().splitlines() if with_names.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def benchmark(
    rows: Sequence[str], scale: Scale, full: bool, members: Sequence[int], console: Console
) -> dict[str, Any]:
    """Check, measure, and print the rows that were asked for; return what goes into the JSON file."""
    if {"prune", "steps"} & set(rows):
        check_same_work()
    if "small" in rows:
        check_same_small_work()
    report = {"schema": "escapedim.benchmark/1", **machine(), "scale": asdict(scale), "rows": {}}
    if "prune" in rows:
        prune = measure_prune(scale, full)
        _show(prune_blocks(prune, console.width), console)
        report["rows"]["prune"] = asdict(prune)
    if "steps" in rows:
        steps = measure_steps(scale, members)
        _show(steps_blocks(steps, console.width), console)
        report["rows"]["steps"] = [asdict(row) for row in steps]
    if "small" in rows:
        small = measure_small(scale)
        _show(small_blocks(small, console.width), console)
        report["rows"]["small"] = asdict(small)
    if "certify" in rows:
        certified = measure_certify(scale)
        _show(certify_blocks(certified, console.width), console)
        report["rows"]["certify"] = asdict(certified)
    if "gpu" in rows:
        gpu = measure_gpu(scale.repeats)
        _show(gpu_blocks(gpu, console.width), console)
        report["rows"]["gpu"] = asdict(gpu)
    return report


def _show(blocks: Sequence[Block], console: Console) -> None:
    write(console, blocks)
    console.print()


def _listed(rows: str) -> list[str]:
    listed = [row.strip() for row in rows.split(",")]
    if set(listed) - set(ROWS):
        raise BadInput(f"--rows takes {', '.join(ROWS)}, found {rows!r}.")
    return listed


def _counts(members: str) -> list[int]:
    listed = [count.strip() for count in members.split(",")]
    if not all(count.isdecimal() and int(count) for count in listed):
        raise BadInput(f"--members takes whole numbers from 1 on, such as 1,8,64, found {members!r}.")
    return [int(count) for count in listed]


app = typer.Typer(add_completion=False)


@app.command()
def main(
    rows: Annotated[str, typer.Option(help=f"What to measure: {', '.join(ROWS)}.")] = ",".join(DEFAULT_ROWS),
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats and one round of prune: under a minute.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Run all of the plain loop instead of a share.")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repeats, of which the medians are given.")] = None,
    plain_steps: Annotated[int | None, typer.Option(min=50, help="Network steps of that share.")] = None,
    net_steps: Annotated[int | None, typer.Option(min=1, help="Network steps of a timing of 'steps'.")] = None,
    small_steps: Annotated[int | None, typer.Option(min=1, help="Steps of a timing of 'small'.")] = None,
    certify_members: Annotated[int | None, typer.Option(min=1, help="Members of 'certify'.")] = None,
    members: Annotated[str, typer.Option(help="Members of the stacks of 'steps'.")] = ",".join(map(str, MEMBERS)),
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers go.")] = Path("benchmark.json"),
) -> None:
    """Measure escapedim against a plain PyTorch loop, and JAX, that do the same work."""
    given = {
        "repeats": repeats,
        "plain_steps": plain_steps,
        "net_steps": net_steps,
        "small_steps": small_steps,
        "certify_members": certify_members,
    }
    scale = replace(QUICK if quick else Scale(), **{name: value for name, value in given.items() if value is not None})
    try:
        report = benchmark(_listed(rows), scale, full, _counts(members), make_console(sys.stdout))
        write_atomic(json_file, json.dumps(report, indent=1).encode())
    except EscapedimError as error:
        typer.echo(f"benchmark: {error}", err=True)
        raise typer.Exit(error.exit_code) from None


if __name__ == "__main__":
    app()
