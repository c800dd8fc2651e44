"""The report of `escapedim widen --from`: finished members were widened, and no width was trained from scratch."""

from __future__ import annotations

from escapedim.records.results import WidenResult
from escapedim.records.summary import Summary
from escapedim.reporting import experiments, numbers, settings
from escapedim.reporting.page import Block, Section, block, prose


def is_one(summary: Summary, result: WidenResult) -> bool:
    """Say whether a result without widths is of such a run: it has other results, or its configuration a source."""
    others = result.escape or result.isolation or result.complement or result.transient or result.step_halving
    return not result.widths and bool(others or summary.config.get("source"))


def blocks(summary: Summary, result: WidenResult, width: int) -> list[Block]:
    """Return heading, the first section with its sentence in bold, and the other sections."""
    found = experiments.sections(summary, result, width)
    return [
        block(_heading(summary, result, width)),
        block(prose(_sentence(found, summary, result), width), "bold"),
        *(block(section.body) for section in found[:1]),
        *experiments.blocks(found[1:], summary, width),
    ]


def _heading(summary: Summary, result: WidenResult, width: int) -> list[str]:
    sources = {(entry.layer, entry.from_width, number) for entry in result.escape for number in entry.replicates}
    count = numbers.plural(len(sources), "failed member")
    parts = [
        settings.what(summary.config),
        settings.source(summary.config),
        f"{count} embedded" if sources else "",
        settings.status(summary, f"after {count}" if sources else "").rstrip(),
    ]
    return prose("; ".join(part for part in parts if part) + ".", width)


def _sentence(found: list[Section], summary: Summary, result: WidenResult) -> str:
    criterion = f"the criterion is {result.success_criterion}."
    if not found:
        none = "There was no failed member to embed" if summary.status == "complete" else "No member is embedded yet"
        return f"{none}; {criterion}"
    text = f"{found[0].sentence} Success: {result.success_criterion.replace(' ', numbers.TIE)}."
    return text if summary.status == "complete" else f"So far: {text[0].lower()}{text[1:]}"
