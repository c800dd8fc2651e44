"""Replicates one by one: what was measured of each, whether it succeeds, and where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escapedim.records.results import TrainResult
from escapedim.reporting import endings, numbers
from escapedim.reporting.table import narrowest_fit, text_table

LISTED = 20
"""Up to so many replicates are listed."""

_SHORT = {
    "train_loss": "train\nloss",
    "train_accuracy": "train\nacc., %",
    "test_loss": "test\nloss",
    "test_accuracy": "test\nacc., %",
    "test_accuracy_at_best_validation": "chosen on\nvalidation",
}
_CURVATURE = {"smallest_eigenvalue": "smallest\neigenvalue", "negative_directions": "negative\ndirections"}

_Column = tuple[str, list[str]]


def measured(result: TrainResult, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return those of the columns that the result has, with their texts."""
    return [(name, text) for name, text in texts.items() if getattr(result, name)]


def table(result: TrainResult, width: int) -> list[str]:
    """Return the replicates one by one; what is known of their curvature moves below where there is no room."""
    if not 0 < len(result.replicates) <= LISTED:
        return []
    measures = [(text, _cells(result, name)) for name, text in measured(result, _SHORT)]
    curvature = [(text, _cells(result, name)) for name, text in measured(result, _CURVATURE)]
    ending = [("ending", _endings(result))]
    whole = [*measures, _success(result), *curvature, *ending]
    first, second = [*measures, _success(result)], [*ending, *curvature]
    tables = [_table(result, whole, gap) for gap in (2, 1)]
    if curvature:
        tables += [[*_table(result, first, gap), "", *_table(result, second, gap)] for gap in (2, 1)]
    marked = any(result.marginal or ())
    return [*narrowest_fit(tables, width), *([endings.MARGINAL_LEGEND] if marked else [])]


def _table(result: TrainResult, columns: Sequence[_Column], gap: int) -> list[str]:
    rows = zip(map(str, result.replicates), *(cells for _, cells in columns), strict=True)
    return text_table(["replicate", *(text for text, _ in columns)], list(rows), gap=gap)


def _cells(result: TrainResult, name: str) -> list[str]:
    values = getattr(result, name)
    return [_number(name, _entry(values, index)) for index in range(len(result.replicates))]


def _success(result: TrainResult) -> _Column:
    words = {True: "yes", False: "no"}
    return "success", [words.get(_entry(result.success, index), "-") for index in range(len(result.replicates))]


def _endings(result: TrainResult) -> list[str]:
    names = [_entry(result.ending, index) or "-" for index in range(len(result.replicates))]
    if not any(result.marginal or ()):
        return names
    flags = [_entry(result.marginal or (), index) for index in range(len(names))]
    return [f"{name} {endings.MARGINAL if flag else ' '}" for name, flag in zip(names, flags, strict=True)]


def _entry(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "negative_directions":
        return numbers.count(value)
    return numbers.percent(value) if "accuracy" in name else numbers.loss(value)
