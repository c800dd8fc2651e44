"""Success rate against width with its Wilson intervals, and the laws' bands over it where a comparison fitted some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures import scales
from escapedim.figures.style import BLACK, legend_above, look
from escapedim.records.comparison import Law, Laws
from escapedim.records.results import WidenResult
from escapedim.reporting.success import Rate, rates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LAWS = 6


def observed(laws: Laws) -> list[Rate]:
    """Return the rates that the laws were fitted to."""
    return [
        Rate(one.width, one.members, one.members - one.failed, 1 - one.rate, 1 - one.interval[1], 1 - one.interval[0])
        for one in sorted(laws.observed, key=lambda one: one.width)
    ]


def fitted_to(laws: Laws | None, found: Sequence[Rate]) -> Laws | None:
    """Return the laws if they were fitted to just these rates."""
    if laws is None or _counts(observed(laws)) != _counts(found):
        return None
    return laws


def points(result: WidenResult) -> list[Rate]:
    """Return the rates of a width scaling."""
    return rates(result)


def draw(axes: Axes, found: Sequence[Rate], laws: Laws | None = None) -> None:
    """Draw success against width, and below it the band of each law."""
    for number, law in enumerate(_drawn(laws)):
        _band(axes, law, number)
    x, y = [rate.width for rate in found], [100 * rate.value for rate in found]
    bars = [[100 * (rate.value - rate.low) for rate in found], [100 * (rate.high - rate.value) for rate in found]]
    joined = "none" if laws is not None else "-"
    label = "measured" if laws is not None else None
    axes.errorbar(
        x, y, yerr=bars, color=BLACK, marker="o", linestyle=joined, elinewidth=0.8, capsize=1.5, label=label, zorder=4
    )
    scales.width(axes, x)
    scales.percent(axes, "success rate (%)")
    if laws is not None:
        legend_above(axes, 2)


def caption(found: Sequence[Rate], criterion: str, laws: Laws | None = None) -> str:
    """Return what the figure shows, with what its bars and bands are."""
    members = sorted({rate.members for rate in found})
    each = (
        f"{members[0]:,} members a width" if len(members) == 1 else f"{members[0]:,} to {members[-1]:,} members a width"
    )
    bands = f" Bands: 95 % of each law's prediction.{_hidden(laws)} {laws.sentence}" if laws is not None else ""
    met = f" ({criterion})" if criterion else ""
    return f"Success rate against width{met}, {each}; bars: 95 % Wilson intervals.{bands}"


def _hidden(laws: Laws) -> str:
    more = len(_predicting(laws)) - _MOST_LAWS
    return f" Not drawn: {more} other laws." if more > 0 else ""


def _counts(found: Sequence[Rate]) -> list[tuple[int, int, int]]:
    return [(rate.width, rate.successes, rate.members) for rate in found]


def _drawn(laws: Laws | None) -> list[Law]:
    return _predicting(laws)[:_MOST_LAWS] if laws is not None else []


def _predicting(laws: Laws) -> list[Law]:
    """Return the laws that predict anything: the preferred one first, then those that are not rejected."""
    found = [law for law in laws.laws if law.predicted]
    return sorted(found, key=lambda law: (law.name != laws.preferred, bool(law.rejected)))


def _band(axes: Axes, law: Law, number: int) -> None:
    style = look(number)
    predicted = sorted(law.predicted, key=lambda one: one.width)
    x = [one.width for one in predicted]
    axes.plot(
        x,
        [100 * (1 - one.rate) for one in predicted],
        color=style.color,
        linestyle=style.line,
        marker=style.marker if len(x) == 1 else None,
        label=f"{law.name} (rejected)" if law.rejected else law.name,
        zorder=3,
    )
    low, high = ([100 * (1 - one.band[side]) for one in predicted] for side in (1, 0))
    axes.fill_between(x, low, high, color=style.color, alpha=0.18, linewidth=0, zorder=2)
