"""How many critical subspaces a wide two-layer network has: closed forms in exact integers.

Şimşek et al. 2021 (arXiv 2105.12221). A network of width m expresses a critical point of width r by duplicating its
units (G) and, for global minima, by adding units that cancel each other or do nothing (T). These are numbers of affine
subspaces, not volumes: that one kind is more numerous does not say that training meets it more often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import comb

from escapedim.errors import BadInput

MAX_WIDTH = 1000  # integers of two thousand digits, within what Python turns into text; ours


@dataclass(frozen=True)
class Counts:
    """Subspaces at one width: of global minima (T) and of critical points of smaller widths (sum of G)."""

    width: int
    global_minima: int
    critical: int

    @property
    def ratio(self) -> Fraction:
        """Critical subspaces of smaller widths for each subspace of global minima."""
        return Fraction(self.critical, self.global_minima)


def surjection_rows(most: int) -> Iterator[list[int]]:
    """Yield the row G(0, m), ..., G(most, m) for m = 0, 1, 2 and so on: a table of them would not fit into memory.

    G(r, m) counts the affine subspaces of width m that come from one critical point of width r: the ways to copy r
    units into m so that each is used at least once (surjections of m onto r). The last of the m units is a copy of one
    of r, and that one has other copies, G(r, m - 1), or it has none, G(r - 1, m - 1):
    G(r, m) = r (G(r, m - 1) + G(r - 1, m - 1)).
    """
    row = [1] + [0] * most
    while True:
        yield row
        row = [0, *(r * (row[r] + row[r - 1]) for r in range(1, most + 1))]


def bell_numbers(count: int) -> list[int]:
    """Return the Bell numbers B(0) to B(count), by the Bell triangle."""
    row, bells = [1], [1]
    for _ in range(count):
        following = [row[-1]]
        for value in row:
            following.append(following[-1] + value)
        row = following
        bells.append(row[0])
    return bells


def counts(minimal: int, widths: Sequence[int]) -> list[Counts]:
    """Count the subspaces of each width.

    T(r, m) = sum over u of C(m, u) G(r, m - u) B(u): u of the m units cancel each other in groups or do nothing, the
    others make the r units of the minimal network.

    Raises
    ------
    BadInput
        A minimal width below 1, or a width below the minimal one or above `MAX_WIDTH`.
    """
    if minimal < 1:
        raise BadInput(
            f"--minimal is the width of the smallest network that solves the task, at least 1; found {minimal}."
        )
    for width in widths:
        if not minimal <= width <= MAX_WIDTH:
            raise BadInput(f"--widths: expected widths from --minimal {minimal} to {MAX_WIDTH}, found {width}.")
    largest = max(widths, default=minimal)
    bells, critical, onto_minimal = bell_numbers(largest - minimal), list[int](), list[int]()
    for row in islice(surjection_rows(minimal), largest + 1):
        onto_minimal.append(row[minimal])
        critical.append(sum(row[1:minimal]))
    return [
        Counts(m, sum(comb(m, u) * onto_minimal[m - u] * bells[u] for u in range(m - minimal + 1)), critical[m])
        for m in widths
    ]
