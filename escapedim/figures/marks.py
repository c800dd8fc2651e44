"""What several figures draw: shares with their intervals, and the points of many members beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures.style import Look
from escapedim.records.experiments import Estimated, Share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GOLDEN = 0.6180339887498949


def estimated(share: Share) -> Estimated:
    """Return a share as an estimate with its interval."""
    return Estimated(value=share.rate, interval=share.interval)


def percentages(axes: Axes, x: Sequence[float], found: Sequence[Estimated | None], style: Look, label: str) -> None:
    """Draw rates in percent with their intervals at `x`; those that were not measured are left out."""
    kept = [(place, one.value, one.interval) for place, one in zip(x, found, strict=True) if one is not None]
    known = [(place, 100 * value, interval) for place, value, interval in kept if value is not None]
    if not known:
        return
    for place, _, interval in known:
        if interval is not None:
            axes.vlines(place, 100 * interval[0], 100 * interval[1], color=style.color, linewidth=0.9, zorder=3)
    axes.plot(
        [place for place, *_ in known],
        [value for _, value, _ in known],
        color=style.color,
        marker=style.marker,
        linestyle="none",
        label=label,
        zorder=4,
    )


def offsets(number: int, spread: float = 0.18) -> list[float]:
    """Return where `number` things stand around one place of a categorical axis, `spread` apart."""
    return [spread * (k - (number - 1) / 2) for k in range(number)]


def scattered(number: int, spread: float) -> list[float]:
    """Return offsets within ± `spread`/2 that fill it evenly and are the same each time (a golden-ratio sequence)."""
    return [spread * ((0.5 + k * _GOLDEN) % 1 - 0.5) for k in range(number)]
