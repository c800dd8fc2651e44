"""Where the members of each width stopped, as stacked bars of 100 %."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures import scales
from escapedim.figures.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    Look,
    legend_above,
)
from escapedim.records.results import WidenResult, Width
from escapedim.reporting import endings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = {
    endings.GLOBAL_MINIMUM: Look(SKY, "", hatch=""),
    "bad minimum": Look(VERMILLION, "", hatch="////"),
    "saddle": Look(YELLOW, "", hatch="...."),
    "plateau saddle": Look(ORANGE, "", hatch="\\\\\\\\"),
    "channel": Look(BLUE, "", hatch="xxxx"),
    "stalled": Look(PURPLE, "", hatch="----"),
    "diverged": Look(GREY, "", hatch="++++"),
    endings.UNDECIDED: Look(PALE, "", hatch=""),
}
_OTHER = Look(BLACK, "", hatch="")


def entries(result: WidenResult) -> list[Width]:
    """Return the widths that have members, by width."""
    return sorted((entry for entry in result.widths if entry.members), key=lambda entry: entry.width)


def missing(result: WidenResult) -> str:
    """Say why there is nothing to draw, or nothing: bars of one ending alone say no more than a sentence."""
    names = endings.present(entry.endings for entry in entries(result))
    if len(names) > 1:
        return ""
    return f"the ending of every member is '{names[0]}'" if names else "no width has members"


def shares(found: Sequence[Width]) -> dict[str, list[float]]:
    """Return the percentage of members with each ending, one entry a width, in the order of the report."""
    names = endings.present(entry.endings for entry in found)
    return {name: [100 * entry.endings.get(name, 0) / entry.members for entry in found] for name in names}


def draw(axes: Axes, result: WidenResult) -> None:
    """Draw the bars by width, from good endings below to unknown ones above."""
    found = entries(result)
    below = [0.0] * len(found)
    for name, heights in shares(found).items():
        style = _LOOKS.get(name, _OTHER)
        axes.bar(
            range(len(found)),
            heights,
            bottom=below,
            width=0.8,
            color=style.color,
            hatch=style.hatch,
            edgecolor=BLACK,
            linewidth=0.4,
            label=name,
        )
        below = [low + height for low, height in zip(below, heights, strict=True)]
    scales.widths_apart(axes, [entry.width for entry in found])
    scales.percent(axes, "members (%)", whole=False)
    axes.set_ylim(0, 100)
    legend_above(axes, 3)


def caption(result: WidenResult) -> str:
    """Return what the figure shows."""
    members = sorted({entry.members for entry in entries(result)})
    each = f"{members[0]:,}" if len(members) == 1 else f"{members[0]:,} to {members[-1]:,}"
    return f"Endings of the {each} members of each width."
