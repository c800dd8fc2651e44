"""How many critical subspaces a wide two-layer network has: closed forms in exact integers.

Şimşek et al. 2021 (arXiv 2105.12221). A network of width m expresses a critical point of width r by duplicating its
units (G) and, for global minima, by adding units that cancel each other or do nothing (T). These are numbers of affine
subspaces, not volumes: that one kind is more numerous does not say that training meets it more often.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
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


def surjections(r: int, m: int) -> int:
    """Return G(r, m): affine subspaces of width m that come from one critical point of width r.

    It is the number of ways to make m units out of r, each at least once: surjections of m onto r.
    """
    return sum((-1) ** (r - i) * comb(r, i) * i**m for i in range(1, r + 1)) if r else int(m == 0)


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


def global_subspaces(r: int, m: int) -> int:
    """Return T(r, m): affine subspaces of global minima of width m for a minimal width r (m >= r)."""
    bells = bell_numbers(m - r)
    redundant = (comb(m, u) * surjections(r, m - u) * bells[u] for u in range(1, m - r + 1))
    return surjections(r, m) + sum(redundant)


def counts(minimal: int, width: int) -> Counts:
    """Count the subspaces of one width.

    Raises
    ------
    BadInput
        A minimal width below 1, or a width below the minimal one or above `MAX_WIDTH`.
    """
    if minimal < 1:
        raise BadInput(
            f"--minimal is the width of the smallest network that solves the task, at least 1; found {minimal}."
        )
    if not minimal <= width <= MAX_WIDTH:
        raise BadInput(f"--widths: expected widths from --minimal {minimal} to {MAX_WIDTH}, found {width}.")
    critical = sum(surjections(r, width) for r in range(1, minimal))
    return Counts(width, global_subspaces(minimal, width), critical)
