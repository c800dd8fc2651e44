"""The benchmark's report: each row as a table and the legend of its numbers, in lines that a terminal of 80 shows."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarking.certify_row import CertifyRow
from benchmarking.jax_side import MISSING
from benchmarking.prune_row import PruneRow
from benchmarking.small_row import SmallRow
from benchmarking.steps_row import StepsRow
from benchmarking.timing import Ratio, Spread
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose
from escapedim.reporting.table import text_table

LONGEST_LINE = 80
PROGRAM_LABELS = {"vmap": "JAX, vmap", "map": "JAX, lax.map"}


def prune_blocks(row: PruneRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `prune` for a console of `width` characters."""
    return [
        block([f"{row.command}: {row.net_steps:,} network steps"], "bold"),
        block(text_table(["", "median", "min..max"], _prune_lines(row))),
        block(_paragraphs(_prune_legend(row), width)),
    ]


def _prune_lines(row: PruneRow) -> list[Sequence[str]]:
    return [
        (f"escapedim, processes of one thread: {row.jobs}", *_seconds(row.tool_s)),
        ("  without the start of its process", *_seconds(row.tool_run_s)),
        *((f"plain loop, torch threads: {times.threads}", *_seconds(times.all_s)) for times in row.plain),
        ("ratio", *_quotient(row.ratio)),
        ("training alone, one thread: escapedim", *_seconds(row.engine_training_s)),
        ("training alone, one thread: plain loop", *_seconds(row.plain[0].training_s)),
        ("ratio of training alone", *_quotient(row.training_ratio)),
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
    plain = _milliseconds(row.plain_ms)
    return [
        (str(row.members), order, plain, _milliseconds(stack.net_step_ms), "\n".join(_quotient(stack.ratio)))
        for order, stack in (("shared", row.shared), ("own", row.own))
    ]


def small_blocks(row: SmallRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `small` for a console of `width` characters."""
    return [
        block([f"{row.members} networks {row.network} on {row.samples} samples: gradient descent in float64"], "bold"),
        block(text_table(["microseconds per network step", "median", "min..max"], _small_lines(row))),
        block(_paragraphs(_small_legend(row), width)),
    ]


def _small_lines(row: SmallRow) -> list[Sequence[str]]:
    lines: list[Sequence[str]] = [
        (f"escapedim, stacks of {row.stack}", *_microseconds(row.engine_us)),
        ("plain loop", *_microseconds(row.plain_us)),
    ]
    if row.jax is not None:
        lines += [(PROGRAM_LABELS[times.program], *_microseconds(times.net_step_us)) for times in row.jax.programs]
    lines.append(("ratio to the plain loop", *_quotient(row.plain_ratio)))
    if row.jax is not None:
        lines.append(("ratio to the better one of JAX", *_quotient(row.jax.ratio)))
    return lines


def _small_legend(row: SmallRow) -> list[str]:
    legend = [
        f"Full batches; all sides in turns, in one thread {_held(row.core)}. {row.steps:,}{TIE}steps of every network; "
        f"of the plain loop {row.plain_net_steps:,}{TIE}network steps. Ratio: the other side's time over escapedim's."
    ]
    if row.jax is None:
        return [*legend, MISSING]
    seconds = " and ".join(f"{times.compile_s:.1f}{TIE}s" for times in row.jax.programs)
    return [*legend, f"JAX {row.jax.version} compiled for {seconds}, which are not counted."]


def certify_blocks(row: CertifyRow, width: int = LONGEST_LINE) -> list[Block]:
    """Return the report of the row `certify` for a console of `width` characters."""
    both = "descent with landing", "certificates of the ended members"
    times = [(label, *_brief(spread)) for label, spread in zip(both, (row.descent_s, row.certify_s), strict=True)]
    shares = [(ending, f"{share:.1%}", "") for ending, share in row.endings.items()]
    legend = f"One process and one thread {_held(row.core)}. Members in a certified minimum left the descent early."
    return [
        block([f"{row.members:,} members of {row.task}, {row.network}: {row.net_steps:,} network steps"], "bold"),
        block(text_table(["", "median", "min..max"], [*times, *shares])),
        block(_paragraphs([legend], width)),
    ]


def _held(core: int | None) -> str:
    return "on no core in particular" if core is None else f"on core {core}"


def _microseconds(spread: Spread) -> tuple[str, str]:
    return f"{spread.median:,.1f}", f"{spread.min:,.1f}..{spread.max:,.1f}"


def _seconds(spread: Spread) -> tuple[str, str]:
    return f"{spread.median:,.1f} s", f"{spread.min:,.1f}..{spread.max:,.1f}"


def _brief(spread: Spread) -> tuple[str, str]:
    return f"{spread.median:,.3f} s", f"{spread.min:,.3f}..{spread.max:,.3f}"


def _milliseconds(spread: Spread) -> str:
    return f"{spread.median:,.3f}\n{spread.min:,.3f}..{spread.max:,.3f}"


def _quotient(ratio: Ratio) -> tuple[str, str]:
    return f"{ratio.ratio:.2f} ×", f"{ratio.min:.2f}..{ratio.max:.2f}"


def _paragraphs(sentences: Sequence[str], width: int) -> list[str]:
    return [line for sentence in sentences for line in prose(sentence, min(width, LONGEST_LINE))]
