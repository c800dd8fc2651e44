"""The sections of a widen report on the experiments beside width scaling, in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.results import WidenResult
from escapedim.records.summary import Summary
from escapedim.reporting import complement, escape, halving, isolation, restarts, transient
from escapedim.reporting.page import Block, Section, block, prose


def sections(summary: Summary, result: WidenResult, width: int) -> list[Section]:
    """Return a section for each experiment that has results."""
    seconds = restarts.seconds_per_member(summary)
    found = [
        isolation.section(result.isolation, width) if result.isolation else None,
        complement.section(result.complement, width) if result.complement else None,
        escape.section(result.escape, width) if result.escape else None,
        transient.section(result.transient, width) if result.transient else None,
        restarts.section(result.restarts, width, seconds) if result.restarts else None,
        halving.section(result.step_halving, width) if result.step_halving else None,
    ]
    return [section for section in found if section is not None]


def blocks(found: Sequence[Section], summary: Summary, width: int) -> list[Block]:
    """Return the sections as blocks: name and sentence, then the table with its notes."""
    so_far = "" if summary.status == "complete" else " so far"
    return [
        block([*prose(f"{section.name}{so_far}: {_continued(section.sentence)}", width), *section.body])
        for section in found
    ]


def _continued(sentence: str) -> str:
    return f"{sentence[0].lower()}{sentence[1:]}"
