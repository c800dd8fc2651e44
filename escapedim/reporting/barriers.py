"""Instability in a rewind report: barriers between networks, before and after their units are aligned, and curves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from escapedim.records.rewinding import Line
from escapedim.reporting import numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.plot import MARKERS, Series, line_plot
from escapedim.reporting.table import Column, fitted

_PLOT_ROWS = 9
_PLOT_WIDTH = 100
_MOST_SUCCESSIVE = 4
_NO_ORDERS = "There are no copies under two orders of the data: a full batch has one order only."
_STABLE = {True: "yes", False: "no", None: shares.MISSING}
_ORDERS, _SUCCESSIVE = "data orders", "successive rounds"
_NAMES = {_ORDERS: "orders, ticket", "dense data orders": "orders, dense"}


def section(lines: Sequence[Line], width: int) -> Section:
    """Return whether copies stay connected, the table of barriers, and the curves of the last round."""
    shown = _shown(lines)
    body = [
        *fitted([_table(shown)], width, left=1),
        *prose(_notes(lines, len(lines) - len(shown)), width),
        "",
        *_plot(lines, width),
    ]
    return Section("Instability", _sentence(lines), tuple(body))


def _shown(lines: Sequence[Line]) -> list[Line]:
    """Leave out the successive rounds with the lowest barriers where there are many."""
    successive = [line for line in lines if line.between == _SUCCESSIVE]
    most = sorted(successive, key=lambda line: -(line.mean or 0.0))[:_MOST_SUCCESSIVE]
    return [line for line in lines if line.between != _SUCCESSIVE or line in most]


def _sentence(lines: Sequence[Line]) -> str:
    tickets = [line for line in lines if line.between == _ORDERS]
    if not tickets:
        line = max(lines, key=lambda one: one.mean or 0.0)
        return f"the highest barrier, between {line.between} at round{TIE}{line.round}, is {_told(line)}."
    judged = [line for line in tickets if line.stable is not None]
    if not judged:
        return f"copies of the ticket under two orders of the data have {_span(tickets)}."
    stable = [line for line in judged if line.stable]
    count = f"{len(stable)} of {len(judged)}"
    return (
        f"copies of the ticket under two orders of the data are stable (barrier below 2{TIE}points) in {count} "
        f"combinations of round and rewind point; {_span(tickets)}."
    )


def _span(lines: Sequence[Line]) -> str:
    ranked = sorted((line for line in lines if line.mean is not None), key=lambda line: line.mean or 0.0)
    if not ranked:
        return "no barrier that is a number"
    if len(ranked) == 1:
        return f"the barrier is {_told(ranked[0])}"
    return f"barriers from {_told(ranked[0])} to {_told(ranked[-1])}"


def _told(line: Line) -> str:
    estimate = numbers.estimate(line.barriers)
    if estimate.mean is None:
        return shares.MISSING
    if not _in_points(line):
        return numbers.mean_loss(estimate).replace(" ", TIE)
    return f"{numbers.accuracy(estimate)} points".replace(" ", TIE)


def _table(lines: Sequence[Line]) -> list[Column | None]:
    accuracy = any(_in_points(line) for line in lines)
    unit = ", points" if accuracy else ""
    return [
        ("between", [_name(line) for line in lines]),
        ("round", [f"{line.round:,}" for line in lines]),
        ("density", [numbers.percent(line.density) for line in lines]),
        ("to step", [shares.MISSING if line.to is None else f"{line.to:,}" for line in lines]),
        (f"barrier{unit}", [_cell(line.barriers, accuracy) for line in lines]),
        ("aligned", [_cell(line.aligned, accuracy) for line in lines]),
        ("stable", [_STABLE[line.stable] for line in lines]) if accuracy else None,
    ]


def _in_points(line: Line) -> bool:
    """Say whether barriers are differences of shares of wrong samples."""
    return line.error == "test error"


def _name(line: Line) -> str:
    return _NAMES.get(line.between, line.between)


def _cell(barriers: Sequence[float | None], accuracy: bool) -> str:
    found = numbers.estimate(barriers)
    return numbers.accuracy(found) if accuracy else numbers.mean_loss(found)


def _notes(lines: Sequence[Line], hidden: int) -> str:
    texts = [
        f"Barrier: the highest {lines[0].error} on the line between two networks, over the mean of its ends "
        f"({len(lines[0].alphas)} points, Frankle et al. 2020), mean ± standard error over replicates.",
        "Aligned: once the units of one are matched to those of the other.",
        "Orders, dense: the whole network, trained from the same step." if _has_orders(lines) else _NO_ORDERS,
        "Successive rounds: the ends of the prune run's tickets, each trained on its own order of the data."
        if _has_orders(lines)
        else "Successive rounds: the ends of the prune run's tickets.",
        shares.more(hidden, "entries"),
    ]
    return " ".join(text for text in texts if text)


def _has_orders(lines: Sequence[Line]) -> bool:
    """Say whether copies were trained under two orders; full batches have one only."""
    trained = [line for line in lines if line.to is not None]
    return not trained or any(line.between == _ORDERS for line in trained)


def _plot(lines: Sequence[Line], width: int) -> list[str]:
    last = [line for line in lines if line.to is not None]
    if not last:
        return []
    chosen = [line for line in last if (line.round, line.to) == (last[-1].round, last[-1].to)]
    accuracy = any(_in_points(line) for line in chosen)
    series = [
        Series(_name(line), _points(line, accuracy), marker)
        for line, marker in zip(chosen, itertools.cycle(MARKERS), strict=False)
    ]
    what = f"{chosen[0].error} in %" if accuracy else chosen[0].error
    return line_plot(
        series,
        width=min(width, _PLOT_WIDTH),
        height=_PLOT_ROWS,
        x_label="share of the second network",
        y_label=f"{what} at round {chosen[0].round}, rewound to step {chosen[0].to:,}",
    )


def _points(line: Line, accuracy: bool) -> list[tuple[float | None, float | None]]:
    scale = 100 if accuracy else 1
    return [
        (alpha, None if error is None else scale * error) for alpha, error in zip(line.alphas, line.errors, strict=True)
    ]
