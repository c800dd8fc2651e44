"""The summary on one page: a panel of each figure that can be drawn, and what a comparison found below them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from escapedim.figures.plans import Plan
from escapedim.figures.style import WIDE, legend_height, new_figure, title_above
from escapedim.reporting import settings
from escapedim.reporting.material import Material
from escapedim.reporting.numbers import TIE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _LINE, _HEAD = 2.15, 0.125, 0.35  # Inches.
_LETTERS = 118  # Characters of a line across the page.
_MOST = 8


def chosen(plans: Sequence[Plan]) -> list[Plan]:
    """Return the first plan of each figure."""
    first: dict[str, Plan] = {}
    for plan in plans:
        first.setdefault(plan.figure, plan)
    return list(first.values())[:_MOST]


def missing(plans: Sequence[Plan], material: Material) -> str:
    """Say why there is no overview, or nothing."""
    if len(chosen(plans)) > 1 or (plans and material.rows):
        return ""
    return "it takes two figures" if plans else "no figure can be drawn"


def draw(plans: Sequence[Plan], material: Material) -> Figure:
    """Return the page."""
    shown, lines = chosen(plans), findings(material)
    rows = -(-len(shown) // 2)
    below = [_LINE * len(lines) + 0.1] if lines else []
    figure = new_figure(WIDE, _HEAD + rows * _ROW + sum(below), pad=0.08)
    figure.suptitle(heading(material), x=0.01, ha="left", fontsize=8, fontweight="bold")
    grid = figure.add_gridspec(rows + len(below), 4, height_ratios=[*([_ROW] * rows), *below])
    panels: list[Axes] = []
    for number, plan in enumerate(shown):
        row, side = divmod(number, 2)
        alone = number == len(shown) - 1 and side == 0
        panels.append(figure.add_subplot(grid[row, 1:3] if alone else grid[row, 2 * side : 2 * side + 2]))
        plan.panels[plan.lead](panels[-1])
    for number, (plan, axes) in enumerate(zip(shown, panels, strict=True)):
        own = axes.get_title(loc="left")
        title = f"{'abcdefgh'[number]}  {plan.title}{f': {own}' if own else ''}"
        pair = panels[number // 2 * 2 : number // 2 * 2 + 2]
        title_above(axes, title, max(map(legend_height, pair)), fontweight="bold")
    if lines:
        text = figure.add_subplot(grid[rows, :])
        text.set_axis_off()
        text.text(0, 1, "\n".join(lines), va="top", ha="left", fontsize=6.5, transform=text.transAxes)
    return figure


def heading(material: Material) -> str:
    """Return what was run: the parts that all sources share."""
    configs = [source.summary.config for source in material.sources]
    tasks = list(dict.fromkeys(settings.value(config.get("task")) for config in configs))
    recipes = list(dict.fromkeys(settings.recipe(config) for config in configs))
    text = f"{', '.join(task for task in tasks if task)}. {recipes[0] if len(recipes) == 1 else ''}"
    return textwrap.shorten(text.replace(TIE, " ").strip(), _LETTERS - 20, placeholder=" ...")


def caption(plans: Sequence[Plan]) -> str:
    """Return what each panel shows."""
    parts = [f"({'abcdefgh'[number]}) {plan.caption}" for number, plan in enumerate(chosen(plans))]
    return " ".join(parts)


def findings(material: Material) -> list[str]:
    """Return the verdict and the sentence of each row, broken into lines of the page."""
    if material.comparison is None:
        return []
    rows = [f"{row.key.replace('_', ' ')}: {row.sentence}" for row in material.rows if row.direction != "not measured"]
    texts = [material.comparison.verdict.sentence, *rows]
    return [line for text in texts for line in textwrap.wrap(text.replace(TIE, " "), _LETTERS, subsequent_indent="   ")]
