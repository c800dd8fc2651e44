"""A table for files: a name, a caption, columns with their units, and rows whose numbers are numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from escapedim.records.experiments import Estimated, Paired, Share
from escapedim.reporting import numbers

Cell: TypeAlias = str | float | int | bool | None
Record = Mapping[str, Cell]


@dataclass(frozen=True)
class Table:
    """One table; None is what was not measured. Rates and accuracies are shares between 0 and 1."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def of_records(name: str, caption: str, records: Sequence[Record]) -> list[Table]:
    """Return a table with the columns of all records in the order of their first use, or none without records."""
    if not records:
        return []
    columns = tuple(dict.fromkeys(column for record in records for column in record))
    rows = tuple(tuple(record.get(column) for column in columns) for record in records)
    return [Table(name, caption, columns, rows)]


def share(name: str, found: Share | None) -> dict[str, Cell]:
    """Return the columns of a share: count, denominator, rate and interval."""
    if found is None:
        return {f"{name}_{part}": None for part in ("count", "of", "rate", "low", "high")}
    return {f"{name}_count": found.count, f"{name}_of": found.of, **rate(name, found.rate, found.interval)}


def rate(name: str, value: float | None, interval: tuple[float, float] | None) -> dict[str, Cell]:
    """Return the columns of a rate with its interval."""
    return {f"{name}_rate": value, **bounds(name, interval)}


def estimated(name: str, found: Estimated | None) -> dict[str, Cell]:
    """Return the columns of an estimate with its interval."""
    value, interval = (None, None) if found is None else (found.value, found.interval)
    return {name: value, **bounds(name, interval)}


def bounds(name: str, interval: tuple[float, float] | None) -> dict[str, Cell]:
    """Return the columns of a 95 % interval."""
    low, high = (None, None) if interval is None else interval
    return {f"{name}_low": low, f"{name}_high": high}


def mean(name: str, values: Iterable[float | None] | None) -> dict[str, Cell]:
    """Return mean, standard error and count of the values that are there, and how many diverged."""
    found = numbers.estimate(list(values or ()))
    return {
        f"{name}_mean": found.mean,
        f"{name}_standard_error": found.error,
        f"{name}_count": found.count,
        f"{name}_diverged": found.missing,
    }


def paired(found: Paired) -> dict[str, Cell]:
    """Return the columns of a table of pairs with McNemar's p."""
    return {
        "both": found.both,
        "first_only": found.first_only,
        "second_only": found.second_only,
        "neither": found.neither,
        "mcnemar_p": found.p,
    }
