"""From summaries to evidence and a verdict: the whole comparison on one screen.

Summaries of one task and recipe are checked, shards of one study are merged, every row that the files allow is
computed, laws are fitted to the failure rates, and directions are given to the rows as one family of tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from escapedim.comparison import merging
from escapedim.comparison.compatibility import check
from escapedim.comparison.fitting import fit_laws
from escapedim.comparison.rows import (
    complement,
    counts,
    effective_tickets,
    equal_parameters,
    escape,
    instability,
    isolation,
    literal_tickets,
    restarts,
)
from escapedim.comparison.study import LEVEL, MARGIN, Study, StudySource
from escapedim.comparison.verdict import directed, verdict
from escapedim.comparison.widths import exhaustive, failures, stays
from escapedim.errors import BadInput
from escapedim.records.comparison import Compared, CompareResult, Laws
from escapedim.records.results import LotteryResult, TrainResult, WidenResult
from escapedim.records.rewinding import RewindResult
from escapedim.records.strict_json import canonical
from escapedim.records.summary import Summary

ROWS = (
    isolation,
    complement,
    escape,
    literal_tickets,
    effective_tickets,
    restarts,
    equal_parameters,
    instability,
    counts,
)

Named = tuple[str, Summary]


@dataclass(frozen=True)
class CompareSettings:
    """What is fixed before the numbers are seen: see `Study`. `allow` are differences that are permitted."""

    allow: tuple[str, ...] = ()
    base_width: int | None = None
    minimal: int | None = None
    margin: float = MARGIN
    level: float = LEVEL
    seed: int = 0


def compare(named: Sequence[Named], settings: CompareSettings) -> CompareResult:
    """Compare summaries by the names of their files, in any order.

    Raises
    ------
    BadInput
        Summaries of other kinds, of different tasks, recipes or versions, or with members in common; a base width that
        was not trained.
    """
    _check_kinds(named)
    allowed = check(named, settings.allow)
    merging.check_members(named)
    ordered = sorted(named, key=lambda pair: (_ORDER.index(pair[1].kind), pair[1].id))
    task = str(ordered[0][1].config.get("task", ""))
    compared = [_compared(group) for group in _groups(ordered)]
    sources = [source for source, _ in compared]
    study = Study(
        sources=sources,
        base_width=_base_width(sources, settings.base_width),
        minimal=settings.minimal,
        margin=settings.margin,
        level=settings.level,
        seed=settings.seed,
        task=task,
    )
    rows = directed([row.row(study) for row in ROWS], settings.level)
    return CompareResult(
        task=task,
        margin=settings.margin,
        sources=[record for _, record in compared],
        allowed=allowed,
        rows=rows,
        laws=_laws(study),
        verdict=verdict(rows, settings.level),
    )


def _laws(study: Study) -> Laws | None:
    observed = failures(study)
    if not observed:
        return None
    return fit_laws(
        observed,
        exhaustive(study),
        stays(study),
        study.base_width,
        study.level,
        study.seed,
        margin=study.margin,
        one_hidden=not study.of_family,
    )


_ORDER = ("lottery", "rewind", "widen", "train")


def _check_kinds(named: Sequence[Named]) -> None:
    for name, summary in named:
        if summary.kind == "compare":
            raise BadInput(f"{name} is a comparison already; name the summaries that it was made of.")
    if all(isinstance(summary.result, TrainResult) for _, summary in named):
        raise BadInput(
            f"{named[0][0]}: expected a lottery, rewind or widen summary among the files, found train summaries only; "
            "run escapedim prune or escapedim widen."
        )


def _groups(named: Sequence[Named]) -> list[list[Named]]:
    """Put widen summaries together, those with widths first; all others stay alone."""
    widens = [pair for pair in named if isinstance(pair[1].result, WidenResult)]
    widens.sort(key=lambda pair: not (isinstance(pair[1].result, WidenResult) and pair[1].result.widths))
    others = [[pair] for pair in named if not isinstance(pair[1].result, WidenResult)]
    return [*others, *([widens] if widens else [])]


def _compared(group: Sequence[Named]) -> tuple[StudySource, Compared]:
    name, summary = group[0]
    widens = [one.result for _, one in group if isinstance(one.result, WidenResult)]
    result = merging.merged(widens) if widens else summary.result
    assert isinstance(result, LotteryResult | WidenResult | RewindResult | TrainResult), "kinds are checked"
    label = name if len(group) == 1 else f"{len(group)} widen summaries"
    statuses = [one.status for _, one in group]
    record = Compared(
        name=label,
        files=[file for file, _ in group],
        kind=summary.kind,
        status=next((status for status in statuses if status != "complete"), "complete"),
        ids=[one.id for _, one in group],
        version=summary.provenance.version,
        config=summary.config,
        result=result.model_dump(mode="json"),
        not_merged=list(merging.NOT_MERGED) if merging.is_split(widens) else [],
    )
    return StudySource(label, summary.config, result, summary.provenance.argv, record.files), record


def _base_width(sources: Sequence[StudySource], given: int | None) -> int | None:
    """Return the width r of effective tickets: that of the task's restarts, or the smallest, unless another is given.

    All of these are fixed before a network is trained.
    """
    widens = [(source, source.result) for source in sources if isinstance(source.result, WidenResult)]
    widths = [one.width for _, result in widens for one in result.widths]
    if given is not None and widths and given not in widths:
        raise BadInput(f"--base-width: expected one of the widths {', '.join(map(str, widths))}, found {given}.")
    planned = [source.config.get(name) for source, _ in widens for name in ("restarts", "complement")]
    chosen = [width for width in planned if width in widths]
    return given or (chosen[0] if chosen else min(widths, default=None))


def compare_id(named: Sequence[Named], settings: CompareSettings) -> str:
    """Return 16 hex digits of what was compared, in any order, and how."""
    runs = sorted((summary.kind, summary.id) for _, summary in named)
    chosen = {**vars(settings), "allow": sorted(settings.allow)}
    return hashlib.sha256(canonical({"runs": runs, "settings": chosen}).encode()).hexdigest()[:16]
