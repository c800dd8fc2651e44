"""Retraining modes in a rewind report: rounds and rewind points by modes."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.rewinding import Retrained, RewindResult
from escapedim.reporting import numbers, shares
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Section, prose
from escapedim.reporting.table import narrowest_fit, text_table

_LAYOUTS = ((2, " ± "), (1, " ± "), (1, "±"), (1, "\n± "))


def section(result: RewindResult, width: int) -> Section:
    """Return how the modes of the last round did, and the table of all."""
    entries = result.modes
    tables = [_table(entries, gap, joint) for gap, joint in _LAYOUTS]
    body = [*prose(_caption(result), width), "", *narrowest_fit(tables, width), *prose(_notes(entries), width)]
    return Section("Modes", _sentence(entries), tuple(body))


def _sentence(entries: Sequence[Retrained]) -> str:
    """Say what the last round's modes reached from the first point, and what rewinding later changes."""
    last = [entry for entry in entries if entry.round == entries[-1].round]
    first = [entry for entry in last if entry.to == last[0].to and entry.same_as is None]
    reached = numbers.listed([f"{_told(entry)} by {entry.mode}" for entry in first])
    where = f"At round{TIE}{last[0].round} ({numbers.density(last[0].density)} density)"
    more = f" {_dense(first[0])}." if first[0].against_dense else ""
    return f"{where}, from step{TIE}{last[0].to:,}, retraining reaches {reached}.{more}"


def _told(entry: Retrained) -> str:
    if entry.arm.test_accuracy is None:
        won, count = sum(entry.arm.success), len(entry.arm.success)
        return f"success in {won} of {count}".replace(" ", TIE)
    found = numbers.estimate(entry.arm.test_accuracy)
    return f"{numbers.accuracy(found)} %".replace(" ", TIE)


def _dense(entry: Retrained) -> str:
    found = entry.against_dense
    assert found is not None
    estimate = numbers.Uncertain(found.difference, found.standard_error, 2, 0)
    return f"By {entry.mode} that is {numbers.points(estimate)} the dense network"


def _caption(result: RewindResult) -> str:
    count = numbers.plural(len(result.replicates), "replicate")
    if result.modes[0].arm.test_accuracy is None:
        return f"Replicates that succeed ({result.success_criterion}), with 95{TIE}% intervals in %; density in %."
    return f"Test accuracy in % at the last step, mean ± standard error over {count}; density in %."


def _table(entries: Sequence[Retrained], gap: int, joint: str) -> list[str]:
    names = list(dict.fromkeys(entry.mode for entry in entries))
    rows = []
    for number, to in dict.fromkeys((entry.round, entry.to) for entry in entries):
        own = {entry.mode: entry for entry in entries if (entry.round, entry.to) == (number, to)}
        density = next(iter(own.values())).density
        cells = [_cell(own[name], joint) if name in own else shares.MISSING for name in names]
        rows.append([str(number), numbers.percent(density), f"{to:,}", *cells])
    return text_table(["round", "density", "to step", *names], rows, gap=gap)


def _cell(entry: Retrained, joint: str) -> str:
    if entry.same_as:
        return f"= {entry.same_as}"
    if entry.arm.test_accuracy is not None:
        found = numbers.estimate(entry.arm.test_accuracy)
        missing = f"({found.missing} diverged)" if found.missing else ""
        return "\n".join(part for part in (numbers.accuracy(found, joint), missing) if part)
    won, count = sum(entry.arm.success), len(entry.arm.success)
    return f"{won} of {count}{joint[0]}({numbers.interval(numbers.wilson(won, count), 0).replace(TIE, ' ')})"


def _notes(entries: Sequence[Retrained]) -> str:
    texts = [_meaning(entry) for entry in {entry.mode: entry for entry in entries}.values()]
    same = any(entry.same_as for entry in entries)
    text = f"Weights from → schedule from: {'; '.join(texts)}."
    return f"{text} = the same training, since the rate is constant from there on." if same else text


def _meaning(entry: Retrained) -> str:
    origins = {f"step {entry.to:,}": "that step"}
    weights, clock = (origins.get(text, text) for text in (entry.weights_from, entry.schedule_from))
    mask = ", mask shuffled" if "shuffled" in entry.mask_from else ""
    named = {"lr": "that step", "finetune": "end, at the last rate"}
    clock = named.get(entry.mode, clock)
    return f"{entry.mode} {weights} → {clock}{mask}"
