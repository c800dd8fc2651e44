"""The report of `escapedim train`: successes with their interval, means, endings, replicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from rich.console import Console

from escapedim.records.results import TrainResult
from escapedim.records.summary import Summary
from escapedim.reporting import endings, numbers, replicates, settings
from escapedim.reporting.numbers import TIE, Uncertain
from escapedim.reporting.page import Block, block, prose, write
from escapedim.reporting.table import text_table

_MEASURES = {
    "train_loss": "train loss",
    "train_accuracy": "train accuracy, %",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy, %",
    "test_accuracy_at_best_validation": "test accuracy chosen on validation, %",
    "moved": "distance moved / norm of the start",
    "steps": "steps taken",
}


def render(summary: Summary, console: Console) -> None:
    """Print the report of a train summary."""
    write(console, blocks(summary, console.width))


def blocks(summary: Summary, width: int) -> list[Block]:
    """Return the report for a console of `width` characters."""
    result = summary.result
    if not isinstance(result, TrainResult):
        raise TypeError(f"expected a train result, found {type(result).__name__}")
    return [
        block(_heading(summary, result, width)),
        block(prose(sentence(result), width), "bold"),
        block(_means(result, width)),
        block(_endings(result, width)),
        block(replicates.table(result, width)),
        block(_foot(summary, result, width)),
    ]


def _heading(summary: Summary, result: TrainResult, width: int) -> list[str]:
    size = f"{numbers.plural(result.parameters, 'parameter')}; {numbers.plural(result.members, 'replicate')}"
    state = settings.status(summary, f"after {result.members:,} members")
    return prose("; ".join(part for part in (settings.what(summary.config), size, state) if part) + ".", width)


def sentence(result: TrainResult) -> str:
    """Return how many replicates succeed, with the interval."""
    if not result.members:
        return f"No replicate is finished; the criterion is {result.success_criterion}."
    tried = numbers.plural(result.members, "replicate")
    verb = "succeeds" if result.members == 1 else "succeed"
    met = f"{result.successes:,} of {tried} {verb} ({result.success_criterion})"
    if result.success_rate is None or result.success_interval is None:
        return f"{met}."
    low, high = (numbers.percent(bound, 1) for bound in result.success_interval)
    rate = f"{numbers.percent(result.success_rate, 1)}{TIE}%"
    return f"{met}: {rate} (95{TIE}% Wilson interval {low} to {high}{TIE}%)."


def _means(result: TrainResult, width: int) -> list[str]:
    rows = []
    for name, text in replicates.measured(result, _MEASURES):
        value = numbers.estimate(getattr(result, name))
        rows.append([text, _mean(name)(value), f"{value.count:,}"])
    if not rows:
        return []
    legend = (
        "Measured at the last step, unless chosen on validation; diverged replicates count where they have a value."
    )
    return [*text_table(["measure", "mean ± standard error", "replicates"], rows), "", *prose(legend, width)]


def _mean(name: str) -> Callable[[Uncertain], str]:
    if "accuracy" in name:
        return numbers.accuracy
    return numbers.mean_count if name == "steps" else numbers.mean_loss


def _endings(result: TrainResult, width: int) -> list[str]:
    found = sorted(((number, name) for name, number in result.endings.items() if number), reverse=True)
    if not found:
        return []
    parts = ", ".join(f"{name} {number:,}{_why(result, name, number)}" for number, name in found)
    marginal = _marginal(result)
    return [
        *prose(f"Endings: {parts}{_unexamined(result)}.{f' {marginal}' if marginal else ''}", width),
        *(line for number, name in found for line in _reasons(result, name, number, width)),
    ]


def _unexamined(result: TrainResult) -> str:
    examined = result.reason is not None or not result.endings.get(endings.UNDECIDED)
    return "" if examined else f" ({endings.UNDECIDED}: {endings.UNEXAMINED})"


def _why(result: TrainResult, name: str, number: int) -> str:
    """Return the reason that all members with an ending share, in brackets."""
    given = _given(result, name)
    return f" ({next(iter(given))})" if set(given.values()) == {number} else ""


def _marginal(result: TrainResult) -> str:
    found, certified = sum(result.marginal or ()), endings.certified(result.endings)
    return f"Marginal curvature: {found:,} of {certified:,} certified endings." if found else ""


def _reasons(result: TrainResult, name: str, number: int, width: int) -> list[str]:
    """Return the reasons of an ending one by one, where there are several."""
    if _why(result, name, number):
        return []
    head = f"{name.capitalize()}, {number:,} of {numbers.plural(result.members, 'replicate')}"
    return endings.reasons(_given(result, name), number, head, width)


def _given(result: TrainResult, name: str) -> Counter[str]:
    pairs = zip(result.ending, result.reason or (), strict=False)
    return Counter(reason for ending, reason in pairs if ending == name and reason and name in endings.UNCERTAIN)


def _foot(summary: Summary, result: TrainResult, width: int) -> list[str]:
    kept = ", ".join(f"{step:,}" for step in result.kept_steps)
    texts = [
        settings.recipe(summary.config),
        f"Weights kept at steps {kept}." if kept else "",
        *settings.cost(summary)[:1],
    ]
    return [*(line for text in texts if text for line in prose(text, width)), *settings.cost(summary)[1:]]
