"""The report's other rows: rounds of pruning, spectra, sizes, and whole commands."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarking.cells import LONGEST_LINE, median_and_range, paragraphs, quotient, seconds
from benchmarking.commands_row import CommandTimes
from benchmarking.kernels_row import Saving
from benchmarking.report import held
from benchmarking.rounds_row import MEMBERS, RoundTimes
from benchmarking.scale_row import ScaleRow
from benchmarking.spectra_row import NO_CURVLINOPS, SpectraRow
from escapedim.reporting.page import Block, block
from escapedim.reporting.table import text_table


def rounds_blocks(rows: Sequence[RoundTimes], width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `rounds` for a console of `width` characters."""
    lines = [
        (row.inputs, f"{row.round}\n{row.density:.1%}", median_and_range(row.engine_ms),
         median_and_range(row.plain_ms), "\n".join(quotient(row.ratio)),
         f"{row.default_ratio.ratio:.1f}", f"{row.dense_ratio.ratio:.2f}")
        for row in rows
    ]  # fmt: skip
    legend = (
        f"Rounds, and their density. Median, and min..max: milliseconds per network step of {MEMBERS} members with a "
        "data order each, in one thread on one core. Ratio: the plain loop's time over that of escapedim; default: "
        "that of the plain loop with torch's default Adam, not the fused one; dense: that of round 0 over this round's."
    )
    header = ["inputs", "round", "escapedim", "plain loop", "ratio", "default", "dense"]
    return [
        block([f"Steps of pruned networks: {rows[0].network} and as wide ones"], "bold"),
        block(text_table(header, lines)),
        block(paragraphs([legend], width)),
    ]


def spectra_blocks(row: SpectraRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `spectra` for a console of `width` characters."""
    lines = [(f"escapedim, {row.members:,} in stacks", median_and_range(row.engine_ms), "")]
    lines += [
        (f"loop: {loop.name}", median_and_range(loop.network_ms), "\n".join(quotient(loop.ratio))) for loop in row.loops
    ]
    legend = [f"One thread {held(row.core)}. Hessians are exact, eigenvalues all of them."]
    if len(row.loops) == 1:
        legend.append(NO_CURVLINOPS)
    return [
        block([f"Hessian spectra of {row.network}: {row.parameters} parameters, {row.samples} samples"], "bold"),
        block(text_table(["milliseconds per network", "", "ratio"], lines)),
        block(paragraphs(legend, width)),
    ]


def scale_blocks(row: ScaleRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `scale` for a console of `width` characters."""
    lines = [
        (f"{size.members:,}", f"{size.width:,}", f"{size.step_us:,.1f} µs", f"{size.member_ms:,.2f} ms",
         f"{size.start_s:.1f} s", f"{size.peak_rss_mb:,.0f} MiB")
        for size in row.sizes
    ]  # fmt: skip
    legend = [
        "A network step; per member besides: draw, measures, checkpoint and summary; the start of the process and of a "
        "run; most memory."
    ]
    if row.jobs_ratio is not None:
        legend.append(f"--jobs 2 ends {row.jobs_ratio.ratio:.2f} times as soon as --jobs 1, start included.")
    header = ["members", "width", "step", "a member", "start", "memory"]
    return [
        block([f"escapedim train --task {row.task.partition(':')[0]}, one process"], "bold"),
        block(text_table(header, lines)),
        block(paragraphs(legend, width)),
    ]


def kernels_blocks(rows: Sequence[Saving], width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `kernels` for a console of `width` characters."""
    lines = [
        (
            row.kernel,
            row.command,
            f"{row.cpu_s.median:.1f} s",
            f"{100 * (row.without.ratio - 1):+.0f} %",
            f"{100 * (row.without.min - 1):+.0f}..{100 * (row.without.max - 1):+.0f} %",
        )
        for row in rows
    ]
    legend = "Processor time of the command with all kernels, and how much longer it takes without this one."
    return [
        block(["What each kernel saves"], "bold"),
        block(text_table(["kernel", "command", "with", "without", "range"], lines)),
        block(paragraphs([legend], width)),
    ]


def commands_blocks(rows: Sequence[CommandTimes], width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `commands` for a console of `width` characters."""
    lines = [
        (row.command, *seconds(row.wall_s), f"{row.at_most_s:.0f} s", f"{row.peak_rss_mb:,.0f} MiB") for row in rows
    ]
    legend = "With the start of the process. Limit: on two idle cores."
    return [
        block(["escapedim with defaults"], "bold"),
        block(text_table(["", "median", "min..max", "limit", "memory"], lines)),
        block(paragraphs([legend], width)),
    ]
