"""Plain tables as text lines: aligned columns, a rule under the header, cells of one or more lines."""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.reporting.page import prose

Row = Sequence[str]
Column = tuple[str, Sequence[str]]
"""A header and the cells below it."""


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


def by_columns(columns: Sequence[Column], *, left: int = 0, gap: int = 2) -> list[str]:
    """Return the table of these columns, as `text_table` does of rows."""
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    return text_table([name for name, _ in columns], rows, left=left, gap=gap)


def fitted(layouts: Sequence[Sequence[Column | None]], width: int, left: int = 0) -> list[str]:
    """Return the first of these layouts that fits the width, or each row as a paragraph where none does.

    A column of None is left out. Two spaces between columns are tried before one.
    """
    present = [[column for column in columns if column is not None] for columns in layouts]
    tables = (by_columns(columns, left=left, gap=gap) for columns in present for gap in (2, 1))
    fitting = next((table for table in tables if max(map(len, table)) <= width), None)
    return fitting or _paragraphs(present[-1], width)


def _paragraphs(columns: Sequence[Column], width: int) -> list[str]:
    names = [" ".join(name.split()) for name, _ in columns]
    rows = zip(*(cells for _, cells in columns), strict=True)
    texts = (
        ", ".join(f"{name}: {' '.join(cell.split())}" for name, cell in zip(names, row, strict=True)) for row in rows
    )
    return [line for text in texts for line in prose(f"  {text}", width, "    ")]


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
