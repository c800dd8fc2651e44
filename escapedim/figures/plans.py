"""Which figures a material allows: their panels and captions, and why the others cannot be drawn.

Nothing is drawn here, and matplotlib is not needed to know what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from escapedim.figures import barriers, complement, density, effective, endings, escape, isolation, portrait, success
from escapedim.records.results import LotteryResult, WidenResult
from escapedim.records.rewinding import RewindResult
from escapedim.reporting.material import Material, unique

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

Panel = Callable[["Axes"], None]


@dataclass(frozen=True)
class FigurePlan:
    """A figure that can be drawn: which one, from which source ("" of a comparison), its title, panels and caption.

    `part` tells several figures of one source apart, and panel number `lead`, with a caption of its own if it needs
    one, stands for all panels on the overview. `solid` is drawn in three dimensions above the panels.
    """

    figure: str
    source: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    part: str = ""
    lead: int = 0
    lead_caption: str = ""
    solid: Callable[[Axes3D], None] | None = None


@dataclass(frozen=True)
class Skipped:
    """A figure that cannot be drawn, and why."""

    figure: str
    reason: str


Found = tuple[list[FigurePlan], str]
"""The plans of one figure; without any, why."""

_NONE = "no {what} in these files; {command} measures it"


def planned(material: Material) -> tuple[list[FigurePlan], list[Skipped]]:
    """Return what can be drawn of a material, in the order of the overview, and what cannot."""
    plans: list[FigurePlan] = []
    skipped: list[Skipped] = []
    for figure, plan in FIGURES.items():
        found, reason = plan(material)
        plans += [replace(one, caption=one.caption + _caution(material, one.source)) for one in found]
        if not found:
            skipped.append(Skipped(figure, reason))
    return plans, skipped


def _density(material: Material) -> Found:
    found = material.results(LotteryResult)
    if not found:
        return [], _none("pruning", "`escapedim prune`")
    reasons = {name: density.missing(result) for name, result in found}
    plans = [
        FigurePlan(
            "density",
            name,
            "Accuracy against density",
            density.caption(result),
            (partial(density.draw, result=result),),
        )
        for name, result in found
        if not reasons[name]
    ]
    return plans, _each(reasons)


def _success(material: Material) -> Found:
    found = [(name, result, success.points(result)) for name, result in material.results(WidenResult)]
    plans = []
    for name, result, points in found:
        laws = success.fitted_to(material.laws, points)
        if points:
            caption = success.caption(points, result.success_criterion, laws)
            plans.append(_success_plan(name, caption, partial(success.draw, found=points, laws=laws)))
    laws = material.laws
    if laws is not None and laws.observed and not any(success.fitted_to(laws, points) for *_, points in found):
        points = success.observed(laws)
        draw = partial(success.draw, found=points, laws=laws)
        plans.append(_success_plan(material.name, success.caption(points, "", laws), draw))
    return plans, _none("width scaling", "`escapedim widen`")


def _success_plan(name: str, caption: str, panel: Panel) -> FigurePlan:
    return FigurePlan("success", name, "Success against width", caption, (panel,))


def _effective(material: Material) -> Found:
    if not material.rows:
        return [], "effective tickets are a row of a comparison; give compare.json (`escapedim compare`)"
    row = effective.row(material.rows)
    if row is None:
        return [], "the comparison did not measure effective tickets"
    panel = partial(effective.draw, found=row)
    return [FigurePlan("effective", material.name, "Effective tickets", effective.caption(row), (panel,))], ""


def _endings(material: Material) -> Found:
    found = [(name, result) for name, result in material.results(WidenResult) if endings.entries(result)]
    if not found:
        return [], _none("width scaling", "`escapedim widen`")
    reasons = {name: endings.missing(result) for name, result in found}
    plans = [
        FigurePlan(
            "endings", name, "Endings by width", endings.caption(result), (partial(endings.draw, result=result),)
        )
        for name, result in found
        if not reasons[name]
    ]
    return plans, _each(reasons)


def _escape(material: Material) -> Found:
    plans = []
    for name, result in material.results(WidenResult):
        if entries := escape.entries(result):
            panels = (partial(escape.draw_losses, found=entries), partial(escape.draw_shares, found=entries))
            plans.append(
                FigurePlan(
                    "escape",
                    name,
                    "Escape",
                    escape.caption(entries, result),
                    panels,
                    "",
                    1,
                    escape.caption_shares(entries),
                )
            )
    if any(result.escape for _, result in material.results(WidenResult)):
        return plans, "there was no failed member to embed"
    return plans, _none("widened members", "`escapedim widen` or `escapedim widen --from FILE`")


def _portrait(material: Material) -> Found:
    found = [(name, seen) for name, result in material.results(WidenResult) for seen in portrait.entries(result)]
    plans = [
        FigurePlan(
            "portrait",
            name,
            "A way out",
            portrait.caption(seen),
            (partial(portrait.draw_old, found=seen), partial(portrait.draw_added, found=seen)),
            f"{seen.widths[0]}-to-{seen.widths[1]}",
            1,
            portrait.caption_added(),
            partial(portrait.draw_surface, found=seen),
        )
        for name, seen in found
    ]
    if any(result.escape for _, result in material.results(WidenResult)):
        return plans, "no split network went from a certified bad minimum to a global one"
    return plans, _none("widened members", "`escapedim widen --task relu-teacher:k=10 --widths 10:11`")


def _isolation(material: Material) -> Found:
    plans = []
    for name, result in material.results(WidenResult):
        if entries := isolation.entries(result):
            panels = (
                partial(isolation.draw_exceptions, found=entries),
                partial(isolation.draw_failures, found=entries),
            )
            plans.append(
                FigurePlan(
                    "isolation",
                    name,
                    "Isolation",
                    isolation.caption(entries),
                    panels,
                    "",
                    0,
                    isolation.caption_exceptions(entries),
                )
            )
    return plans, _none("isolation", "`escapedim widen --isolate UNITS`")


def _complement(material: Material) -> Found:
    plans = []
    for name, result in material.results(WidenResult):
        entries = complement.entries(result)
        for entry in entries:
            part = f"{entry.units}-in-{entry.width}" if len(entries) > 1 else ""
            panels = (partial(complement.draw, entry=entry),)
            plans.append(FigurePlan("complement", name, "Complement", complement.caption(entry), panels, part))
    for name, rewound in material.results(RewindResult):
        if found := complement.last_round(rewound):
            lead = complement.caption_tickets(found, whole_only=True)
            sides = tuple(partial(complement.draw_tickets, found=found, alone=alone) for alone in (False, True))
            plans.append(
                FigurePlan("complement", name, "Complement", complement.caption_tickets(found), sides, "", 0, lead)
            )
    command = "`escapedim widen --complement UNITS` or `escapedim rewind`"
    return plans, _none("complement", command)


def _barriers(material: Material) -> Found:
    plans = []
    for name, result in material.results(RewindResult):
        if drawn := barriers.panels(result):
            panels = tuple(partial(barriers.draw, lines=lines) for lines in drawn)
            plans.append(
                FigurePlan("barriers", name, "Barriers", barriers.caption(result), panels, lead=barriers.lead(result))
            )
    return plans, _none("barrier", "`escapedim rewind lottery.json`")


FIGURES: dict[str, Callable[[Material], Found]] = {
    "density": _density,
    "success": _success,
    "effective": _effective,
    "endings": _endings,
    "escape": _escape,
    "portrait": _portrait,
    "isolation": _isolation,
    "complement": _complement,
    "barriers": _barriers,
}
"""The figures in the order of the overview."""


def _caution(material: Material, name: str) -> str:
    """Return what a reader of one source's figure has to know: it is unfinished, or its invariants are violated."""
    source = next((source for source in material.sources if source.name == name), None)
    if source is None:
        return ""
    status = source.summary.status
    unfinished = "" if status == "complete" else f" The run is unfinished ({status})."
    violated = isinstance(source.result, LotteryResult | RewindResult) and source.result.violations()
    return unfinished + (" Invariants are violated, so that the numbers are unusable." if violated else "")


def _none(what: str, command: str) -> str:
    return _NONE.format(what=what, command=command)


def _each(reasons: dict[str, str]) -> str:
    given = [(name, reason) for name, reason in reasons.items() if reason]
    return "; ".join(f"{name}: {reason}" if len(reasons) > 1 else reason for name, reason in given)


def file_names(plans: Sequence[FigurePlan], taken: set[str]) -> list[str]:
    """Return a file name for each plan: the figure's, after the source's name where several draw the same figure."""
    sources: dict[str, set[str]] = {}
    for plan in plans:
        sources.setdefault(plan.figure, set()).add(plan.source)
    names = []
    for plan in plans:
        prefix = plan.source if len(sources[plan.figure]) > 1 else ""
        names.append(unique("-".join(part for part in (prefix, plan.figure, plan.part) if part), taken))
    return names
