"""Cells of the benchmark's tables: repeats and quotients as text, and legends broken into lines."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarking.timing import Ratio, Spread
from escapedim.reporting.page import prose

LONGEST_LINE = 80


def median_and_range(spread: Spread) -> str:
    """Median, and min..max below it."""
    return f"{spread.median:.3g}\n{spread.min:.3g}..{spread.max:.3g}"


def microseconds(spread: Spread) -> tuple[str, str]:
    """Median and range in microseconds, with a digit after the point."""
    return f"{spread.median:,.1f}", f"{spread.min:,.1f}..{spread.max:,.1f}"


def seconds(spread: Spread) -> tuple[str, str]:
    """Median and range in seconds."""
    return f"{spread.median:,.1f} s", f"{spread.min:,.1f}..{spread.max:,.1f}"


def brief(spread: Spread) -> tuple[str, str]:
    """Median and range of what may be less than a second."""
    return f"{spread.median:,.3f} s", f"{spread.min:,.3f}..{spread.max:,.3f}"


def milliseconds(spread: Spread) -> str:
    """Median, and min..max below it, to a microsecond."""
    return f"{spread.median:,.3f}\n{spread.min:,.3f}..{spread.max:,.3f}"


def quotient(ratio: Ratio) -> tuple[str, str]:
    """Quotient of medians, and its range."""
    return f"{ratio.ratio:.2f} ×", f"{ratio.min:.2f}..{ratio.max:.2f}"


def paragraphs(sentences: Sequence[str], width: int) -> list[str]:
    """Break sentences into lines of at most 80 characters."""
    return [line for sentence in sentences for line in prose(sentence, min(width, LONGEST_LINE))]
