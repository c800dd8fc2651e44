"""The learning-rate sweep of a widen report: pilot members by width and rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from escapedim.records.results import RateTrial, WidenResult, Width
from escapedim.reporting import numbers
from escapedim.reporting.page import prose
from escapedim.reporting.table import text_table

CHOSEN = "*"
_LAYOUTS = ((2, ", "), (1, ", "), (2, "\n"), (1, "\n"))


def table(result: WidenResult, width: int) -> list[str]:
    """Return the table with its caption, or nothing without a sweep.

    Widths that were swept over rates of their own make a table too wide: then each width has a paragraph.
    """
    swept = [entry for entry in result.widths if entry.lr_sweep]
    if not swept:
        return []
    caption = f"Learning-rate sweep: median loss and failures of pilot members; {CHOSEN} the rate that was taken."
    tables = (_table(swept, gap, joint) for gap, joint in _LAYOUTS)
    fitting = next((table for table in tables if max(map(len, table)) <= width), None)
    return [*prose(caption, width), *(fitting or _paragraphs(swept, width))]


def _table(swept: Sequence[Width], gap: int, joint: str) -> list[str]:
    rates = sorted({trial.lr for entry in swept for trial in entry.lr_sweep or ()})
    rows = []
    for entry in swept:
        cells = {trial.lr: _cell(trial, entry.lr, joint) for trial in entry.lr_sweep or ()}
        rows.append([f"{entry.width:,}", *(cells.get(rate, "") for rate in rates)])
    return text_table(["width", *(f"lr {rate:.3g}  " for rate in rates)], rows, left=0, gap=gap)


def _cell(trial: RateTrial, taken: float, joint: str) -> str:
    return f"{_loss(trial)}{joint}{_failures(trial)} {CHOSEN if _taken(trial, taken) else ' '}"


def _paragraphs(swept: Sequence[Width], width: int) -> list[str]:
    return [line for entry in swept for line in prose(f"  width {entry.width:,}: {_trials(entry)}", width, "    ")]


def _trials(entry: Width) -> str:
    trials = sorted(entry.lr_sweep or (), key=lambda trial: trial.lr)
    texts = [
        f"lr {trial.lr:.3g}{CHOSEN if _taken(trial, entry.lr) else ''}: {_loss(trial)} ({_failures(trial)})"
        for trial in trials
    ]
    return ", ".join(text.replace(" ", numbers.TIE) for text in texts)


def _loss(trial: RateTrial) -> str:
    return "-" if trial.median_loss is None else numbers.loss(trial.median_loss)


def _failures(trial: RateTrial) -> str:
    return f"{trial.failures:,} of {trial.members:,}"


def _taken(trial: RateTrial, taken: float) -> bool:
    return math.isclose(trial.lr, taken)
