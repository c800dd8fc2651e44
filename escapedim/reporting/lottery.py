"""The report of `escapedim prune`: verdict, rounds by arms, layers, plot, invariants, cost."""

from __future__ import annotations

import itertools
import math

from rich.console import Console

from escapedim.records.results import Layer, LotteryResult
from escapedim.records.summary import Summary
from escapedim.reporting import arms, invariants, numbers, rounds, settings, verdict
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose, write
from escapedim.reporting.plot import MARKERS, Series, line_plot
from escapedim.reporting.table import text_table

_PLOT_ROWS = 14
_PLOT_WIDTH = 100


def render(summary: Summary, console: Console) -> None:
    """Print the report of a lottery summary."""
    write(console, blocks(summary, console.width))


def blocks(summary: Summary, width: int) -> list[Block]:
    """Return the report for a console of `width` characters."""
    result = summary.result
    if not isinstance(result, LotteryResult):
        raise TypeError(f"expected a lottery result, found {type(result).__name__}")
    result = arms.with_tolerance(result, summary.config)
    return [
        block(_heading(summary, result, width)),
        block(invariants.alarm(result, width), "bold red"),
        block(prose(verdict.sentence(summary, result), width), "bold"),
        block(invariants.empty_layers(result, width), "bold"),
        block(rounds.table(result, width)),
        block(rounds.legend(result, width)),
        block(rounds.successes(result)),
        block(_layers(result)),
        block(_plot(result, width)),
        block(invariants.sentence(result, width)),
        block(_foot(summary, width)),
    ]


def _heading(summary: Summary, result: LotteryResult, width: int) -> list[str]:
    names = arms.names(result.rounds) or [str(name) for name in summary.config.get("arms") or ()]
    trained = f"{numbers.plural(len(names), 'arm')} × {_replicates(summary, result)}" if names else ""
    parts = [settings.what(summary.config), trained, settings.status(summary, _progress(summary, result))]
    return prose("; ".join(part for part in parts if part) + ".", width)


def _replicates(summary: Summary, result: LotteryResult) -> str:
    planned = summary.config.get("replicates")
    number = arms.replicates(result) or (planned if isinstance(planned, int) else 0)
    return numbers.plural(number, "replicate")


def _progress(summary: Summary, result: LotteryResult) -> str:
    planned = summary.config.get("rounds")
    of = f" of {planned}" if isinstance(planned, int) else ""
    return f"after round {result.rounds[-1].round}{of}" if result.rounds else "before the end of round 0"


def _layers(result: LotteryResult) -> list[str]:
    pruned = [entry for entry in result.rounds if entry.round > 0]
    if not pruned or not pruned[-1].layers:
        return []
    last = pruned[-1]
    rows = [_layer_row(layer) for layer in last.layers]
    return [
        f"Layers at round {last.round} (density in %)",
        "",
        *text_table(["layer", "surviving", "total", "density", "units alive"], rows),
    ]


def _layer_row(layer: Layer) -> list[str]:
    density = numbers.percent(layer.surviving / layer.total) if layer.total else "-"
    units = "-" if layer.units_alive is None else numbers.count(layer.units_alive)
    return [layer.name, numbers.count(layer.surviving), numbers.count(layer.total), density, units]


def _plot(result: LotteryResult, width: int) -> list[str]:
    pruned = [entry for entry in result.rounds if entry.round > 0]
    if not pruned:
        return []
    accuracy = arms.has_accuracy(result)
    names = arms.names(pruned)
    series = [
        Series(name, _points(result, name), marker)
        for name, marker in zip(names, itertools.cycle(MARKERS), strict=False)
    ]
    return line_plot(
        [*series, Series(arms.DENSE, _points(result, arms.DENSE), "D")],
        width=min(width, _PLOT_WIDTH),
        height=_PLOT_ROWS,
        x_label="density in %",
        y_label="mean test accuracy in %" if accuracy else "log10 of the mean train loss",
        log_x=True,
        reverse_x=True,
        reference=_reference(result),
    )


def _points(result: LotteryResult, name: str) -> list[tuple[float | None, float | None]]:
    return [
        (100 * entry.density, _height(result, rounds.measured(result, entry, name).mean)) for entry in result.rounds
    ]


def _height(result: LotteryResult, mean: float | None) -> float | None:
    if mean is None or arms.has_accuracy(result):
        return None if mean is None else 100 * mean
    return math.log10(mean) if mean > 0 else None


def _reference(result: LotteryResult) -> tuple[str, float] | None:
    dense = arms.dense_accuracy(result).mean
    if dense is None:
        return None
    limit = 100 * dense - arms.tolerance_points(result)
    return f"dense mean minus {arms.tolerance(result)} ({limit:.2f} %)".replace(TIE, " "), limit


def _foot(summary: Summary, width: int) -> list[str]:
    texts = [settings.recipe(summary.config), settings.pruning(summary.config), *settings.cost(summary)[:1]]
    return [*(line for text in texts if text for line in prose(text, width)), *settings.cost(summary)[1:]]
