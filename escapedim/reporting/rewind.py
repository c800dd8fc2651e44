"""The report of `escapedim rewind`: modes by rewind point, complements with their controls, barriers, invariants."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from escapedim.records.rewinding import Retrained, RewindResult
from escapedim.records.summary import Summary
from escapedim.reporting import barriers, modes, numbers, settings, surroundings
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose, write


def render(summary: Summary, console: Console) -> None:
    """Print the report of a rewind summary."""
    write(console, blocks(summary, console.width))


def blocks(summary: Summary, width: int) -> list[Block]:
    """Return the report for a console of `width` characters."""
    result = summary.result
    if not isinstance(result, RewindResult):
        raise TypeError(f"expected a rewind result, found {type(result).__name__}")
    sections = [
        modes.section(result, width) if result.modes else None,
        surroundings.section(result, width) if result.complements else None,
        barriers.section(result.instability, width) if result.instability else None,
    ]
    found = [section for section in sections if section is not None]
    sentences = [block(prose(_capital(section.sentence), width), "bold") for section in found[:1]]
    return [
        block(_heading(summary, width)),
        block(_alarm(result, width), "bold red"),
        *sentences,
        *(block(section.body) for section in found[:1]),
        *(block([*prose(f"{section.name}: {section.sentence}", width), *section.body]) for section in found[1:]),
        block(_invariants(result, width)),
        block(_foot(summary, width)),
    ]


def _heading(summary: Summary, width: int) -> list[str]:
    config = summary.config
    source = "-".join(settings.value(config.get("source")).split("-")[:2])
    chosen = config.get("round")
    known = isinstance(chosen, list) and all(type(number) is int for number in chosen)
    rounds = numbers.rounds(chosen) if known and chosen else ""
    parts = [
        settings.what(config),
        ", ".join(part for part in (f"tickets of {source}" if source else "", rounds) if part),
        settings.status(summary, _done(summary.result)),
    ]
    return prose("; ".join(part for part in parts if part) + ".", width)


def _done(result: object) -> str:
    done = _done_rounds(result) if isinstance(result, RewindResult) else []
    return f"after {numbers.rounds(done)}" if done else "before the end of the first round"


def _done_rounds(result: RewindResult) -> list[int]:
    """Return the rounds of which something was trained."""
    modes, surrounded = {entry.round for entry in result.modes}, {entry.round for entry in result.complements}
    return sorted(modes | surrounded | {line.round for line in result.instability if line.to is not None})


def _alarm(result: RewindResult, width: int) -> list[str]:
    broken = result.violations()
    if not broken:
        return []
    return prose(f"Invariants are violated, so that the numbers are unusable: {'; '.join(broken)}.", width)


def _invariants(result: RewindResult, width: int) -> list[str]:
    if result.violations() or not _done_rounds(result):
        return []
    equal = [entry for entry in result.modes if entry.equals_run is not None]
    other = sorted({entry.round for entry in equal if not entry.equals_run})
    same = sorted({entry.round for entry in equal} - set(other))
    texts = [
        "Invariants hold everywhere: survivors equal rewind weights, masked weights zero, density exact, complement "
        "and data order as asked."
    ]
    if same:
        texts.append(
            f"Rewound to its own point, step{TIE}{result.rewind_to:,}, the prune run's own arms came out again number "
            f"for number ({numbers.listed(_arms(equal))}; {numbers.rounds(same)})."
        )
    if other:
        texts.append(
            f"The prune run's own arms did not come out again to the last digit in {numbers.rounds(other)}: another "
            "machine, or another torch."
        )
    if result.replay_exact:
        texts.append("The replay of round 0 met every point that was kept.")
    return prose(" ".join(texts), width)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _arms(entries: Sequence[Retrained]) -> list[str]:
    """Return the arms of the prune run that were trained again, as it calls them."""
    return list(dict.fromkeys({"weights": "ticket"}.get(entry.mode, entry.mode) for entry in entries))


def _foot(summary: Summary, width: int) -> list[str]:
    texts = [settings.recipe(summary.config), *settings.cost(summary)[:1]]
    return [*(line for text in texts if text for line in prose(text, width)), *settings.cost(summary)[1:]]
