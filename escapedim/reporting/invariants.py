"""Whether the tickets are tickets: one calm line when all invariants hold, an alarm when one does not.

That no layer is empty is another matter: a layer without weights is no fault of the run but a finding about the
network, and has a sentence of its own.
"""

from __future__ import annotations

from escapedim.records.results import Invariants, LotteryResult, Round
from escapedim.reporting import numbers
from escapedim.reporting.page import prose

_FINDING = "no_layer_empty"
_WORDS = {name: name.replace("_", " ") for name in Invariants.model_fields}


def alarm(result: LotteryResult, width: int) -> list[str]:
    """Return what stands above the verdict when an invariant fails, otherwise nothing."""
    broken = [f"{_WORDS[name]} ({numbers.rounds(rounds)})" for name, rounds in _broken(result).items()]
    if not broken:
        return []
    head = f"INVARIANTS FAIL. Not true: {'; '.join(broken)}."
    return prose(f"{head} What was trained there is not the ticket; do not use these numbers.", width)


def empty_layers(result: LotteryResult, width: int) -> list[str]:
    """Return in which rounds which layers of the ticket have no weights left, and what that means; mostly nothing."""
    found: dict[str, list[int]] = {}
    for entry in result.rounds:
        if not entry.invariants.no_layer_empty:
            found.setdefault(_empty(entry), []).append(entry.round)
    meaning = "such a ticket gives every input the same output"
    return [
        line
        for layers, rounds in found.items()
        for line in prose(f"{numbers.rounds(rounds).capitalize()}: {layers} no weights left; {meaning}.", width)
    ]


def sentence(result: LotteryResult, width: int) -> list[str]:
    """Return the line that closes a report: all invariants hold, or in which rounds some fail."""
    if not result.rounds:
        return []
    broken = [number for rounds in _broken(result).values() for number in rounds]
    if broken:
        return prose(f"INVARIANTS FAIL in {numbers.rounds(broken)}: see above the verdict.", width)
    pruned = len({entry.round for entry in result.rounds if entry.round > 0})
    where = f"in all {numbers.plural(pruned, 'round')}" if pruned > 1 else "in every round"
    held = [words for name, words in _WORDS.items() if not _rounds_without(result, name)]
    return prose(f"Invariants hold {where}: {', '.join(held)}.", width)


def _broken(result: LotteryResult) -> dict[str, list[int]]:
    failed = {name: _rounds_without(result, name) for name in _WORDS if name != _FINDING}
    return {name: rounds for name, rounds in failed.items() if rounds}


def _rounds_without(result: LotteryResult, name: str) -> list[int]:
    return [entry.round for entry in result.rounds if not getattr(entry.invariants, name)]


def _empty(entry: Round) -> str:
    # Survivors are means over replicates: a layer that is empty in some of them only cannot be named.
    names = [layer.name for layer in entry.layers if not layer.surviving]
    if not names:
        return "in some replicates a layer has"
    return f"layer {names[0]} has" if len(names) == 1 else f"layers {numbers.listed(names)} have"
