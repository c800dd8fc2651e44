"""The report of `escapedim widen`: success against width, endings, loss levels, what the threshold does, experiments.

A run of about sixteen widths fits on a large terminal (100 columns, 60 lines): the plot has the rows that the tables
leave it. What the other experiments found fits on a second one.
"""

from __future__ import annotations

from rich.console import Console

from escapedim.records.results import WidenResult
from escapedim.records.summary import Summary
from escapedim.reporting import embedded, experiments, levels, numbers, settings, success, sweep, thresholds, widths
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose, write

SCREEN_LINES = 60
_PLOT_ROWS = (8, 14)


def render(summary: Summary, console: Console) -> None:
    """Print the report of a widen summary."""
    write(console, blocks(summary, console.width))


def blocks(summary: Summary, width: int) -> list[Block]:
    """Return the report for a console of `width` characters."""
    result = summary.result
    if not isinstance(result, WidenResult):
        raise TypeError(f"expected a widen result, found {type(result).__name__}")
    if embedded.is_one(summary, result):
        return [*embedded.blocks(summary, result, width), block(_foot(summary, width))]
    above = [
        block(_heading(summary, result, width)),
        block(prose(success.sentence(summary, result), width), "bold"),
    ]
    below = [
        block(widths.tables(result, width)),
        block(widths.notes(result, width)),
        block(levels.table(result, width)),
        block(thresholds.lines(result, width)),
        block(sweep.table(result, width)),
    ]
    foot = block(_foot(summary, width))
    taken = sum(len(part.lines) + 1 for part in (*above, *below, foot) if part.lines)
    plot = block(_plot(result, width, SCREEN_LINES - taken))
    others = experiments.blocks(experiments.sections(summary, result, width), summary, width)
    return [*above, plot, *below, *others, foot]


def _plot(result: WidenResult, width: int, lines: int) -> list[str]:
    fewest, most = _PLOT_ROWS
    rest = len(success.plot(result, width, fewest)) - fewest
    return success.plot(result, width, max(fewest, min(most, lines - rest)))


def _heading(summary: Summary, result: WidenResult, width: int) -> list[str]:
    planned = summary.config.get("widths")
    of = f" of {len(planned)}" if isinstance(planned, list) else ""
    state = settings.status(summary, f"after {len(result.widths)}{of} widths")
    parts = [settings.what(summary.config), _trained(result), state]
    return prose("; ".join(part for part in parts if part) + ".", width)


def _trained(result: WidenResult) -> str:
    if not result.widths:
        return ""
    found = sorted(entry.width for entry in result.widths)
    members = [entry.members for entry in result.widths]
    ends = f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}".replace(" ", TIE)
    each = f" × {numbers.plural(members[0], 'member')}"
    return f"{numbers.plural(len(found), 'width')} ({ends})" + (
        each if len(set(members)) == 1 else f", {numbers.plural(sum(members), 'member')} in all"
    )


def _foot(summary: Summary, width: int) -> list[str]:
    texts = [settings.recipe(summary.config), *settings.cost(summary)[:1]]
    return [*(line for text in texts if text for line in prose(text, width)), *settings.cost(summary)[1:]]
