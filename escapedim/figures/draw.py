"""All figures of a material: drawn one by one, by the names of their files, and what was skipped with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from escapedim.figures import overview
from escapedim.figures.plans import FigurePlan, Skipped, file_names, planned
from escapedim.figures.style import COLUMN, HEIGHT, WIDE, laid_out, new_figure, styled
from escapedim.reporting.material import Material

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

OVERVIEW = "overview"
_SOLID = 1.6  # Height of what is drawn in three dimensions, over that of a panel.


@dataclass(frozen=True)
class PlannedFigure:
    """A figure: the name of its files, its title and caption, its source, and how it is drawn.

    The source is "compare/lottery" inside a comparison, and that of an overview the comparison's name or "".
    """

    name: str
    title: str
    caption: str
    source: str
    draw: Callable[[], Figure]


def skipped(materials: Sequence[Material]) -> list[Skipped]:
    """Return what cannot be drawn of any of the materials, and why."""
    found: dict[str, list[str]] = {}
    drawn: set[str] = set()
    for material in materials:
        plans, missing = _planned(material)
        drawn |= {plan.figure for plan in plans} | ({OVERVIEW} if not overview.missing(plans, material) else set())
        for one in missing:
            found.setdefault(one.figure, []).append(one.reason)
    return [
        Skipped(figure, "; ".join(dict.fromkeys(reasons))) for figure, reasons in found.items() if figure not in drawn
    ]


def figures(materials: Sequence[Material]) -> Iterator[PlannedFigure]:
    """Yield all figures of the materials, overviews first; no two have one name."""
    plans = [(plan, material) for material in materials for plan in _planned(material)[0]]
    taken: set[str] = set()
    yield from _overviews(materials, taken)
    names = file_names([plan for plan, _ in plans], taken)
    for (plan, material), name in zip(plans, names, strict=True):
        yield PlannedFigure(name, plan.title, plan.caption, _source(plan, material), partial(figure_of, plan))


def figure_of(plan: FigurePlan) -> Figure:
    """Draw one plan: one panel in the width of a column, several two in a row in the width of a page.

    What is drawn in three dimensions has the first row for itself.
    """
    count = len(plan.panels)
    columns, rows = (1, 1) if count == 1 else (2, -(-count // 2))
    heights = [*([_SOLID] if plan.solid else []), *[1.0] * rows]
    with styled():
        figure = new_figure(COLUMN if count == 1 else WIDE, HEIGHT * sum(heights))
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        if plan.solid:
            plan.solid(cast("Axes3D", figure.add_subplot(grid[0, :], projection="3d")))
        for number, panel in enumerate(plan.panels):
            panel(figure.add_subplot(grid[number // columns + bool(plan.solid), number % columns]))
        return laid_out(figure)


def _source(plan: FigurePlan, material: Material) -> str:
    """Return the name of the plan's source, after that of the comparison that holds it."""
    return plan.source if plan.source == material.name or not material.name else f"{material.name}/{plan.source}"


def _planned(material: Material) -> tuple[list[FigurePlan], list[Skipped]]:
    plans, missing = planned(material)
    reason = overview.missing(plans, material)
    return plans, [*missing, *([Skipped(OVERVIEW, reason)] if reason else [])]


def _overviews(materials: Sequence[Material], taken: set[str]) -> Iterator[PlannedFigure]:
    pages = [(material, _planned(material)[0]) for material in materials]
    pages = [(material, plans) for material, plans in pages if not overview.missing(plans, material)]
    for material, plans in pages:
        plan = FigurePlan(OVERVIEW, material.name, "Summary", overview.caption(plans), ())
        prefixed = f"{material.name}-{OVERVIEW}" if material.name and len(pages) > 1 else OVERVIEW
        (name,) = file_names([FigurePlan(prefixed, "", "", "", ())], taken)
        yield PlannedFigure(name, plan.title, plan.caption, material.name, partial(_page, plans, material))


def _page(plans: Sequence[FigurePlan], material: Material) -> Figure:
    with styled():
        return laid_out(overview.draw(plans, material))
