"""Axes of a kind: percent, density, width and loss, with ticks that a reader expects there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from escapedim.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG_SPAN = 8  # Widths that differ by a larger factor crowd at the left of a linear axis.
_MOST_TICKS = 7
_APART = 1.25
_FEWEST = 3  # So many categories have room; fewer stand in the middle.
_LETTERS = 44  # Letters that have room below a single column.
_DIGITS = 52  # The same of digits, which are narrower.
_SUPERSCRIPTS = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def percent(axes: Axes, label: str, whole: bool = True) -> None:
    """Make the y axis one of percentages, from 0 to 100 with a little room where `whole`."""
    axes.set_ylabel(label)
    if whole:
        axes.set_ylim(-4, 104)
        axes.set_yticks([0, 25, 50, 75, 100])


def density(axes: Axes, values: Sequence[float]) -> None:
    """Make the x axis one of densities in percent, dense on the left; `values` are those that were drawn."""
    axes.set_xlabel("density (%)")
    if len(set(values)) > 1 and max(values) > 2 * min(values):
        axes.set_xscale("log")
        _plain_ticks(axes, _decades(min(values), max(values)))
    room = max(1.08, (max(values) / min(values)) ** 0.04)
    axes.set_xlim(max(values) * room, min(values) / room)


def width(axes: Axes, widths: Sequence[int], label: str = "width (units)") -> None:
    """Make the x axis one of widths: logarithmic where they span much, ticks at widths that were measured."""
    axes.set_xlabel(label)
    found = sorted(set(widths))
    logarithmic = found[0] > 0 and found[-1] > _LOG_SPAN * found[0]
    if logarithmic:
        axes.set_xscale("log")
    _plain_ticks(axes, apart(found, logarithmic))


def apart(values: Sequence[int], logarithmic: bool) -> list[int]:
    """Return those of the sorted values whose labels have room beside each other on an axis."""
    if not logarithmic:
        step = -(-len(values) // _MOST_TICKS)
        return list(values[::step])
    kept: list[int] = []
    for value in values:
        if not kept or value >= kept[-1] * _APART * (1 + len(values) / 60):
            kept.append(value)
    return kept


def loss(axes: Axes, values: Iterable[float], label: str) -> None:
    """Make the y axis one of losses, logarithmic where all are positive and they span a decade."""
    axes.set_ylabel(label)
    found = list(values)
    if found and min(found) > 0 and max(found) > 10 * min(found):
        logarithmic(axes)


def logarithmic(axes: Axes) -> None:
    """Make the y axis logarithmic, its ticks labelled 10⁻³ and 2×10⁻³ in plain letters."""
    from matplotlib.ticker import LogFormatterSciNotation

    class PlainPowers(LogFormatterSciNotation):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return _plain_power(super().__call__(x, pos))

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(PlainPowers())
    axes.yaxis.set_minor_formatter(PlainPowers())


def _plain_power(label: str) -> str:
    """Return a label of matplotlib's mathtext, such as that of 2×10⁻³, in plain letters."""
    inner = label.removeprefix(r"$\mathdefault{").removesuffix("}$").replace(r"\times", "×")
    head, _, power = inner.partition("^{")
    return head + power.removesuffix("}").translate(_SUPERSCRIPTS)


def _decades(low: float, high: float) -> list[float]:
    digits = (1, 2, 3, 5, 7) if high < 20 * low else (1, 2, 5) if high < 200 * low else (1,)
    steps = [digit * 10.0**power for power in range(-6, 3) for digit in digits]
    return [step for step in steps if low * 0.99 <= step <= high * 1.01]


def _plain_ticks(axes: Axes, values: Sequence[float]) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xticks(list(values), [f"{value:g}" if value < 1e5 else f"{value:,.0f}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def widths_apart(axes: Axes, widths: Sequence[int], label: str = "width (units)") -> None:
    """Make the x axis one of widths at 0, 1, 2, ...; some labels are left out where all have no room."""
    labels = [f"{width:,}" for width in widths]
    step = max(1, -(-_letters(labels) // _DIGITS))
    axes.set_xlabel(label)
    axes.set_xticks(range(0, len(labels), step), labels[::step])
    _room(axes, len(labels))


def categories(axes: Axes, labels: Sequence[str], label: str) -> None:
    """Make the x axis one of named things at 0, 1, 2, ...; names that have no room beside each other are slanted."""
    labels = ["\n".join(map(visible, text.split("\n"))) for text in labels]
    axes.set_xlabel(label)
    axes.set_xticks(range(len(labels)), labels)
    if _letters(labels) > _LETTERS:
        axes.set_xticks(range(len(labels)), [text.replace("\n", " ") for text in labels])
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")
    _room(axes, len(labels))


def _letters(labels: Sequence[str]) -> int:
    longest = max((len(line) for text in labels for line in text.split("\n")), default=1)
    return len(labels) * (longest + 1)


def _room(axes: Axes, count: int) -> None:
    side = max(0.6, (_FEWEST - count) / 2 + 0.5)
    axes.set_xlim(-side, count - 1 + side)
