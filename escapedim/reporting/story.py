"""The sentences of the terminal report, for pages: what each experiment of a result found, by its name."""

from __future__ import annotations

from escapedim.records.results import LotteryResult, TrainResult, WidenResult
from escapedim.records.rewinding import RewindResult
from escapedim.reporting import barriers, experiments, invariants, modes, success, surroundings, train, verdict
from escapedim.reporting.arms import with_tolerance
from escapedim.reporting.material import Material, Source
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section

Told = tuple[str, str]
"""The name of an experiment, and the sentence that says what it found."""

_WIDTH = 100


def of_source(source: Source) -> list[Told]:
    """Return the sentences of one result, alarms first."""
    return [(name, text.replace(TIE, " ")) for name, text in _sentences(source) if text]


def of_comparison(material: Material) -> list[Told]:
    """Return the verdict, the laws' sentence, and that of each row."""
    if material.comparison is None:
        return []
    laws = [("Laws of the failure rate", material.laws.sentence)] if material.laws is not None else []
    rows = [(row.key.replace("_", " ").capitalize(), row.sentence) for row in material.rows]
    found = [("Verdict", material.comparison.verdict.sentence), *rows, *laws]
    return [(name, text.replace(TIE, " ")) for name, text in found]


def _sentences(source: Source) -> list[Told]:
    summary, result = source.summary, source.result
    if isinstance(result, LotteryResult):
        result = with_tolerance(result, summary.config)
        alarm = " ".join(invariants.alarm(result, _WIDTH))
        return [
            ("Alarm", alarm),
            ("Tickets", verdict.sentence(summary, result)),
            ("Invariants", "" if alarm else " ".join(invariants.sentence(result, _WIDTH))),
        ]
    if isinstance(result, WidenResult):
        widths = [("Success", success.sentence(summary, result))] if result.widths else []
        return [*widths, *_told(experiments.sections(summary, result, _WIDTH))]
    if isinstance(result, RewindResult):
        return _rewound(result)
    return [("Success", train.sentence(result))] if isinstance(result, TrainResult) else []


def _rewound(result: RewindResult) -> list[Told]:
    broken = "; ".join(result.violations())
    alarm = f"Invariants are violated, so that the numbers are unusable: {broken}." if broken else ""
    sections = [
        modes.section(result, _WIDTH) if result.modes else None,
        surroundings.section(result, _WIDTH) if result.complements else None,
        barriers.section(result.instability, _WIDTH) if result.instability else None,
    ]
    return [("Alarm", alarm), *_told([section for section in sections if section is not None])]


def _told(sections: list[Section]) -> list[Told]:
    return [(section.name, section.sentence) for section in sections]
