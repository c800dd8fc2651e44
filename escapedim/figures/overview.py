"""The summary on one page: a panel of each figure that can be drawn, and what a comparison found below them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures.plans import FigurePlan
from escapedim.figures.style import WIDE, legend_height, new_figure, title_above, wrapped
from escapedim.reporting import settings
from escapedim.reporting.material import Material
from escapedim.reporting.numbers import TIE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _LINE, _HEAD = 2.15, 0.125, 0.35  # Inches.
_PAGE, _LOWEST = 10.5, 1.6  # Inches: height of a page, and of a row of panels at least.
_LEFT, _TEXT, _SIZE = 0.08, 6.75, 6.5  # Left edge and width of the sentences in inches, and their size in points.
_LONGEST_HEADING = 100
_LETTERS = "abcdefgh"
_MOST = len(_LETTERS)


def chosen(plans: Sequence[FigurePlan]) -> list[FigurePlan]:
    """Return the first plan of each figure."""
    first: dict[str, FigurePlan] = {}
    for plan in plans:
        first.setdefault(plan.figure, plan)
    return list(first.values())[:_MOST]


def missing(plans: Sequence[FigurePlan], material: Material) -> str:
    """Say why there is no overview, or nothing."""
    if len(chosen(plans)) > 1 or (plans and material.rows):
        return ""
    return "it takes two figures" if plans else "no figure can be drawn"


def draw(plans: Sequence[FigurePlan], material: Material) -> Figure:
    """Return the page; panels are as high as the sentences below them allow on one page."""
    shown = chosen(plans)
    lines = [line for text in findings(material) for line in wrapped(text, _TEXT, _SIZE)]
    rows, below = -(-len(shown) // 2), _LINE * len(lines) + (0.2 if lines else 0)
    row = max(_LOWEST, min(_ROW, (_PAGE - _HEAD - below) / rows))
    height = _HEAD + rows * row + below
    figure = new_figure(WIDE, height, pad=0.08, below=below)
    figure.suptitle(heading(material), x=_LEFT / WIDE, ha="left", fontsize=8, fontweight="bold")
    grid = figure.add_gridspec(rows, 4)
    panels = [figure.add_subplot(grid[_cell(number, len(shown))]) for number in range(len(shown))]
    for plan, axes in zip(shown, panels, strict=True):
        plan.panels[plan.lead](axes)
    _titles(shown, panels)
    if lines:
        figure.text(_LEFT / WIDE, (below - 0.1) / height, "\n".join(lines), va="top", ha="left", fontsize=_SIZE)
    return figure


def _cell(number: int, count: int) -> tuple[int, slice]:
    """Return the place of a panel in a grid of four columns: two panels a row, a last one alone in the middle."""
    row, side = divmod(number, 2)
    alone = number == count - 1 and side == 0
    return row, slice(1, 3) if alone else slice(2 * side, 2 * side + 2)


def _titles(shown: Sequence[FigurePlan], panels: Sequence[Axes]) -> None:
    for number, (plan, axes) in enumerate(zip(shown, panels, strict=True)):
        own = axes.get_title(loc="left")
        title = f"{_LETTERS[number]}  {plan.title}{f': {own}' if own else ''}"
        pair = panels[number // 2 * 2 : number // 2 * 2 + 2]
        title_above(axes, title, max(map(legend_height, pair)), fontweight="bold")


def heading(material: Material) -> str:
    """Return what was run: the parts that all sources share."""
    configs = [source.summary.config for source in material.sources]
    tasks = list(dict.fromkeys(settings.value(config.get("task")) for config in configs))
    recipes = list(dict.fromkeys(settings.recipe(config) for config in configs))
    text = f"{', '.join(task for task in tasks if task)}. {recipes[0] if len(recipes) == 1 else ''}"
    return textwrap.shorten(text.replace(TIE, " ").strip(), _LONGEST_HEADING, placeholder=" ...")


def caption(plans: Sequence[FigurePlan]) -> str:
    """Return what each panel shows."""
    parts = [f"({_LETTERS[number]}) {plan.lead_caption or plan.caption}" for number, plan in enumerate(chosen(plans))]
    return " ".join(parts)


def findings(material: Material) -> list[str]:
    """Return the verdict, and the sentence of each row that was measured."""
    if material.comparison is None:
        return []
    rows = [f"{row.key.replace('_', ' ')}: {row.sentence}" for row in material.rows if row.direction != "not measured"]
    return [text.replace(TIE, " ") for text in (material.comparison.verdict.sentence, *rows)]
