"""Tables as CSV: full precision, empty cells for what was not measured, one file a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from escapedim.reporting.material import Material, unique
from escapedim.reporting.tables import collect
from escapedim.reporting.tables.plain import Cell, Table


def files(materials: Sequence[Material]) -> dict[str, bytes]:
    """Return the files by name: "lottery-rounds.csv", or "compare-lottery-rounds.csv" of a comparison's source."""
    taken: set[str] = set()
    found = {}
    for material in materials:
        for source, table in collect.of_material(material):
            parts = dict.fromkeys(part for part in (material.name, source) if part)
            found[f"{unique('-'.join([*parts, table.name]), taken)}.csv"] = encode(table)
    return found


def encode(table: Table) -> bytes:
    """Return a table as CSV (RFC 4180 with line feeds); a float reads back as the same number."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return stream.getvalue().encode(errors="backslashreplace")


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return repr(cell) if isinstance(cell, float) else str(cell)
