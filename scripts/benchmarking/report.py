"""The benchmark's report: each row as a table and the legend of its numbers, in lines that a terminal of 80 shows."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarking.cells import (
    LONGEST_LINE,
    brief,
    median_and_range,
    microseconds,
    milliseconds,
    paragraphs,
    quotient,
    seconds,
)
from benchmarking.certify_row import CertifyRow
from benchmarking.gpu_row import GpuRow
from benchmarking.jax_side import MISSING
from benchmarking.prune_row import PruneRow
from benchmarking.small_row import SmallRow, SmallTimes
from benchmarking.steps_row import StepsRow
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose
from escapedim.reporting.table import text_table

OVER = "  the same"
PROGRAM_LABELS = {"vmap": "JAX, vmap", "map": "JAX, lax.map"}


def prune_blocks(row: PruneRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `prune` for a console of `width` characters."""
    return [
        block([f"{row.command}: {row.net_steps:,} network steps"], "bold"),
        block(text_table(["", "median", "min..max"], _prune_lines(row))),
        block(paragraphs(_prune_legend(row), width)),
    ]


def _prune_lines(row: PruneRow) -> list[Sequence[str]]:
    return [
        (f"escapedim, processes of one thread: {row.jobs}", *seconds(row.tool_s)),
        ("  without the start of its process", *seconds(row.tool_run_s)),
        *((f"plain loop, torch threads: {times.threads}", *seconds(times.all_s)) for times in row.plain),
        ("ratio", *quotient(row.ratio)),
        ("training alone, one thread: escapedim", *seconds(row.engine_training_s)),
        ("training alone, one thread: plain loop", *seconds(row.plain[0].training_s)),
        ("ratio of training alone", *quotient(row.training_ratio)),
        ("peak memory of escapedim, all processes", f"{row.tool_peak_rss_mb:,.0f} MiB", ""),
    ]


def _prune_legend(row: PruneRow) -> list[str]:
    legend = [
        "Ratio: the time of the faster plain loop over that of escapedim. Only escapedim pays for starting a process."
    ]
    if row.plain_net_steps < row.net_steps:
        legend.append(
            f"The plain loop and training alone were timed over {row.plain_net_steps:,}{TIE}network steps, of rounds "
            f"0 and 1, and scaled up by {row.net_steps / row.plain_net_steps:.1f}; --full runs all of them."
        )
    return legend


def gpu_blocks(row: GpuRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `gpu` for a console of `width` characters."""
    steps = [
        (one.case, f"{one.members:,}", one.dtype, median_and_range(one.cuda_us), median_and_range(one.cpu_us),
         f"{one.ratio.ratio:.1f}", f"{one.off_by:.0e}")
        for one in row.steps
    ]  # fmt: skip
    descents = [(one.task, f"{one.members:,}", *seconds(one.cuda_s)) for one in row.descents]
    legend = (
        "Microseconds per network step, median and min..max below it; CPU: one core, a stack of the size that the tool "
        "chooses. Off by: the largest difference between both devices' parameters after the checked steps, over the "
        "largest parameter of the network."
    )
    return [
        block([row.card], "bold"),
        block(text_table(["networks", "on CUDA", "dtype", "CUDA", "CPU", "ratio", "off by"], steps)),
        block(paragraphs([legend], width)),
        block(text_table(["descent to endings", "members", "median", "min..max"], descents)),
    ]


def steps_blocks(rows: Sequence[StepsRow], width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `steps` for a console of `width` characters."""
    header = ["members", "data order", "plain loop", "escapedim", "ratio"]
    legend = (
        "Median, and min..max below it. A network step is one step of one network: the wall time of a stack over its "
        "steps and its members. The members of a stack share one data order, or have one each."
    )
    return [
        block(["Training steps in one thread: milliseconds per network step"], "bold"),
        block(text_table(header, [line for row in rows for line in _steps_lines(row)], left=2)),
        block(prose(legend, min(width, LONGEST_LINE))),
    ]


def _steps_lines(row: StepsRow) -> list[Sequence[str]]:
    plain = milliseconds(row.plain_ms)
    return [
        (str(row.members), order, plain, milliseconds(stack.net_step_ms), "\n".join(quotient(stack.ratio)))
        for order, stack in (("shared", row.shared), ("own", row.own))
    ]


def small_blocks(row: SmallRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `small` for a console of `width` characters."""
    return [
        block([f"{row.members} networks {row.network} on {row.samples} samples: gradient descent in float64"], "bold"),
        block(text_table(["microseconds per network step", *(name for name, _ in _columns(row))], _small_lines(row))),
        block(paragraphs(_small_legend(row), width)),
    ]


def _columns(row: SmallRow) -> list[tuple[str, SmallTimes]]:
    columns = [("one core", row.one_core)]
    if row.all_cores is not None:
        columns.append((f"all {row.all_cores.processes} cores", row.all_cores))
    return columns


def _small_lines(row: SmallRow) -> list[Sequence[str]]:
    columns = [times for _, times in _columns(row)]
    jax = [times.jax for times in columns if times.jax is not None]
    lines: list[tuple[str, Sequence[tuple[str, str]]]] = [
        (f"escapedim, stacks of {row.stack}", [microseconds(times.engine_us) for times in columns]),
        ("plain loop", [microseconds(times.plain_us) for times in columns]),
        ("plain loop / escapedim", [quotient(times.plain_ratio) for times in columns]),
    ]
    if jax:
        for number, program in enumerate(jax[0].programs):
            spreads = [column.programs[number].net_step_us for column in jax]
            lines.insert(-1, (PROGRAM_LABELS[program.program], [microseconds(spread) for spread in spreads]))
        lines.append(("better one of JAX / escapedim", [quotient(column.ratio) for column in jax]))
    empty = [("", "")] * (len(columns) - 1)
    for other in columns[0].others:
        lines.append((other.name, [microseconds(other.net_step_us), *empty]))
        lines.append((f"{OVER} / escapedim", [quotient(other.ratio), *empty]))
    return [(label, *("\n".join(cell) for cell in cells)) for label, cells in lines]


def _small_legend(row: SmallRow) -> list[str]:
    every = row.all_cores
    legend = [
        "Median, and min..max below it. Full batches; all sides in turns. One core: all sides in one thread "
        f"{held(row.core)}. {row.steps:,}{TIE}steps of every network; of the plain loop {row.plain_net_steps:,}{TIE}"
        "network steps."
    ]
    if every is None:
        legend.append("Only one core is usable here, so that all cores were not measured apart.")
    else:
        legend.append(
            f"All cores: escapedim in {every.processes} processes of one thread; the plain loop in one process, with "
            f"the faster of 1 and {every.processes} torch threads, here {every.plain_threads}; JAX with its threads."
        )
    legend.append(
        "Not timed: starting processes, compiling, looks for landing, and, on one core, the making of the stacks."
    )
    if row.one_core.left_out:
        legend.append(row.one_core.left_out)
    if row.one_core.jax is None:
        return [*legend, MISSING]
    compiled = [f"{times.compile_s:.1f}{TIE}s" for times in row.one_core.jax.programs]
    return [*legend, f"JAX {row.one_core.jax.version} compiled for {' and '.join(compiled)} on one core."]


def certify_blocks(row: CertifyRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `certify` for a console of `width` characters."""
    phases = {
        "draw of the initial weights": row.draw_s,
        "descent with landing": row.descent_s,
        "certificates of the ended members": row.certify_s,
    }
    times = [(label, *brief(spread)) for label, spread in phases.items()]
    shares = [(ending, f"{share:.1%}", "") for ending, share in row.endings.items()]
    legend = f"One process and one thread {held(row.core)}. Members in a certified minimum left the descent early."
    return [
        block([f"{row.members:,} members of {row.task}, {row.network}: {row.net_steps:,} network steps"], "bold"),
        block(text_table(["", "median", "min..max"], [*times, *shares])),
        block(paragraphs([legend], width)),
    ]


def held(core: int | None) -> str:
    """Say on which core, or on none in particular."""
    return "on no core in particular" if core is None else f"on core {core}"
