"""Wide members against their own subnetworks: what tickets, read literally, predict to be 0, and both failure rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures import marks, scales
from escapedim.figures.style import BLACK, BLUE, GREY, ORANGE, VERMILLION, Look, legend_above
from escapedim.records.experiments import Isolation, Share
from escapedim.records.results import WidenResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NONE, _SOME = Look(BLUE, "o"), Look(VERMILLION, "s")
_WIDE, _LITERAL = Look(BLACK, "o"), Look(ORANGE, "^")


def entries(result: WidenResult) -> list[Isolation]:
    """Return the entries that have members, by width."""
    return sorted((entry for entry in result.isolation if entry.members), key=lambda entry: entry.width)


def draw_exceptions(axes: Axes, found: Sequence[Isolation]) -> None:
    """Draw P(wide succeeds, none of its subnetworks wins) and P(wide fails, some win); the prediction 0 is a line."""
    axes.axhline(0, color=GREY, linewidth=0.8, zorder=1, label="tickets, read literally: 0")
    none = [entry.wins_given_none for entry in found]
    _pair(axes, none, _NONE, "succeeds, though none wins alone", -1)
    _pair(axes, [entry.fails_given_some for entry in found], _SOME, "fails, though some win alone", 1)
    _axes(axes, found, "wide networks (%)")


def draw_failures(axes: Axes, found: Sequence[Isolation]) -> None:
    """Draw the failure rate q of wide networks beside q_lit, the share without a winning subnetwork."""
    bound = " (upper bound)" if any(entry.sampled for entry in found) else ""
    _pair(axes, [entry.q for entry in found], _WIDE, "wide network fails: q", -1)
    _pair(axes, [entry.q_lit for entry in found], _LITERAL, f"no subnetwork wins: q_lit{bound}", 1)
    _axes(axes, found, "failure rate (%)")


def caption(found: Sequence[Isolation]) -> str:
    """Return what both panels show."""
    sampled = " Subnetworks are a sample, so that q_lit is an upper bound." if any(one.sampled for one in found) else ""
    return (
        "Wide networks against their own subnetworks, trained alone from the same initial weights and data order; "
        "bars: 95 % Wilson intervals. Left: wide networks that succeed though no subnetwork wins, and that fail though "
        f"some do. Right: failure rate q, and the share q_lit without a winning subnetwork.{sampled}"
    )


def caption_exceptions(found: Sequence[Isolation]) -> str:
    """Return what the panel of exceptions shows."""
    sampled = " Subnetworks are a sample." if any(one.sampled for one in found) else ""
    return (
        "Wide networks that succeed though none of their own subnetworks wins alone, and that fail though some do; "
        f"bars: 95 % Wilson intervals.{sampled}"
    )


def _pair(axes: Axes, found: Sequence[Share | None], style: Look, label: str, side: int) -> None:
    x = [number + 0.12 * side for number in range(len(found))]
    marks.percentages(axes, x, [None if share is None else marks.estimated(share) for share in found], style, label)


def _axes(axes: Axes, found: Sequence[Isolation], label: str) -> None:
    scales.widths_apart(axes, [entry.width for entry in found])
    scales.percent(axes, label)
    legend_above(axes, 1)
