"""A table as a page shows it: value, error and interval in one cell, and no column that says nothing.

The columns of `plain.mean`, `plain.share`, `plain.rate` and `plain.estimated` are recognised by their names.
"""

from __future__ import annotations

import re

from escapedim.reporting import numbers
from escapedim.reporting.numbers import Uncertain
from escapedim.reporting.tables.plain import Cell, Record, Table

_TOLD = {"sentence"}  # It stands above the tables.
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?( ± | \(| of |$)")


def brief(table: Table) -> Table:
    """Return the table in texts: "0.981 ± 0.0016", "0.75 (0.47 to 0.91)", "9 of 12: 0.75 (0.47 to 0.91)"."""
    records = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    columns = [column for column in _heads(table) if any(_told(column, record) for record in records)]
    rows = tuple(tuple(_told(column, record) for column in columns) for record in records)
    return Table(table.name, table.caption, tuple(_name(column) for column in columns), rows)


def numeric(table: Table, column: int) -> bool:
    """Say whether a column of a brief table holds numbers, to be set to the right."""
    return all(not row[column] or _NUMBER.match(str(row[column])) for row in table.rows)


def text(cell: Cell) -> str:
    """Return a cell as a reader wants it: four significant digits, and nothing for what was not measured."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() and abs(cell) < 1e15 else f"{cell:.4g}"
    return str(cell)


def _heads(table: Table) -> list[str]:
    """Return the columns that stand for a group of them, and those that are alone."""
    there = set(table.columns)
    return [column for column in table.columns if column not in _TOLD and not _is_part(column, there)]


def _is_part(column: str, there: set[str]) -> bool:
    stem, _, part = column.rpartition("_")
    if column.endswith("_standard_error"):
        return f"{column.removesuffix('_standard_error')}_mean" in there
    if part in ("count", "diverged") and f"{stem}_mean" in there:
        return True
    if part in ("low", "high"):
        return bool({stem, f"{stem}_rate", f"{stem}_difference"} & there)
    return part in ("count", "of") and {f"{stem}_rate", f"{stem}_of"} <= there


def _told(column: str, record: Record) -> str:
    value = record.get(column)
    if value is None or isinstance(value, bool | str):
        return text(value)
    stem, _, part = column.rpartition("_")
    if part == "mean":
        return _mean(stem, record)
    name = stem if stem and part in ("rate", "difference") else column
    bounds = record.get(f"{name}_low"), record.get(f"{name}_high")
    interval = "" if None in bounds else f" ({_short(bounds[0])} to {_short(bounds[1])})"
    count, of = record.get(f"{name}_count"), record.get(f"{name}_of")
    counted = "" if part != "rate" or of is None else f"{count} of {of}: "
    return f"{counted}{_short(value) if interval else text(value)}{interval}"


def _mean(stem: str, record: Record) -> str:
    value, error = record[f"{stem}_mean"], record[f"{stem}_standard_error"]
    missing = record[f"{stem}_diverged"]
    if not isinstance(value, int | float):
        return ""
    shown = numbers.mean_loss(Uncertain(value, error if isinstance(error, int | float) else None, 2, 0))
    return f"{shown} ({missing} diverged)" if missing else shown


def _short(cell: Cell) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else text(cell)


def _name(column: str) -> str:
    return column.removesuffix("_mean").replace("_", " ")
