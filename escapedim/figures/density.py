"""Accuracy against density for all arms, with bands of one standard error (Frankle and Carbin 2019, their figure 1).

Tasks without accuracy have the training loss in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from escapedim.figures import scales
from escapedim.figures.style import GREY, Look, legend_above, of_arm
from escapedim.records.results import LotteryResult
from escapedim.reporting import arms, numbers
from escapedim.reporting.rounds import measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Curve:
    """One arm: densities (%), means and standard errors (%, or of losses); no error with fewer than two replicates."""

    arm: str
    density: tuple[float, ...]
    mean: tuple[float, ...]
    error: tuple[float | None, ...]


def curves(result: LotteryResult) -> list[Curve]:
    """Return the arms in the order of the report, dense last; rounds without a value are left out."""
    found = [_curve(result, name) for name in (*arms.names(result.rounds), arms.DENSE)]
    return [curve for curve in found if curve.density]


def missing(result: LotteryResult) -> str:
    """Say why there is nothing to draw, or nothing."""
    if not any(entry.round > 0 for entry in result.rounds):
        return "no round was pruned yet"
    return "" if curves(result) else "every replicate diverged"


def draw(axes: Axes, result: LotteryResult) -> None:
    """Draw accuracy (or training loss) against density."""
    found = curves(result)
    for number, curve in enumerate(found):
        _draw_curve(axes, curve, of_arm(curve.arm, number))
    _reference(axes, result)
    scales.density(axes, [100 * entry.density for entry in result.rounds if entry.density > 0])
    if arms.has_accuracy(result):
        scales.percent(axes, "test accuracy (%)", whole=False)
    else:
        scales.loss(axes, [mean for curve in found for mean in curve.mean], "training loss")
    legend_above(axes, 3)


def caption(result: LotteryResult) -> str:
    """Return what the figure shows, with what its bands are."""
    measure = "Test accuracy" if arms.has_accuracy(result) else "Training loss"
    number = arms.replicates(result)
    bands = f"; bands: ± one standard error over {numbers.plural(number, 'replicate')}" if number > 1 else ""
    line = f". Grey line: dense mean minus {arms.tolerance(result)}" if arms.dense_accuracy(result).mean else ""
    lost = ". Diverged replicates are left out" if arms.diverged(result) else ""
    return f"{measure} at the last step against density, by arm{bands}{line}{lost}.".replace(numbers.TIE, " ")


def _curve(result: LotteryResult, name: str) -> Curve:
    scale = 100 if arms.has_accuracy(result) else 1
    points = [(entry.density, measured(result, entry, name)) for entry in result.rounds if name in entry.arms]
    kept = [(density, value, value.mean) for density, value in points if value.mean is not None and density > 0]
    return Curve(
        name,
        tuple(100 * density for density, *_ in kept),
        tuple(scale * mean for *_, mean in kept),
        tuple(None if value.error is None else scale * value.error for _, value, _ in kept),
    )


def _draw_curve(axes: Axes, curve: Curve, style: Look) -> None:
    axes.plot(
        curve.density,
        curve.mean,
        color=style.color,
        marker=style.marker,
        linestyle=style.line,
        markevery=max(1, len(curve.density) // 12),
        label=curve.arm,
        zorder=3,
    )
    banded = [
        (x, mean - error, mean + error)
        for x, mean, error in zip(curve.density, curve.mean, curve.error, strict=True)
        if error is not None
    ]
    if len(banded) > 1:
        x, low, high = zip(*banded, strict=True)
        axes.fill_between(x, low, high, color=style.color, alpha=0.2, linewidth=0, zorder=2)
    elif banded:
        axes.vlines(*banded[0], color=style.color, linewidth=0.8, zorder=2)


def _reference(axes: Axes, result: LotteryResult) -> None:
    dense = arms.dense_accuracy(result).mean
    if arms.has_accuracy(result) and dense is not None:
        axes.axhline(100 * dense - arms.tolerance_points(result), color=GREY, linewidth=0.6, zorder=1)
