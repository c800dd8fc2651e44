"""Benchmark: escapedim against a plain PyTorch loop, and JAX where it is installed, that do the same work.

Rows are measured in turns (A B A B ...), so that a machine that slows down slows down all sides. `prune` times the
default `escapedim prune` as a process of its own, start included; `steps` times training steps of the engine in one
thread; `rounds` those of pruned networks, round by round; `small` times full-batch steps of many small networks, and
there JAX and torch.func are measured too; `spectra` times exact spectra of their Hessians; `certify` times a descent to
certified endings, for which there is no other side. If asked for, `certify20` does so for twice the width, `scale`
times `escapedim train` by members, widths and processes, `commands` the default commands as they are, and `gpu` CUDA
against one core. The plain loop is what one writes by hand: one network after another, `nn.Sequential`, `torch.optim`,
data in memory, masks multiplied in after every step. It is spared the start of a process, saving, and all evaluation
but one a network.

Before anything is timed, all sides run a few steps in float64 and must end with the same parameters.

    python scripts/benchmark.py            # some minutes; --quick: three; --full: times all of the plain loop

A change is held against the state before it by ratios alone, each of sides of one run, since times are those of a
machine and an hour:

    git worktree add ../before HEAD
    PYTHONPATH=../before python ../before/scripts/benchmark.py --rows small,rounds --json before.json
    python scripts/benchmark.py --rows small,rounds --against before.json
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from benchmarking.against import against_blocks, changes, read_report, unlike
from benchmarking.certify_row import MORE_UNITS, measure_certify
from benchmarking.commands_row import measure_commands
from benchmarking.gpu_row import measure_gpu
from benchmarking.kernels_row import measure_kernels
from benchmarking.prune_row import measure_prune
from benchmarking.report import certify_blocks, gpu_blocks, prune_blocks, small_blocks, steps_blocks
from benchmarking.report_more import commands_blocks, kernels_blocks, rounds_blocks, scale_blocks, spectra_blocks
from benchmarking.rounds_row import measure_rounds
from benchmarking.same_work import check_same_rounds, check_same_small_work, check_same_work
from benchmarking.scale_row import measure_scale
from benchmarking.small_row import measure_small
from benchmarking.spectra_row import measure_spectra
from benchmarking.steps_row import measure_steps
from benchmarking.timing import DEFAULT_THREADS, QUICK, Scale
from rich.console import Console

import escapedim
from escapedim.errors import BadInput, EscapedimError
from escapedim.machine import usable_cores
from escapedim.records.atomic import write_through
from escapedim.records.provenance import commit_of, now
from escapedim.reporting.page import Block, write
from escapedim.reporting.render import make_console


@dataclass(frozen=True)
class Row:
    """How a row is checked, measured, and reported."""

    measure: Callable[[Scale, Sequence[int]], Any]
    blocks: Callable[[Any, int], list[Block]]
    check: Callable[[], None] = lambda: None
    asked_for: bool = False


ROWS: dict[str, Row] = {
    "prune": Row(lambda scale, _: measure_prune(scale, scale.full), prune_blocks, check_same_work),
    "steps": Row(measure_steps, steps_blocks, check_same_work),
    "rounds": Row(lambda scale, _: measure_rounds(scale), rounds_blocks, check_same_rounds),
    "small": Row(lambda scale, _: measure_small(scale), small_blocks, check_same_small_work),
    "spectra": Row(lambda scale, _: measure_spectra(scale), spectra_blocks),
    "certify": Row(lambda scale, _: measure_certify(scale), certify_blocks),
    "certify20": Row(lambda scale, _: measure_certify(scale, MORE_UNITS), certify_blocks, asked_for=True),
    "scale": Row(lambda scale, _: measure_scale(scale), scale_blocks, asked_for=True),
    "commands": Row(lambda scale, _: measure_commands(scale), commands_blocks, asked_for=True),
    "kernels": Row(lambda scale, _: measure_kernels(scale), kernels_blocks, asked_for=True),
    "gpu": Row(lambda scale, _: measure_gpu(scale.repeats), gpu_blocks, asked_for=True),
}
DEFAULT_ROWS = [name for name, row in ROWS.items() if not row.asked_for]
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


def benchmark(rows: Sequence[str], scale: Scale, members: Sequence[int], console: Console) -> dict[str, Any]:
    """Check, measure, and print the rows that were asked for; return what goes into the JSON file."""
    for check in dict.fromkeys(ROWS[name].check for name in rows):
        check()
    report = {"schema": "escapedim.benchmark/2", **machine(), "scale": asdict(scale), "rows": {}}
    for name in (name for name in ROWS if name in rows):
        measured = ROWS[name].measure(scale, members)
        _show(ROWS[name].blocks(measured, console.width), console)
        report["rows"][name] = [asdict(one) for one in measured] if isinstance(measured, list) else asdict(measured)
    return report


def _show(blocks: Sequence[Block], console: Console) -> None:
    write(console, blocks)
    console.print()


def _listed(rows: str) -> list[str]:
    listed = [row.strip() for row in rows.split(",")]
    if set(listed) - ROWS.keys():
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
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats and one round of prune: three minutes.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="All of the plain loop, not a share; the largest of 'scale'.")
    ] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repeats, of which the medians are given.")] = None,
    plain_steps: Annotated[int | None, typer.Option(min=50, help="Network steps of that share.")] = None,
    net_steps: Annotated[int | None, typer.Option(min=1, help="Network steps of a timing of 'steps'.")] = None,
    small_steps: Annotated[int | None, typer.Option(min=1, help="Steps of a timing of 'small'.")] = None,
    certify_members: Annotated[int | None, typer.Option(min=1, help="Members of 'certify'.")] = None,
    members: Annotated[str, typer.Option(help="Members of the stacks of 'steps'.")] = ",".join(map(str, MEMBERS)),
    compiled: Annotated[
        bool, typer.Option("--compile", help="Measure torch.compile in 'small': a minute more.")
    ] = False,
    against: Annotated[
        Path | None, typer.Option(help="Hold the ratios against those of an earlier run's file, as --json wrote it.")
    ] = None,
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
    numbers: Any = {name: value for name, value in given.items() if value is not None}
    scale = replace(QUICK if quick else Scale(), full=full, compiled=compiled, **numbers)
    console = make_console(sys.stdout)
    try:
        before = None if against is None else read_report(against)
        if json_file.is_dir() or not json_file.parent.is_dir():
            raise BadInput(f"--json {json_file}: expected a file in a folder that is there.")
        report = benchmark(_listed(rows), scale, _counts(members), console)
        if against is None or json_file.resolve() != against.resolve():  # what was measured before stays
            write_through(json_file, json.dumps(report, indent=1).encode())
    except EscapedimError as error:
        typer.echo(f"benchmark: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    if before is not None and against is not None:
        found = against_blocks(against, changes(report, before), unlike(report, before), console.width)
        _show(found, console)


if __name__ == "__main__":
    app()
