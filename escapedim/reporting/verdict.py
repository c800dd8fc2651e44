"""The sentence that a lottery report opens with: how far tickets match, and whether they win.

It says no more than the data allow: without a second replicate, a control arm or an accuracy it says what is
missing. Matching is a statement about means, winning rests on a paired t interval over replicates,
Holm-corrected over rounds; both are decided before the report, and only read here.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.records.results import Contrast, LotteryResult, Round
from escapedim.records.summary import Summary
from escapedim.reporting import arms, numbers
from escapedim.reporting.numbers import TIE, Uncertain


def sentence(summary: Summary, result: LotteryResult) -> str:
    """Return the verdict; an unfinished run's begins with "So far"."""
    text = _verdict(result)
    return text if summary.status == "complete" else f"So far: {text[0].lower()}{text[1:]}"


def _verdict(result: LotteryResult) -> str:
    pruned = [entry for entry in result.rounds if entry.round > 0]
    if not result.rounds:
        return "No round is finished, and nothing can be said about tickets."
    if not arms.has_accuracy(result):
        return _without_accuracy(result)
    if not pruned:
        return f"Only the dense network is trained ({_dense_accuracy(result)}); there is no ticket yet."
    if not any(arms.TICKET in entry.arms for entry in pruned):
        return "The arm ticket was not trained, and nothing can be said about tickets."
    matching = [entry for entry in pruned if entry.matching]
    if not matching:
        return _no_match(result, pruned)
    return f"{_match(result, pruned, matching)}{_win(result, pruned)}.{_caution(result, matching[-1])}"


def _without_accuracy(result: LotteryResult) -> str:
    last = result.rounds[-1]
    parts = [f"{name} in {numbers.successes(arm.success)}" for name, arm in arms.ordered(last)]
    place = f"at {numbers.density(last.density)} density ({numbers.rounds([last.round])})"
    criterion = f" ({result.success_criterion})" if result.success_criterion else ""
    noun = "replicate" if arms.replicates(result) == 1 else "replicates"
    reached = f" The criterion{criterion} is met {place} by {numbers.listed(parts)} {noun}." if parts else ""
    return f"This task has no accuracy on held-out samples, so matching and winning are not defined.{reached}"


def _match(result: LotteryResult, pruned: Sequence[Round], matching: Sequence[Round]) -> str:
    last, reached = matching[-1], {entry.round for entry in matching}
    missed = [entry.round for entry in pruned if entry.round < last.round and entry.round not in reached]
    subject = "In the one replicate, tickets" if arms.replicates(result) == 1 else "Tickets"
    place = f"down to {numbers.density(last.density)} density ({numbers.rounds([last.round])})"
    except_for = f", except in {numbers.rounds(missed)}" if missed else ""
    return f"{subject} match {_dense(result)} {place}{except_for}"


def _win(result: LotteryResult, pruned: Sequence[Round]) -> str:
    if not any(arms.controls(entry) for entry in pruned):
        return "; whether they win is not known, because no control was trained"
    if arms.replicates(result) < 2:
        return "; with one replicate there is no standard error, and winning cannot be estimated"
    winning = [entry for entry in pruned if entry.winning]
    if winning:
        place = ", where" if len(winning) == 1 else _at(winning[-1])
        return f", and win in {_span(winning)}{_gap(winning[-1], place)}"
    estimated = [entry for entry in pruned if entry.winning is not None]
    if not estimated:
        return "; winning could not be estimated"
    return f", but win in no round{_gap(estimated[-1], _at(estimated[-1]))}"


def _span(winning: Sequence[Round]) -> str:
    first, last = numbers.density(winning[0].density), numbers.density(winning[-1].density)
    span = last if len(winning) == 1 else f"{first.removesuffix(f'{TIE}%')} to {last}"
    return f"{numbers.rounds([entry.round for entry in winning])} ({span} density)"


def _at(entry: Round) -> str:
    return f": at {numbers.rounds([entry.round])}"


def _gap(entry: Round, place: str) -> str:
    return "" if entry.contrast is None else f"{place} they are {_difference(entry.contrast)}"


def _difference(contrast: Contrast) -> str:
    gap = numbers.points(Uncertain(contrast.difference, contrast.standard_error, 1, 0))
    p = "" if contrast.p_holm is None else f" (Holm-corrected {numbers.p_value(contrast.p_holm)})"
    return f"{gap} {contrast.control}, the best trained control{p}"


def _no_match(result: LotteryResult, pruned: Sequence[Round]) -> str:
    if all(entry.matching is None for entry in pruned):
        return f"Matching could not be estimated: {_obstacle(result)}."
    none = f"Tickets match {_dense(result)} in no round, so none wins"
    gaps = [(arms.ticket_minus_dense(result, entry), entry) for entry in pruned]
    measured = [(gap.mean, gap, entry) for gap, entry in gaps if gap.mean is not None]
    if not measured:
        return f"{none}."
    _, gap, nearest = max(measured, key=lambda triple: triple[0])
    place = f"{numbers.rounds([nearest.round])}, {numbers.density(nearest.density)} density"
    diverged = _left_out(nearest, numbers.rounds([nearest.round]))
    return f"{none}: the nearest ({place}) is {numbers.points(gap)} the dense mean.{diverged}"


def _obstacle(result: LotteryResult) -> str:
    dense = arms.dense_accuracy(result)
    if dense.mean is None and dense.missing:
        return f"no dense network has a test accuracy ({dense.missing:,} diverged)"
    return "the summary has no comparison with the dense network"


def _caution(result: LotteryResult, last: Round) -> str:
    place = numbers.rounds([last.round])
    return _uncertain(result, last, place) + _left_out(last, place)


def _uncertain(result: LotteryResult, last: Round, place: str) -> str:
    error = arms.ticket_minus_dense(result, last).error
    if error is None or 100 * error <= arms.tolerance_points(result):
        return ""
    size = f"{numbers.percent(error)}{TIE}points"
    return f" Matching is uncertain: at {place}, ticket minus dense has a standard error of {size}."


def _left_out(last: Round, place: str) -> str:
    tickets = arms.test_accuracy(last, arms.TICKET)
    diverged = sum(value is None for value in tickets)
    if not diverged:
        return ""
    verb = "is" if diverged == 1 else "are"
    return f" At {place}, {diverged} of {len(tickets)} tickets diverged and {verb} left out of the mean."


def _dense(result: LotteryResult) -> str:
    return f"the dense network ({_dense_accuracy(result)}) within {arms.tolerance(result)}"


def _dense_accuracy(result: LotteryResult) -> str:
    text = numbers.accuracy(arms.dense_accuracy(result)).replace(" ", TIE)
    return "all diverged" if text == "-" else f"{text}{TIE}%"
