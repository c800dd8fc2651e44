"""The escape diagram: failed members before and after widening, with the controls, as losses and as shares.

The losses of the noise-only control are those of the same members after the same noise and training without widening.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures import marks, scales
from escapedim.figures.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, Look, legend_above
from escapedim.records.experiments import Escape
from escapedim.records.results import WidenResult
from escapedim.reporting import endings, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BEFORE = Look(GREY, "d")
_WIDENED = Look(BLUE, "o")
_NOISE = Look(VERMILLION, "x")
_NARROW = Look(ORANGE, "v")
_WIDE = Look(GREEN, "^")
_FLOOR = 1e-16
"""Smaller losses, 0 among them, are drawn here: float64 does not tell them apart beside losses of order 1."""
_MOST = 9
_MANY = 2000  # Points of a series; more of them are pixels in PDF and SVG too, which would be slow to open.


def entries(result: WidenResult) -> list[Escape]:
    """Return the entries that have sources: of more than nine those with most sources, in the order of the result."""
    found = [entry for entry in result.escape if entry.sources]
    kept = sorted(found, key=lambda entry: -entry.sources)[:_MOST]
    return [entry for entry in found if entry in kept]


def draw_losses(axes: Axes, found: Sequence[Escape]) -> None:
    """Draw the training losses of all sources: before, after widening, and of the noise-only control."""
    series = (
        ("before", _BEFORE, [entry.loss_before for entry in found]),
        ("widened", _WIDENED, [entry.loss_after for entry in found]),
        ("noise only", _NOISE, [entry.loss_noise_only for entry in found]),
    )
    heights: list[float] = []
    for place, (label, style, losses) in zip(marks.offsets(3, 0.27), series, strict=True):
        points = [
            (number + place + shift, max(loss, _FLOOR))
            for number, members in enumerate(losses)
            for shift, loss in zip(marks.scattered(len(members), 0.2), members, strict=True)
            if loss is not None and math.isfinite(loss)
        ]
        heights += [loss for _, loss in points]
        axes.plot(
            [x for x, _ in points],
            [loss for _, loss in points],
            color=style.color,
            marker=style.marker,
            markersize=2.6,
            markeredgewidth=0.6,
            linestyle="none",
            alpha=0.6,
            rasterized=len(points) > _MANY,
            label=label,
        )
    scales.categories(axes, labels(found), _axis(found))
    scales.loss(axes, heights, "training loss")
    legend_above(axes, 3)


def draw_shares(axes: Axes, found: Sequence[Escape]) -> None:
    """Draw the shares that succeed after widening, of the noise-only control, and of fresh draws."""
    series = (
        ("widened", _WIDENED, [entry.reached_global for entry in found]),
        ("noise only", _NOISE, [entry.controls.noise_only for entry in found]),
        ("fresh, narrow", _NARROW, [entry.controls.fresh_narrow for entry in found]),
        ("fresh, wide", _WIDE, [entry.controls.fresh_wide for entry in found]),
    )
    for place, (label, style, measured) in zip(marks.offsets(4), series, strict=True):
        x = [number + place for number in range(len(found))]
        marks.percentages(axes, x, [marks.estimated(share) for share in measured], style, label)
    scales.categories(axes, labels(found), _axis(found))
    scales.percent(axes, f"{_reached(found)} (%)")
    legend_above(axes, 2)


def labels(found: Sequence[Escape]) -> list[str]:
    """Return a label for each entry: its widths, and below it what else tells it from the others."""
    layers, ways, kinds = (
        len({entry.layer for entry in found}) > 1,
        len({(entry.embedding, entry.alpha) for entry in found}) > 1,
        len({entry.source_ending for entry in found}) > 1,
    )
    return [
        "\n".join(
            part
            for part in (
                f"{entry.from_width:,}→{entry.to_width:,}",
                f"layer {entry.layer}" if layers else "",
                _way(entry) if ways else "",
                entry.source_ending.replace(" ", "\n") if kinds else "",
            )
            if part
        )
        for entry in found
    ]


def caption(found: Sequence[Escape], result: WidenResult) -> str:
    """Return what both panels show."""
    left = len([entry for entry in result.escape if entry.sources]) - len(found)
    more = f" Not shown: {left} entries with fewer members." if left else ""
    floor = f" Losses below {_FLOOR:g} are drawn there." if _below(found) else ""
    return (
        f"{_members(found)} Left: training loss of each member before, after widening, and after the same noise and "
        f"training without widening. Right: share that {_verb(found)}, with 95 % Wilson intervals, and those of fresh "
        f"networks of both widths.{floor}{more}"
    )


def caption_shares(found: Sequence[Escape]) -> str:
    """Return what the panel of shares shows."""
    return (
        f"{_members(found)} Share that {_verb(found)}, with 95 % Wilson intervals, beside that after the same noise "
        "and training without widening, and those of fresh networks of both widths."
    )


def _members(found: Sequence[Escape]) -> str:
    kinds = ", ".join(sorted({entry.source_ending for entry in found} - {endings.FAILED}))
    ways = ", ".join(sorted({_way(entry) for entry in found}))
    count = numbers.counted(sum(entry.sources for entry in found), "failed member")
    return f"{count}{f' ({kinds})' if kinds else ''} widened ({ways}) and trained on."


def _below(found: Sequence[Escape]) -> bool:
    losses = (loss for entry in found for part in (entry.loss_before, entry.loss_after) for loss in part)
    return any(loss is not None and loss < _FLOOR for loss in losses)


def _way(entry: Escape) -> str:
    return entry.embedding if entry.alpha is None else f"{entry.embedding}, α={entry.alpha:.3g}"


def _axis(found: Sequence[Escape]) -> str:
    return "width before → after (units)"


def _reached(found: Sequence[Escape]) -> str:
    return "global minimum" if all(entry.judged_by == "ending" for entry in found) else "success"


def _verb(found: Sequence[Escape]) -> str:
    return "reaches a global minimum" if all(entry.judged_by == "ending" for entry in found) else "succeeds"
