"""The report of `escapedim train`: successes with their interval, means, endings, replicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from escapedim.records.summary import Summary, TrainResult
from escapedim.reporting import numbers, settings
from escapedim.reporting.numbers import TIE
from escapedim.reporting.page import Block, block, prose, write
from escapedim.reporting.table import text_table

LISTED_REPLICATES = 20
"""Up to so many replicates are listed one by one."""

_MEASURES = {
    "train_loss": "train loss",
    "train_accuracy": "train accuracy, %",
    "test_loss": "test loss",
    "test_accuracy": "test accuracy, %",
    "test_accuracy_at_best_validation": "test accuracy chosen on validation, %",
}
_SHORT = {
    "train_loss": "train\nloss",
    "train_accuracy": "train\nacc., %",
    "test_loss": "test\nloss",
    "test_accuracy": "test\nacc., %",
    "test_accuracy_at_best_validation": "chosen on\nvalidation",
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
        block(prose(_sentence(result), width), "bold"),
        block(_means(result, width)),
        block(_endings(result, width)),
        block(_replicates(result)),
        block(_foot(summary, result, width)),
    ]


def _heading(summary: Summary, result: TrainResult, width: int) -> list[str]:
    size = f"{numbers.plural(result.parameters, 'parameter')}; {numbers.plural(result.members, 'replicate')}"
    state = settings.status(summary, f"after {result.members:,} members")
    return prose("; ".join(part for part in (settings.what(summary.config), size, state) if part) + ".", width)


def _sentence(result: TrainResult) -> str:
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
    for name, text in _measured(result, _MEASURES):
        value = numbers.estimate(getattr(result, name))
        shown = numbers.accuracy(value) if "accuracy" in name else numbers.mean_loss(value)
        rows.append([text, shown, f"{value.count:,}"])
    if not rows:
        return []
    legend = "Measured at the last step, unless chosen on validation; diverged replicates are left out."
    return [*text_table(["measure", "mean ± standard error", "replicates"], rows), "", *prose(legend, width)]


def _measured(result: TrainResult, texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, text) for name, text in texts.items() if getattr(result, name)]


def _endings(result: TrainResult, width: int) -> list[str]:
    found = sorted(((number, name) for name, number in result.endings.items() if number), reverse=True)
    if not found:
        return []
    why = " (undecided: where the network stopped was not examined)" if result.endings.get("undecided") else ""
    return prose(f"Endings: {', '.join(f'{name} {number:,}' for number, name in found)}{why}.", width)


def _replicates(result: TrainResult) -> list[str]:
    if not 0 < len(result.replicates) <= LISTED_REPLICATES:
        return []
    measured = _measured(result, _SHORT)
    rows = [
        [
            str(replicate),
            *(_number(name, _entry(getattr(result, name), index)) for name, _ in measured),
            {True: "yes", False: "no"}.get(_entry(result.success, index), "-"),
            _entry(result.ending, index) or "-",
        ]
        for index, replicate in enumerate(result.replicates)
    ]
    return text_table(["replicate", *(text for _, text in measured), "success", "ending"], rows)


def _entry(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return numbers.percent(value) if "accuracy" in name else numbers.loss(value)


def _foot(summary: Summary, result: TrainResult, width: int) -> list[str]:
    kept = ", ".join(f"{step:,}" for step in result.kept_steps)
    texts = [
        settings.recipe(summary.config),
        f"Weights kept at steps {kept}." if kept else "",
        *settings.cost(summary)[:1],
    ]
    return [*(line for text in texts if text for line in prose(text, width)), *settings.cost(summary)[1:]]
