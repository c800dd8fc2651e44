"""Terminal plots as text: markers that differ by shape, so that a log file shows them as well as a screen."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARKERS = "ox+^#%@&"
"""Distinct by shape in any font; the star and the equals sign are left to the tables' marks."""

Coordinate = float | None

_DASH = "-"
_BAR = "|"
_LOG_STEPS = ((1,), (1, 2, 5), (1, 2, 3, 5, 7))


@dataclass(frozen=True)
class Bars:
    """Named vertical spans `(x, low, high)`, such as intervals; a missing coordinate is None."""

    name: str
    spans: Sequence[tuple[Coordinate, Coordinate, Coordinate]]


@dataclass(frozen=True)
class Series:
    """Named points `(x, y)`, all drawn with one marker, and their error bars; a missing coordinate is None."""

    name: str
    points: Sequence[tuple[Coordinate, Coordinate]]
    marker: str
    bars: Bars | None = None


@dataclass(frozen=True)
class Axis:
    """Maps values between `low` and `high` to the cells 0..cells-1.

    On a log axis `low` and `high` are decadic logarithms. `reverse` puts the high end in cell 0.
    """

    low: float
    high: float
    cells: int
    log: bool = False
    reverse: bool = False

    @classmethod
    def over(cls, values: Sequence[float], cells: int, *, log: bool = False, reverse: bool = False) -> Axis:
        """Return the axis that just holds the values; equal values get room on both sides."""
        scaled = [math.log10(value) for value in values] if log else list(values)
        low, high = min(scaled), max(scaled)
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = 0.15 if log else 0.05 * abs(low) or 1.0
            low, high = low - room, high + room
        return cls(low, high, cells, log, reverse)

    def cell(self, value: float) -> int:
        """Return the cell of a value."""
        share = ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)
        index = round(share * (self.cells - 1))
        return self.cells - 1 - index if self.reverse else index

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """Return about `count` readable values on the axis with their labels, in rising order."""
        if not self.log:
            ticks = _even_ticks(self.low, self.high, count)
            return ticks if len(ticks) > 2 else _even_ticks(self.low, self.high, 2 * count)
        low, high = 10**self.low, 10**self.high
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        for steps in _LOG_STEPS:
            values = [step * 10.0**decade for decade in decades for step in steps]
            inside = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
            if len(inside) >= count:
                return [(value, f"{value:g}") for value in inside]
        return _even_ticks(low, high, count)


def _even_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    rough = (high - low) / count
    if rough < sys.float_info.min:  # next to nothing, and its logarithm does not exist
        return [(high, f"{high:.4g}")]
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= rough * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]
    plain = decimals <= 6 and max(abs(low), abs(high)) < 1e7
    return [(value, f"{value:.{decimals}f}" if plain else f"{value:.4g}") for value in values]


def line_plot(
    series: Sequence[Series],
    *,
    width: int,
    height: int,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    reverse_x: bool = False,
    reference: tuple[str, float] | None = None,
    x_ticks: Sequence[float] = (),
    y_range: tuple[float, float] | None = None,
) -> list[str]:
    """Draw the series into text lines of at most `width` characters.

    Parameters
    ----------
    series
        Where several fall on one cell, the marker of the first one stays; error bars lie under all markers.
        Points and bars without one of their coordinates are left out, and on a log axis those with x not above 0.
    width, height
        Characters of the longest line, labels included (at least 30 are used); rows of the plotting area (at
        least 3).
    x_label, y_label
        Below the axis, whose last point is always labelled, and above the plot.
    log_x, reverse_x
        Logarithmic x axis; x falling to the right.
    reference
        Label and y of a dashed horizontal line, drawn under all markers.
    x_ticks
        Values that label the x axis where there is room, instead of round numbers.
    y_range
        What the y axis holds besides the values that are drawn.
    """
    drawn = [_present(one, log_x) for one in series]
    xs, ys = _coordinates(drawn)
    if not xs:
        return [f"{y_label}: no values to plot."]
    held = [*ys, *(y_range or ()), *(() if reference is None else [reference[1]])]
    y_axis = Axis.over(held, max(height, 3), reverse=True)
    labels = {y_axis.cell(value): label for value, label in y_axis.ticks(max(3, y_axis.cells // 3 + 1))}
    margin = max(map(len, labels.values()))
    x_axis = Axis.over(xs, max(width, 30) - margin - 3, log=log_x, reverse=reverse_x)
    inside = [x for x in x_ticks if min(xs) <= x <= max(xs)]
    canvas = _canvas(drawn, x_axis, y_axis, reference)
    return [
        y_label,
        *_rows(canvas, labels, margin),
        *_foot(x_axis, [min(xs) if reverse_x else max(xs), *inside], margin, x_label),
        *_legend(drawn, reference, max(width, 30)),
    ]


def _present(one: Series, log_x: bool) -> Series:
    points = [point for point in one.points if _drawable(point, log_x)]
    spans = [span for span in one.bars.spans if _drawable(span, log_x)] if one.bars else []
    return Series(one.name, points, one.marker, Bars(one.bars.name, spans) if one.bars and spans else None)


def _drawable(coordinates: Sequence[Coordinate], log_x: bool) -> bool:
    x = coordinates[0]
    there = all(value is not None and math.isfinite(value) for value in coordinates)
    return there and not (log_x and x is not None and x <= 0)


def _coordinates(series: Sequence[Series]) -> tuple[list[float], list[float]]:
    """Return all x and all y that are drawn."""
    marks = [mark for one in series for mark in (*one.points, *(one.bars.spans if one.bars else ()))]
    return (
        [mark[0] for mark in marks if mark[0] is not None],
        [value for mark in marks for value in mark[1:] if value is not None],
    )


def _canvas(
    series: Sequence[Series], x_axis: Axis, y_axis: Axis, reference: tuple[str, float] | None
) -> list[list[str]]:
    canvas = [[" "] * x_axis.cells for _ in range(y_axis.cells)]
    if reference is not None:
        canvas[y_axis.cell(reference[1])][::2] = _DASH * len(range(0, x_axis.cells, 2))
    for one in reversed(series):
        for x, low, high in one.bars.spans if one.bars else ():
            if x is not None and low is not None and high is not None:
                _draw_bar(canvas, x_axis.cell(x), y_axis.cell(low), y_axis.cell(high))
    for one in reversed(series):
        for x, y in one.points:
            if x is not None and y is not None:
                canvas[y_axis.cell(y)][x_axis.cell(x)] = one.marker
    return canvas


def _draw_bar(canvas: list[list[str]], column: int, one_end: int, other_end: int) -> None:
    for row in range(min(one_end, other_end), max(one_end, other_end) + 1):
        canvas[row][column] = _BAR


def _rows(canvas: Sequence[Sequence[str]], labels: Mapping[int, str], margin: int) -> list[str]:
    return [
        f"{labels.get(row, ''):>{margin}} {'┤' if row in labels else '│'} {''.join(cells)}".rstrip()
        for row, cells in enumerate(canvas)
    ]


def _foot(x_axis: Axis, values: Sequence[float], margin: int, x_label: str) -> list[str]:
    """Return the axis with labels at the values, the last point first, or else at round numbers."""
    rule, labels = ["─"] * x_axis.cells, [" "] * x_axis.cells
    last, *chosen = [(value, f"{value:.3g}" if value < 1000 else f"{value:g}") for value in values]
    ticks = sorted(chosen or x_axis.ticks(5), key=lambda tick: x_axis.cell(tick[0]))
    # The last point comes first: other labels make room for it, since it is what the plot leads to.
    for value, label in [last, *ticks]:
        cell = x_axis.cell(value)
        start = min(max(0, cell - len(label) // 2), x_axis.cells - len(label))
        end = start + len(label)
        if set(labels[max(0, start - 1) : end + 1]) == {" "}:
            rule[cell] = "┬"
            labels[start:end] = label
    indent = " " * (margin + 3)
    return [
        f"{' ' * (margin + 1)}└─{''.join(rule)}",
        indent + "".join(labels).rstrip(),
        indent + x_label.center(x_axis.cells).rstrip(),
    ]


def _legend(series: Sequence[Series], reference: tuple[str, float] | None, width: int) -> list[str]:
    items = [f"{one.marker} {one.name}" for one in series if one.points]
    items += [f"{_BAR} {name}" for name in dict.fromkeys(one.bars.name for one in series if one.bars)]
    if reference is not None:
        items.append(f"{_DASH} {_DASH} {reference[0]}")
    lines = [items[0]]
    for item in items[1:]:
        if len(lines[-1]) + 3 + len(item) <= width:
            lines[-1] += f"   {item}"
        else:
            lines.append(item)
    return lines
