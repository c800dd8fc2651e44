"""Levels: clusters of equal loss among certified endings.

Members that end at the same critical point, or at a copy of it by a symmetry, have one loss. Losses are sorted and cut
where the gap to the next one is more than rounding; channels count by their loss at infinity, global minima are one
level, whatever the loss at which their descent was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from escapedim.landscape.vocabulary import Ending

Array = np.ndarray

GAP = 1e-6  # of the loss: a wider gap parts two levels; ours
SMALLEST_GAP = 1e-9  # where losses are near 0: first order in the gradient norm to which members are polished; ours
MOST = 50  # levels in a summary

CERTIFIED = (Ending.GLOBAL_MINIMUM, Ending.BAD_MINIMUM, Ending.SADDLE, Ending.PLATEAU_SADDLE, Ending.CHANNEL)


@dataclass(frozen=True)
class LossLevel:
    """One loss, and the members that ended there; the curvature is None where none was taken."""

    loss: float
    members: int
    ending: Ending
    marginal: bool
    smallest_eigenvalue: float | None
    negative_directions: int | None


def levels(
    *,
    ending: Array,
    loss: Array,
    limit_loss: Array,
    marginal: Array,
    smallest_eigenvalue: Array,
    negative_directions: Array,
) -> list[LossLevel]:
    """Return the levels of certified members, most frequent first, at most `MOST`.

    All arguments are columns `(members,)` as `Certificates` has them: `ending` of `Ending`, `limit_loss` what counts
    for channels, `smallest_eigenvalue` NaN where no spectrum was taken.
    """
    level_loss = np.where(ending == Ending.CHANNEL, limit_loss, loss)
    clusters = (rows for name in CERTIFIED for rows in clusters_of(level_loss, np.flatnonzero(ending == name), name))
    found = [
        _level(ending[rows[0]], level_loss[rows], marginal[rows], smallest_eigenvalue[rows], negative_directions[rows])
        for rows in clusters
    ]
    return sorted(found, key=lambda level: (-level.members, level.loss))[:MOST]


def clusters_of(loss: Array, rows: Array, ending: Ending) -> list[Array]:
    """Split the members `rows` of one ending where their sorted losses are apart."""
    if len(rows) == 0 or ending is Ending.GLOBAL_MINIMUM:
        return [rows] if len(rows) else []
    ordered = rows[np.argsort(loss[rows], kind="stable")]
    ascending = loss[ordered]
    return np.split(ordered, np.flatnonzero(apart(ascending[:-1], ascending[1:])) + 1)


def apart(lower: Array, higher: Array) -> Array:
    """Say which losses differ from the next higher ones by more than rounding."""
    return np.asarray(higher - lower > np.maximum(GAP * np.abs(higher), SMALLEST_GAP))


def _level(ending: Ending, loss: Array, marginal: Array, smallest: Array, negative: Array) -> LossLevel:
    taken = np.isfinite(smallest)
    return LossLevel(
        loss=float(loss.min()),
        members=len(loss),
        ending=ending,
        marginal=bool(marginal.any()),
        smallest_eigenvalue=float(smallest[taken].min()) if taken.any() else None,
        negative_directions=int(np.median(negative[taken])) if taken.any() else None,
    )
