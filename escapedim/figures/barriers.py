"""Barrier curves: the error on the line between two networks (Frankle et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures.style import legend_above, look, title_above
from escapedim.records.rewinding import Line, RewindResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PANELS = 4
_SUCCESSIVE = "successive rounds"


def panels(result: RewindResult) -> list[list[Line]]:
    """Return the lines to draw beside each other: one panel a round and rewind point, and one of successive rounds.

    Of more than four panels the last four; lines without a finite error are left out.
    """
    kept = [line for line in result.instability if any(error is not None for error in line.errors)]
    grouped: dict[tuple[int, int], list[Line]] = {}
    for line in kept:
        if line.to is not None:
            grouped.setdefault((line.round, line.to), []).append(line)
    successive = [line for line in kept if line.to is None]
    room = _MOST_PANELS - bool(successive)
    return [*list(grouped.values())[-room:], *([successive] if successive else [])]


def lead(result: RewindResult) -> int:
    """Return which panel stands for all: the last round, rewound to the prune run's own point if it is there."""
    drawn = [(number, lines[0]) for number, lines in enumerate(panels(result)) if lines[0].to is not None]
    return max(drawn, key=lambda pair: (pair[1].to == result.rewind_to, pair[1].round), default=(0, None))[0]


def draw(axes: Axes, lines: Sequence[Line]) -> None:
    """Draw the mean error along each line, from its first network to its second."""
    scale = 100 if _in_percent(lines) else 1
    for number, line in enumerate(lines):
        style = look(number)
        points = [(x, scale * y) for x, y in zip(line.alphas, line.errors, strict=True) if y is not None]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=style.color,
            linestyle=style.line,
            marker=style.marker,
            markevery=max(1, len(points) // 5),
            label=name(line),
        )
    axes.set_xlabel("share of the second network")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_ylabel(f"{lines[0].error} (%)" if scale == 100 else lines[0].error)
    legend_above(axes, 3 if lines[0].to is None else 2)
    title_above(axes, title(lines))


def title(lines: Sequence[Line]) -> str:
    """Return what the lines of a panel have in common."""
    if lines[0].to is None:
        return _SUCCESSIVE
    return f"round {lines[0].round}, rewound to step {lines[0].to:,}"


def name(line: Line) -> str:
    """Return what tells a line from the others of its panel."""
    if line.between == _SUCCESSIVE:
        return f"{line.round - 1} to {line.round}"
    named = {"data orders": "data orders, ticket", "dense data orders": "data orders, dense"}
    if line.between in named:
        return named[line.between]
    return line.between


def caption(result: RewindResult) -> str:
    """Return what the panels show, and the barriers."""
    drawn = panels(result)
    left = len({(line.round, line.to) for line in result.instability if line.to is not None})
    hidden = left - sum(lines[0].to is not None for lines in drawn)
    more = f" Not shown: {hidden} earlier rounds or rewind points." if hidden > 0 else ""
    return (
        f"Mean {result.instability[0].error} over replicates on the line between two networks; the barrier is its "
        f"highest point over the mean of its ends.{more}"
    )


def _in_percent(lines: Sequence[Line]) -> bool:
    return all(line.error == "test error" for line in lines)
