"""Figures with one panel drawn on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from escapedim.figures.style import COLUMN, HEIGHT, laid_out, new_figure, styled


def panel(draw: Callable[..., None], *arguments: Any, **more: Any) -> Axes:
    """The axes of a single column that `draw` has drawn on."""
    with styled():
        figure = new_figure(COLUMN, HEIGHT)
        axes = figure.add_subplot()
        draw(axes, *arguments, **more)
        laid_out(figure)
    return axes


def inside(figure: Figure) -> bool:
    """Whether no text or line reaches out of the figure, to a hundredth of an inch."""
    drawn = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    return drawn.x0 > -0.01 and drawn.y0 > -0.01 and drawn.x1 < width + 0.01 and drawn.y1 < height + 0.01


def line(axes: Axes, label: str) -> list[tuple[float, float]]:
    """The points of the line that has this label in the legend."""
    (found,) = [one for one in axes.get_lines() if one.get_label() == label]
    return [(float(x), float(y)) for x, y in found.get_xydata()]


def tick_labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_xticklabels()]


def luminance(color: str) -> float:
    """Relative luminance of sRGB (WCAG 2): what is left of a colour in grey."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.fixture(autouse=True)
def _users_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the user has set for matplotlib, figures look the same."""
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
