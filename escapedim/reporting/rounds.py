"""The table of a lottery report, rounds by arms, and its legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from escapedim.records.results import LotteryResult, Round
from escapedim.reporting import arms, numbers
from escapedim.reporting.numbers import Uncertain
from escapedim.reporting.page import prose
from escapedim.reporting.table import narrowest_fit, text_table

_LAYOUTS = ((2, " ± "), (1, " ± "), (1, "±"))


def table(result: LotteryResult, width: int) -> list[str]:
    """Return the table with its caption: closer columns where the width asks for it, never fewer digits."""
    if not result.rounds:
        return []
    tables = [_table(result, gap, joint) for gap, joint in _LAYOUTS]
    return [*prose(_caption(result), width), "", *narrowest_fit(tables, width)]


def legend(result: LotteryResult, width: int) -> list[str]:
    """Return what the marks of the table mean, those that can occur."""
    pruned = [entry for entry in result.rounds if entry.round > 0]
    number = numbers.plural(arms.replicates(result), "replicate")
    lines = []
    if any(entry.matching is not None for entry in pruned):
        lines.append(f"= matching: mean no more than {arms.tolerance(result)} below the dense mean")
    if any(entry.winning is not None for entry in pruned):
        test = f"paired t interval over {number}, Holm-corrected over rounds"
        lines.append(f"* winning: matching, and above the best trained control ({test})")
    if arms.diverged(result):
        lines.append(
            "(n diverged): left out of mean and standard error; a round in which a ticket diverged does not match"
        )
    return [broken for line in lines for broken in prose(line, width, "  ")]


def successes(result: LotteryResult) -> list[str]:
    """Return the table of successes, for tasks without accuracy."""
    if arms.has_accuracy(result):
        return []
    names = _columns(result)
    rows = [[*_head(result, entry), *_success_cells(entry, names)] for entry in result.rounds]
    criterion = f" ({result.success_criterion})" if result.success_criterion else ""
    return [f"Replicates that succeed{criterion}", "", *text_table(["round", "density", *names], rows)]


def measured(result: LotteryResult, entry: Round, name: str) -> Uncertain:
    """Return an arm's test accuracy, or its train loss on a task without accuracy."""
    if arms.has_accuracy(result):
        return numbers.estimate(arms.test_accuracy(entry, name))
    return numbers.estimate(entry.arms[name].train_loss if name in entry.arms else [])


def _caption(result: LotteryResult) -> str:
    number = arms.replicates(result)
    measure = "Test accuracy in %" if arms.has_accuracy(result) else "Train loss"
    spread = f", mean ± standard error over {numbers.plural(number, 'replicate')}" if number > 1 else ""
    if fewer := arms.fewer_replicates(result):
        spread += f" (fewer in {numbers.rounds(fewer)})"
    return f"{measure} at the last step{spread}; density in %; surviving weights."


def _table(result: LotteryResult, gap: int, joint: str) -> list[str]:
    names = _columns(result)
    show = numbers.accuracy if arms.has_accuracy(result) else numbers.scientific
    rows = []
    for entry in result.rounds:
        cells = [_cell(measured(result, entry, name), joint, show) for name in _shown(entry, names)]
        rows.append([*_head(result, entry), numbers.count(entry.surviving), *cells])
    return text_table(["round", "density", "weights", *names], rows, gap=gap)


def _columns(result: LotteryResult) -> list[str]:
    return arms.names(result.rounds) or [arms.DENSE]


def _shown(entry: Round, columns: Sequence[str]) -> list[str]:
    # The dense network has no column of its own: it stands where the ticket of round 0 would stand.
    return [arms.DENSE, *columns[1:]] if arms.DENSE in entry.arms else list(columns)


def _head(result: LotteryResult, entry: Round) -> list[str]:
    digits = max(len(str(other.round)) for other in result.rounds)
    marks = ("=" if entry.matching else " ") + ("*" if entry.winning else " ")
    label = arms.DENSE if entry.round == 0 else f"{entry.round:>{digits}} {marks}".rstrip()
    return [label, numbers.percent(entry.density, 4 if 0 < entry.density < 0.001 else 2)]


def _cell(value: Uncertain, joint: str, show: Callable[[Uncertain, str], str]) -> str:
    missing = f"({value.missing} diverged)" if value.missing else ""
    shown = show(value, joint) if value.count else ""
    return "\n".join(part for part in (shown, missing) if part)


def _success_cells(entry: Round, columns: Sequence[str]) -> list[str]:
    return [
        numbers.successes(entry.arms[name].success) if name in entry.arms else "" for name in _shown(entry, columns)
    ]
