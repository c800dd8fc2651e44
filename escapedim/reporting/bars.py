"""Stacked bars of letters: shares of a whole, in which nothing that occurs is rounded away."""

from __future__ import annotations

from collections.abc import Mapping


def stacked(counts: Mapping[str, int], cells: int) -> str:
    """Return a bar of `cells` characters, every letter as often as its share of the counts asks for.

    A letter with a count above 0 has at least one cell, so that one member of a thousand is seen; the others make
    room for it. Without counts the bar is blank, and with more letters than cells it is as long as they are many.
    """
    present = {letter: count for letter, count in counts.items() if count > 0}
    total, cells = sum(present.values()), max(cells, len(present))
    if not present:
        return " " * cells
    sizes = {letter: max(1, count * cells // total) for letter, count in present.items()}
    while (spare := cells - sum(sizes.values())) != 0:
        step = 1 if spare > 0 else -1
        # In integers: what a letter is owed, times the total. Who is owed most gains, who is owed least gives.
        owed = {letter: step * (count * cells - sizes[letter] * total) for letter, count in present.items()}
        movable = [letter for letter in owed if sizes[letter] + step >= 1]
        sizes[max(movable, key=lambda letter: owed[letter])] += step
    return "".join(letter * size for letter, size in sizes.items())
