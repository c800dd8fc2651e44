"""Plain tables as text lines: aligned columns, a rule under the header, cells of one or more lines."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def text_table(header: Row, rows: Sequence[Row], *, left: int = 1, gap: int = 2) -> list[str]:
    r"""Return the table's lines; no cell is ever shortened.

    Parameters
    ----------
    header, rows
        Cells, as many in each row as in the header; a cell's lines are separated by "\n".
    left
        The first `left` columns are aligned to the left, the others to the right.
    gap
        Spaces between two columns.
    """
    widths = [max(_width(row[column]) for row in (header, *rows)) for column in range(len(header))]
    rule = "─" * (sum(widths) + gap * (len(widths) - 1))
    lines = [*_lines(header, widths, left, gap), rule]
    for row in rows:
        lines += _lines(row, widths, left, gap)
    return lines


def narrowest_fit(tables: Sequence[list[str]], width: int) -> list[str]:
    """Return the first table that fits the width, or the last one where none does."""
    return next((table for table in tables if max(map(len, table)) <= width), tables[-1])


def _width(cell: str) -> int:
    return max(map(len, cell.split("\n")))


def _lines(row: Row, widths: Sequence[int], left: int, gap: int) -> list[str]:
    cells = [cell.split("\n") for cell in row]
    lines = []
    for depth in range(max(map(len, cells))):
        parts = []
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            text = cell[depth] if depth < len(cell) else ""
            parts.append(text.ljust(width) if column < left else text.rjust(width))
        lines.append((" " * gap).join(parts).rstrip())
    return lines
