"""What must hold of every network that a rewind run trains; recorded in the summary, never assumed.

The bug of this field is a rewind or a mask that silently did not happen. So each check holds the tensors that were
really trained (before the first step, after the last one) against the prune run's own arrays and against each other,
and not against what made them: a fault there cannot hide itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.pruning.invariants import all_zero, same_bits
from escapedim.rewinding.mode_names import END, FRESH
from escapedim.rewinding.source import Left
from escapedim.rewinding.treatments import Treatment

NAMES = (
    "survivors_equal_rewind_weights",
    "masked_weights_zero",
    "density_exact",
    "complement_as_asked",
    "data_order_as_asked",
)


@dataclass(frozen=True, eq=False)
class AsTrained:
    """One network as it was trained: rows `(parameters,)`, and the seed of its data order.

    `points` are weights of round 0 by step, `there` says where weights could be anything but 0, `own_order` is the
    seed of the order that the prune run's round had.
    """

    left: Left
    points: Mapping[int, np.ndarray]
    treatment: Treatment
    there: np.ndarray
    started: np.ndarray
    ended: np.ndarray
    order: int
    own_order: int

    @property
    def inside(self) -> np.ndarray:
        """The subnetwork: the mask that the prune run wrote down."""
        if self.treatment.subnetwork == "dense":
            return np.ones_like(self.left.masks["ticket"])
        return self.left.masks[{"reinit": "ticket"}.get(self.treatment.subnetwork, self.treatment.subnetwork)]

    @property
    def around(self) -> np.ndarray:
        """The complement, where there is one."""
        around: np.ndarray = ~self.inside & self.there
        return around


def check(networks: Sequence[AsTrained], prunable: np.ndarray) -> list[dict[str, bool]]:
    """Return the truth of each invariant, of each network of a stack; `prunable` says which parameters can be pruned.

    Complements that may train have moved somewhere in the stack: a single one may rest, as a unit without gradient.
    """
    drawn = {_draw(network): network for network in networks if network.treatment.rest == "redraw" and _first(network)}
    free = [one for one in networks if one.treatment.rest in ("original", "redraw") and one.around.any()]
    moved = not free or any(not same_bits(one.started[one.around], one.ended[one.around]) for one in free)
    return [
        {
            "survivors_equal_rewind_weights": _rewound(network),
            "masked_weights_zero": network.treatment.rest != "masked" or _masked(network),
            "density_exact": _exact(network, prunable),
            "complement_as_asked": _surrounded(network, drawn) and (moved or network not in free),
            "data_order_as_asked": (network.order != network.own_order) == network.treatment.second_order,
        }
        for network in networks
    ]


def _rewound(network: AsTrained) -> bool:
    """Say whether the subnetwork began at the weights asked for; fresh ones are none that the run ever kept."""
    found, weights = network.started[network.inside], network.treatment.weights
    if weights == FRESH:
        known = [*network.points.values(), network.left.end]
        return not all_zero(found) and not any(same_bits(found, row[network.inside]) for row in known)
    expected = network.left.end if weights == END else network.points[int(weights)]
    return same_bits(found, expected[network.inside])


def _masked(network: AsTrained) -> bool:
    return all_zero(network.started[~network.inside]) and all_zero(network.ended[~network.inside])


def _exact(network: AsTrained, prunable: np.ndarray) -> bool:
    """Say whether as many weights are in the subnetwork, and in isolation in use, as the prune run wrote down."""
    dense = network.treatment.subnetwork == "dense"
    expected = int(prunable.sum()) if dense else network.left.surviving
    used = ((network.started != 0) | (network.ended != 0)) & prunable
    alone = network.treatment.rest != "masked" or int(used.sum()) == expected
    return int((network.inside & prunable).sum()) == expected and alone


def _surrounded(network: AsTrained, drawn: Mapping[tuple[int, str, int], AsTrained]) -> bool:
    """Say whether the complement is the one asked for: a multiple of the first draw, or the kept weights."""
    around, treatment = network.around, network.treatment
    if treatment.rest == "masked" or not around.any():
        return True
    started, kept = network.started[around], network.points[treatment.start][around]
    if treatment.rest == "frozen":
        return same_bits(started, kept) and same_bits(network.ended[around], kept)
    if treatment.rest == "original":
        return same_bits(started, kept)
    first = drawn.get(_draw(network))
    scale = started.dtype.type(treatment.scale)
    multiple = first is None or same_bits(started, first.started[around] * scale)
    return multiple and not all_zero(started) and not same_bits(started, kept)


def _draw(network: AsTrained) -> tuple[int, str, int]:
    return network.left.replicate, network.treatment.subnetwork, network.treatment.draw


def _first(network: AsTrained) -> bool:
    return network.treatment.scale == 1.0
