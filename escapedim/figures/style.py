"""How figures look: sizes, colours with markers and hatches that are told apart in grey too, and how they are saved.

Colours are those of Okabe and Ito (2008), which people of every colour vision tell apart. Nothing of the user's own
matplotlib settings enters, nor dates or versions: the same result gives the same bytes.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escapedim.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as MarkerPath

COLUMN = 3.5
"""Width of a single column in inches (common to journals of two columns)."""
WIDE = 7.2
"""Width of a page's text in inches."""
HEIGHT = 2.6
DPI = 300
_LEGEND_WIDTH = 205  # Points: the axes of a single column.
FORMATS = ("png", "pdf", "svg")

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, PALE = "#6E6E6E", "#D9D9D9"


@dataclass(frozen=True)
class Look:
    """Colour, marker, line style and hatch of one thing, the same in every figure."""

    color: str
    marker: str
    line: str | tuple[int, tuple[float, ...]] = "-"
    hatch: str = ""


LOOKS = (
    Look(BLUE, "o", "-", ""),
    Look(VERMILLION, "s", "--", "///"),
    Look(GREEN, "^", "-.", "..."),
    Look(PURPLE, "v", ":", "\\\\\\"),
    Look(ORANGE, "D", (0, (5, 1, 1, 1, 1, 1)), "xxx"),
    Look(SKY, "P", (0, (3, 1)), "++"),
    Look(BLACK, "X", (0, (1, 1)), "oo"),
)


ARMS: Mapping[str, Look] = {
    "ticket": Look(BLUE, "o", "-"),
    "reinit": Look(VERMILLION, "s", "--"),
    "shuffle": Look(GREEN, "^", "-."),
    "random": Look(PURPLE, "v", ":"),
    "dense": Look(BLACK, "D", "none"),
}


def of_arm(name: str, number: int) -> Look:
    """Return the look of an arm; `number` chooses among the others for an arm of another name."""
    return ARMS.get(name) or LOOKS[len(ARMS) - 1 + number % (len(LOOKS) - len(ARMS) + 1)]


def look(number: int) -> Look:
    """Return the look of the n-th of several things."""
    return LOOKS[number % len(LOOKS)]


SETTINGS: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.columnspacing": 1.2,
    "legend.labelspacing": 0.3,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "escapedim",
    "savefig.dpi": DPI,
    "figure.dpi": 100,
    "axes.unicode_minus": True,
    # Labels hold names that users gave, in which a dollar sign is a dollar sign. So markers are no mathtext either.
    "text.parse_math": False,
}
_METADATA: Mapping[str, Mapping[str, Any]] = {
    "png": {"Software": "escapedim"},
    "pdf": {"Creator": "escapedim", "Producer": None, "CreationDate": None},
    "svg": {"Creator": "escapedim", "Date": None},
}
_CAPTION = {"png": "Description", "pdf": "Subject", "svg": "Description"}


def _import_matplotlib() -> None:
    """Import matplotlib so that neither MPLBACKEND nor a `matplotlibrc` in the current folder can stop a command.

    The variable may name a backend that is not installed, and is obeyed where it is: in a notebook others draw, too.
    While matplotlib is imported, the current folder of the whole process is another one.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        with suppress(FileNotFoundError), chdir(Path(__file__).parent):  # unless the current folder was removed
            import matplotlib
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    with suppress(ValueError):
        if backend:
            matplotlib.rcParams["backend"] = backend


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in these settings alone, whatever the user's own are."""
    if "matplotlib" not in sys.modules:
        _import_matplotlib()
    import matplotlib
    import numpy as np

    own = {"backend", "backend_fallback", "interactive", "toolbar", "timezone", "savefig.directory"}
    chosen: Any = {key: value for key, value in matplotlib.rcParamsDefault.items() if key not in own}
    chosen.update(SETTINGS)
    # Points that are not drawn are NaN: a processor's vector units may report anything of them.
    with matplotlib.rc_context(chosen), np.errstate(over="ignore", invalid="ignore"):
        yield


def new_figure(width: float, height: float, pad: float = 0.05, below: float = 0.0) -> Figure:
    """Return an empty figure of this size in inches.

    Its axes make room for each other, `pad` inches at least, and leave `below` inches free at the bottom.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rect = (0, below / height, 1, 1 - below / height)
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=pad, h_pad=pad, rect=rect))
    FigureCanvasAgg(figure)
    return figure


def arrow(direction: int) -> MarkerPath:
    """Return a marker that points up (1) or down (-1)."""
    from matplotlib.path import Path as MarkerPath

    points = [(0, -1), (0, 1), (-0.5, 0.4), (0, 1), (0.5, 0.4)]
    codes = [MarkerPath.MOVETO, MarkerPath.LINETO, MarkerPath.MOVETO, MarkerPath.LINETO, MarkerPath.LINETO]
    return MarkerPath([(x, direction * y) for x, y in points], codes)


def wrapped(text: str, inches: float, size: float) -> list[str]:
    """Break a sentence into lines of this width, by the widths that its words have in the font of this size."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=SETTINGS["font.sans-serif"], size=size)

    def width(part: str) -> float:
        return float(text_to_path.get_text_width_height_descent(part, font, ismath=False)[0]) / 72

    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer) <= inches:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def laid_out(figure: Figure) -> Figure:
    """Arrange the parts of a figure once and for all, so that every format has the same arrangement.

    Text from outside in it loses what no font has and no SVG may hold.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text("\n".join(map(visible, text.get_text().split("\n"))))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def saved(figure: Figure, form: str, caption: str = "") -> bytes:
    """Return the bytes of the figure in one of `FORMATS`, with its caption in the file's metadata."""
    stream = io.BytesIO()
    metadata = {**_METADATA[form], **({_CAPTION[form]: visible(caption)} if caption else {})}
    with styled():
        figure.savefig(stream, format=form, metadata=metadata)
    return stream.getvalue()


def legend_above(axes: Axes, columns: int = 2) -> None:
    """Put the legend above the axes, where it covers no data: in fewer columns where so many have no room."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    for number in range(columns, 0, -1):
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=number, borderaxespad=0.2)
        if _legend_size(axes)[0] < _LEGEND_WIDTH:
            return


def legend_height(axes: Axes) -> float:
    """Return how much room the legend takes above the axes, in points."""
    return _legend_size(axes)[1]


def _legend_size(axes: Axes) -> tuple[float, float]:
    legend, figure = axes.get_legend(), axes.get_figure(root=True)
    if legend is None or figure is None:
        return 0.0, 0.0
    extent = legend.get_window_extent()
    return float(extent.width) * 72 / figure.dpi, float(extent.height) * 72 / figure.dpi


def title_above(axes: Axes, text: str, height: float | None = None, **more: Any) -> None:
    """Put a title above the axes and a legend of this height in points (its own)."""
    axes.set_title(text, pad=4 + (legend_height(axes) if height is None else height), **more)
