"""Narrow networks among fresh other units: success by the scale of their surroundings, and complements of tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures import marks, scales
from escapedim.figures.style import BLUE, GREEN, VERMILLION, Look, legend_above, of_arm, title_above
from escapedim.records.experiments import Complement, Estimated, Tickets
from escapedim.records.results import WidenResult
from escapedim.records.rewinding import RewindResult, Surrounded, Surroundings
from escapedim.reporting import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WINNERS, _LOSERS, _FRESH = Look(BLUE, "o"), Look(VERMILLION, "s"), GREEN
ALONE = "alone"


def entries(result: WidenResult) -> list[Complement]:
    """Return the entries that have tickets."""
    return [entry for entry in result.complement if entry.winners.tickets or entry.losers.tickets]


def scales_of(entry: Complement) -> list[float]:
    """Return the scales of the surroundings, ascending."""
    return sorted({one.scale for kind in (entry.winners, entry.losers) for one in kind.surrounded})


def draw(axes: Axes, entry: Complement) -> None:
    """Draw success of winning and losing tickets alone and by scale, beside fresh networks of the wide width."""
    found = scales_of(entry)
    if entry.fresh.rate is not None:
        axes.axhline(100 * entry.fresh.rate, color=_FRESH, linestyle="--", linewidth=1, label="fresh, wide", zorder=1)
    if entry.fresh.interval is not None:
        low, high = entry.fresh.interval
        axes.axhspan(100 * low, 100 * high, color=_FRESH, alpha=0.15, linewidth=0, zorder=0)
    for kind, style, name, side in (
        (entry.winners, _WINNERS, "winning tickets", -1),
        (entry.losers, _LOSERS, "losing tickets", 1),
    ):
        x = [number + 0.09 * side for number in range(len(found) + 1)]
        rates = [_alone(entry, kind, style is _WINNERS), *(_at(kind, scale) for scale in found)]
        marks.percentages(axes, x, rates, style, name)
    scales.categories(axes, [ALONE, *(f"{scale:g}" for scale in found)], "scale of the other units' weights (factor)")
    scales.percent(axes, "success rate (%)")
    legend_above(axes, 3)


def caption(entry: Complement) -> str:
    """Return what the figure shows, with the index A."""
    value, interval = entry.index.value, entry.index.interval
    if value is None:
        index = f" A is undecided{f': {entry.reason}' if entry.reason else ''}."
    else:
        bounds = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval is not None else ""
        index = f" A = {value:.2f}{bounds}: 1 where the ticket decides, 0 where its surroundings do."
    return (
        f"Success of networks of width {entry.width:,} around narrow ones of {entry.units:,} units, by the scale of "
        f"the other units; band: fresh networks of that width. Intervals of 95 %, clustered by ticket.{index}"
    )


def last_round(result: RewindResult) -> list[Surroundings]:
    """Return the complements of the last round that has any: of several rewind points, the first."""
    if not result.complements:
        return []
    last = max(result.complements, key=lambda one: (one.round, -one.to))
    return [one for one in result.complements if (one.round, one.to) == (last.round, last.to)]


def draw_tickets(axes: Axes, found: Sequence[Surroundings], alone: bool = False) -> None:
    """Draw tickets and their controls by complement: with it, or once it is cut away (`alone`).

    What is drawn is the accuracy where there is one, which tells more than the rate of success.
    """
    names = list(dict.fromkeys(name for one in found for name in one.subnetworks))
    accuracy = _has_accuracy(found)
    for number, (name, place) in enumerate(zip(names, marks.offsets(len(names)), strict=True)):
        chosen = [one.subnetworks.get(name) for one in found]
        rates = [None if one is None else _measured(one, accuracy, alone) for one in chosen]
        marks.percentages(axes, [k + place for k in range(len(found))], rates, of_arm(name, number), name)
    scales.categories(axes, [one.complement for one in found], "complement")
    scales.percent(axes, "test accuracy (%)" if accuracy else "success rate (%)", whole=not accuracy)
    legend_above(axes, 3)
    title_above(axes, "complement cut away" if alone else "with the complement")


def caption_tickets(found: Sequence[Surroundings], whole_only: bool = False) -> str:
    """Return what both panels show, or the first of them."""
    return (
        f"Tickets of round {found[0].round} (density {100 * found[0].density:.3g} %) and their controls by complement: "
        f"{_what(found, whole_only)}"
    )


def _what(found: Sequence[Surroundings], whole_only: bool) -> str:
    both = f"of the whole network{'' if whole_only else ', and once the complement is cut away'}"
    if _has_accuracy(found):
        return f"test accuracy {both}; bars: ± one standard error over replicates."
    return f"success {both}; intervals of 95 % over replicates."


def _has_accuracy(found: Sequence[Surroundings]) -> bool:
    return all(one.whole_accuracy is not None for entry in found for one in entry.subnetworks.values())


def _measured(one: Surrounded, accuracy: bool, alone: bool) -> Estimated:
    if not accuracy:
        return one.alone if alone else one.whole
    found = numbers.estimate((one.alone_accuracy if alone else one.whole_accuracy) or [])
    if found.mean is None or found.error is None:
        return Estimated(value=found.mean, interval=None)
    return Estimated(value=found.mean, interval=(found.mean - found.error, found.mean + found.error))


def _alone(entry: Complement, kind: Tickets, winners: bool) -> Estimated | None:
    if kind.retest.value is None and entry.deterministic and kind.tickets:
        return Estimated(value=1.0 if winners else 0.0, interval=None)
    return kind.retest


def _at(kind: Tickets, scale: float) -> Estimated | None:
    return next((one.rate for one in kind.surrounded if one.scale == scale), None)
