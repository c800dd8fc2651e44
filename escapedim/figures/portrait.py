"""A bad minimum and the way out of it: the loss along an old direction and along the one that width adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from escapedim.figures.style import BLACK, BLUE, GREY, PALE, VERMILLION, legend_above
from escapedim.records.experiments import Escape, Portrait
from escapedim.records.results import WidenResult

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

_ANGLES = (24, -58)  # Elevation and azimuth from which the valley, the ridge and the path are all seen.
_FINE, _MESH = 121, 16  # Points of the surface in each direction, and lines on it.
_OLD, _ADDED = "along the softest old direction", "along the added direction"


@dataclass(frozen=True)
class Seen:
    """A portrait, and from which width to which the network was widened."""

    portrait: Portrait
    widths: tuple[int, int]


def entries(result: WidenResult) -> list[Seen]:
    """Return the portraits of a run."""
    return [_seen(entry, entry.portrait) for entry in result.escape if entry.portrait is not None]


def _seen(entry: Escape, portrait: Portrait) -> Seen:
    return Seen(portrait, (entry.from_width, entry.to_width))


def draw_surface(axes: Axes3D, found: Seen) -> None:
    """Draw the loss in the plane of both directions, as high as it rises along each, and the path at its own loss."""
    import numpy as np

    portrait = found.portrait
    added, old, loss = _finer(portrait)
    top = _top(portrait)
    low = np.where(loss <= top, loss, np.nan)
    surface = axes.plot_surface(added, old, low, color=PALE, alpha=0.6, linewidth=0, rcount=_FINE, ccount=_FINE)
    surface.set_rasterized(True)  # ten thousand facets are better a picture, also in PDF and SVG
    axes.plot_wireframe(added, old, low, color=GREY, linewidth=0.25, rcount=_MESH, ccount=_MESH)
    _lines(axes, portrait, top)
    axes.set_xlabel("added direction", labelpad=-6)
    axes.set_ylabel("old direction", labelpad=-6)
    axes.set_zlabel("training loss", labelpad=-4)
    axes.set_zlim(0, top)
    axes.tick_params(pad=-3)
    axes.locator_params(nbins=5)
    axes.set_box_aspect((1.25, 1, 0.75), zoom=1.15)
    axes.view_init(*_ANGLES)


def _finer(portrait: Portrait) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the coordinates and the loss `(old, added)` at more points than were measured, by cubic splines."""
    import numpy as np
    from scipy.interpolate import RectBivariateSpline

    between = RectBivariateSpline(portrait.added, portrait.old, np.array(portrait.loss))
    added, old = (np.linspace(values[0], values[-1], _FINE) for values in (portrait.added, portrait.old))
    along, across = np.meshgrid(added, old)
    return along, across, between(added, old).T


def _top(portrait: Portrait) -> float:
    """Return how high the surface is drawn: as far above the minimum as the path falls below it."""
    return 2 * portrait.path_loss[0] - min(portrait.path_loss)


def _lines(axes: Axes3D, portrait: Portrait, top: float) -> None:
    """Draw both slices, the minimum and the path over the surface."""
    middle_old, middle_added = len(portrait.old) // 2, len(portrait.added) // 2
    ends = portrait.path_added[-1:], portrait.path_old[-1:], portrait.path_loss[-1:]
    along_old = [(0.0, at, loss) for at, loss in zip(portrait.old, portrait.loss[middle_added], strict=True)]
    along_added = [(at, 0.0, row[middle_old]) for at, row in zip(portrait.added, portrait.loss, strict=True)]
    path = list(zip(portrait.path_added, portrait.path_old, portrait.path_loss, strict=True))
    for points, color, style, width in (
        (along_old, BLACK, "--", 1.3), (along_added, BLUE, "-", 1.5), (path, VERMILLION, "-.", 2.0)
    ):  # fmt: skip
        shown = [point for point in points if point[2] <= top]
        axes.plot(*zip(*shown, strict=True), style, color=color, linewidth=width, zorder=10)
    axes.plot([0], [0], portrait.path_loss[:1], "o", color=BLACK, markersize=4.5, zorder=13)
    axes.plot(*ends, "*", color=VERMILLION, markersize=9, zorder=13)


def draw_old(axes: Axes, found: Seen) -> None:
    """Draw the loss along the old direction, in which the point is a minimum."""
    portrait = found.portrait
    axes.plot(portrait.old, portrait.loss[len(portrait.added) // 2], "--", color=BLACK, label="loss " + _OLD)
    axes.plot([0], [portrait.path_loss[0]], "o", color=BLACK, label="bad minimum")
    axes.set_xlabel("distance " + _OLD)
    _losses(axes, portrait)
    legend_above(axes)


def draw_added(axes: Axes, found: Seen) -> None:
    """Draw the loss along the added direction, in which the same point is none, and the path that left it."""
    portrait = found.portrait
    middle = len(portrait.old) // 2
    axes.plot(portrait.added, [row[middle] for row in portrait.loss], "-", color=BLUE, label="loss " + _ADDED)
    axes.plot(portrait.path_added, portrait.path_loss, "-.", color=VERMILLION, label="path of the widened network")
    axes.plot([0], [portrait.path_loss[0]], "o", color=BLACK, label="the same point")
    axes.plot(portrait.path_added[-1:], portrait.path_loss[-1:], "*", color=VERMILLION, markersize=6, label="its end")
    axes.set_xlabel("distance " + _ADDED)
    _losses(axes, portrait)
    legend_above(axes)


def _losses(axes: Axes, portrait: Portrait) -> None:
    """Let all panels of a portrait show the same losses."""
    values = [*portrait.path_loss, *portrait.loss[len(portrait.added) // 2]]
    room = 0.06 * (max(values) - min(values))
    axes.set_ylim(min(values) - room, max(values) + room)
    axes.set_ylabel("training loss")


def caption(found: Seen) -> str:
    """Return what the figure shows."""
    portrait, (narrow, wide) = found.portrait, found.widths
    return (
        f"A certified bad minimum of width {narrow} (replicate {portrait.replicate}, "
        f"loss {portrait.path_loss[0]:.4g}), and the same network with a unit split, at width {wide}. Along the narrow "
        f"network's direction of least curvature ({portrait.old_curvature:.3g}) the point is a minimum; along the "
        f"direction of most negative curvature ({portrait.added_curvature:.3g}), which width has added, it is none. "
        f"Path: the widened network, perturbed and trained on, until its loss is {portrait.path_loss[-1]:.2g} after "
        f"{portrait.path_step[-1]:,} steps; it leaves the plane of both directions, so that it runs below the surface."
    )


def caption_added() -> str:
    """Return what the panel of the added direction shows."""
    return "Loss along the direction that width adds to a bad minimum, and the path of the widened network."
