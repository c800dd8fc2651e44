"""How many more observations an undecided row would take, if its estimate stayed as it is.

A test's standard score grows with the square root of the number of observations. So the score that rejects one
prediction, at the level that Holm's correction asks of the first of all tests, is reached at a multiple of what there
is. It is an order of magnitude: the estimate will not stay, and where it is at the border no number decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

MOST_TIMES = 1e4
"""Beyond so many times the data the border itself is what was found; ours."""


def needed(
    observations: int, claims: Sequence[tuple[float | None, float | None]], level: float, tests: int
) -> int | None:
    """Return about how many observations in all would reach one of the claims; None where no number would.

    A claim are the p-values that must all be rejected: that of the other prediction, and that of the contrary of the
    own one (None where there is none to reject). One whose first is None cannot be tested, and then nothing decides.
    """
    if any(rival is None for rival, _ in claims):
        return None
    best = max((min(_score(p) for p in claim if p is not None) for claim in claims), default=0.0)
    if best <= 0 or not observations:
        return None
    times = (_score(level / max(1, tests)) / best) ** 2
    if times <= 1 or times > MOST_TIMES:
        return None
    digits = int(10 ** max(0, math.floor(math.log10(observations * times)) - 1))
    return math.ceil(observations * times / digits) * digits


def _score(p: float) -> float:
    return -NormalDist().inv_cdf(min(max(p, 1e-300), 1 - 1e-16))
