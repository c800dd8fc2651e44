"""Whether the tickets are tickets: one calm line when all invariants hold, an alarm when one does not."""

from __future__ import annotations

from escapedim.records.summary import Invariants, LotteryResult
from escapedim.reporting import numbers
from escapedim.reporting.page import prose

_WORDS = {name: name.replace("_", " ") for name in Invariants.model_fields}


def alarm(result: LotteryResult, width: int) -> list[str]:
    """Return what stands above the verdict when an invariant fails, otherwise nothing."""
    broken = [f"{text} ({numbers.rounds(rounds)})" for text, rounds in _broken(result).items()]
    if not broken:
        return []
    head = f"INVARIANTS FAIL. Not true: {'; '.join(broken)}."
    return prose(f"{head} What was trained there is not the ticket; do not use these numbers.", width)


def sentence(result: LotteryResult, width: int) -> list[str]:
    """Return the line that closes a report: all invariants hold, or in which rounds some fail."""
    if not result.rounds:
        return []
    broken = [number for numbers_ in _broken(result).values() for number in numbers_]
    if broken:
        return prose(f"INVARIANTS FAIL in {numbers.rounds(broken)}: see above the verdict.", width)
    pruned = len({entry.round for entry in result.rounds if entry.round > 0})
    where = f"in all {numbers.plural(pruned, 'round')}" if pruned > 1 else "in every round"
    return prose(f"Invariants hold {where}: {', '.join(_WORDS.values())}.", width)


def _broken(result: LotteryResult) -> dict[str, list[int]]:
    failed = {
        text: [entry.round for entry in result.rounds if not getattr(entry.invariants, name)]
        for name, text in _WORDS.items()
    }
    return {text: rounds for text, rounds in failed.items() if rounds}
