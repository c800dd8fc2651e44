"""Which law is preferred: the only one that is left, if it was held against all data and is shown to be near.

That a law is not rejected shows nothing where few data could have rejected it. So a law is preferred only if every
rival is rejected, if it predicts the failure rate at every width at which they were judged, and if it is shown to be
off by no more than the margin at any of them. The bounds are exact ones of the measured rates (Clopper & Pearson 1934)
around the fitted rate: its own error makes them wider than they need be, since an efficient fit follows the data. The
claim holds at all widths at once, so that each is tested at the full level (intersection-union, Berger 1982).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.comparison.margins import paired_interval
from escapedim.records.comparison import Law


@dataclass(frozen=True)
class Preference:
    """The name of the preferred law, and a clause that says which it is or why there is none."""

    name: str | None
    sentence: str


def prefer(laws: Sequence[Law], widths: Sequence[int], base: int | None, margin: float) -> Preference:
    """Return the choice; what could not be fitted is not rejected either. `widths` are those from `base` on."""
    left = [law for law in laws if not law.rejected]
    if len(left) != 1 or left[0].rejected is None:
        return Preference(None, "none is preferred over all rivals")
    law = left[0]
    judged = {one.width for one in law.predicted} | {base}
    missed = [width for width in widths if width not in judged]
    if missed:
        listed = ", ".join(map(str, missed))
        return Preference(
            None, f"none is preferred: {law.name} says nothing of width{'s' * (len(missed) > 1)} {listed}"
        )
    if law.off_by is None or law.off_by > margin:
        most = "" if law.off_by is None else f" ({100 * law.off_by:.1f} at most)"
        return Preference(
            None, f"none is preferred: {law.name} is not shown to be within {100 * margin:g} points of what fails{most}"
        )
    return Preference(law.name, f"preferred is {law.name}, off by at most {100 * law.off_by:.1f} points")


def off_by(
    failed: np.ndarray, members: np.ndarray, rates: np.ndarray, level: float, weights: np.ndarray | float = 1.0
) -> float:
    """Return how far fitted `rates` can be from the true ones at most, over all cells `(cells,)`, each at `level`."""
    from scipy import stats

    low = np.where(failed > 0, stats.beta.ppf(level, failed, members - failed + 1), 0.0)
    high = np.where(failed < members, stats.beta.isf(level, failed + 1, members - failed), 1.0)
    return float(min(1.0, (weights * np.maximum(high - rates, rates - low)).max()))


def paired_off_by(tables: Iterable[tuple[int, int, int]], level: float) -> float | None:
    """Return how far two paired rates can be apart at most, in any of the tables (see `rows.parts.pooled_pairs`)."""
    bounds = [paired_interval(*table, tail=level) for table in tables]
    return max((abs(bound) for pair in bounds if pair for bound in pair), default=None)
