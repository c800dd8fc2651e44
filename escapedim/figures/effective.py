"""Effective tickets N(n) against width, between floor(n/r) of disjoint tickets and C(n,r) of independent subsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures import scales
from escapedim.figures.style import BLACK, BLUE, VERMILLION, arrow, legend_above
from escapedim.records.comparison import Measured, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY = "effective_tickets"
_PREDICTIONS = (
    ("disjoint", "tickets disjoint: ⌊n/r⌋", BLUE, "--", "s"),
    ("independent", "all subsets independent: C(n,r)", VERMILLION, ":", "^"),
)


def row(rows: Sequence[Row]) -> Row | None:
    """Return the row of effective tickets, if it was measured anywhere."""
    return next((one for one in rows if one.key == KEY and points(one)), None)


def points(found: Row) -> list[Measured]:
    """Return the measurements that have a width, by width."""
    return sorted((one for one in found.measured if one.x is not None), key=lambda one: one.x or 0.0)


def draw(axes: Axes, found: Row) -> None:
    """Draw N(n) with its intervals, and both ticket predictions."""
    measured = points(found)
    for key, label, color, line, marker in _PREDICTIONS:
        pairs = [(one.x, one.predictions[key]) for one in measured if key in one.predictions]
        if pairs:
            x, y = zip(*pairs, strict=True)
            axes.plot(x, y, color=color, linestyle=line, marker=marker, label=label, zorder=2)
    _measured(axes, measured)
    scales.width(axes, [int(one.x or 0) for one in measured])
    axes.set_ylabel("effective tickets N(n)")
    if _positive(measured):
        scales.logarithmic(axes)
    legend_above(axes, 1)


def caption(found: Row) -> str:
    """Return what the figure shows."""
    return (
        "Effective tickets N(n) = ln q(n) / ln q(r) against width, with 95 % intervals, between the numbers that "
        f"disjoint tickets and independent subsets would give; arrows are one-sided 95 % bounds. {found.sentence}"
    )


def _measured(axes: Axes, measured: Sequence[Measured]) -> None:
    kept = [(one.x, one.estimate) for one in measured if one.x is not None and one.estimate is not None]
    for one in measured:
        if one.interval is not None:
            axes.vlines(one.x or 0, *one.interval, color=BLACK, linewidth=0.8, zorder=3)
    axes.plot([x for x, _ in kept], [estimate for _, estimate in kept], "o-", color=BLACK, label="measured", zorder=4)
    for end, marker, label in (
        ("at_least", arrow(1), "at least (no failure)"),
        ("at_most", arrow(-1), "at most (no success)"),
    ):
        known = [(one.x, getattr(one, end)) for one in measured if one.x is not None and getattr(one, end) is not None]
        if known:
            x, y = zip(*known, strict=True)
            axes.plot(
                x,
                y,
                linestyle="none",
                marker=marker,
                markersize=8,
                markeredgewidth=0.9,
                fillstyle="none",
                color=BLACK,
                label=label,
                zorder=4,
            )


def _positive(measured: Sequence[Measured]) -> bool:
    ends = [value for one in measured for value in (one.at_least, one.at_most, *(one.interval or ()))]
    values = [*ends, *(value for one in measured for value in (one.estimate, *one.predictions.values()))]
    found = [value for value in values if value is not None]
    return bool(found) and min(found) > 0 and max(found) > 10 * min(found)
