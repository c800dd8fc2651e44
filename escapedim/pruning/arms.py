"""Arms of a round: which weights and which mask each of them trains.

====== ==================== ========================================= =======================
arm     weights              mask                                      schedule and data order
====== ==================== ========================================= =======================
ticket  kept at step k       inside last round's, by the criterion     from step k
reinit  a fresh draw         the ticket's                              from step k
shuffle kept at step k       the ticket's, shuffled within each layer  from step k
random  kept at step k       inside its own last one, by chance        from step k
====== ==================== ========================================= =======================

The lottery ticket and its reinit control are those of Frankle & Carbin 2019, the other two of Frankle et al. 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from escapedim.models.network import Network
from escapedim.pruning.masks import Masks, prune, shuffle
from escapedim.pruning.pruning_plan import PruningPlan
from escapedim.pruning.scores import Weights, score


@dataclass(frozen=True)
class Draws:
    """Sources of chance of one round of one replicate, each with its own seed."""

    fresh_row: Callable[[], np.ndarray]
    generator: Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class Start:
    """What an arm begins with: a row of parameters `(parameters,)` and its masks."""

    row: np.ndarray
    masks: Masks


def next_masks(
    plan: PruningPlan, network: Network, last: Mapping[str, Masks], weights: Weights, draws: Draws
) -> dict[str, Masks]:
    """Make the masks of this round for all arms that are asked for; `ticket` is always among them."""
    scores = score(plan.criterion, network, weights, plan.granularity, draws.generator("criterion"))
    masks = {"ticket": prune(plan, network, last["ticket"], scores)}
    if "reinit" in plan.arms:
        masks["reinit"] = masks["ticket"]
    if "shuffle" in plan.arms:
        masks["shuffle"] = shuffle(plan, network, masks["ticket"], draws.generator("shuffle"))
    if "random" in plan.arms:
        chance = score("random", network, weights, plan.granularity, draws.generator("random"))
        masks["random"] = prune(plan, network, last["random"], chance)
    return masks


def starts(masks: Mapping[str, Masks], rewound: np.ndarray, draws: Draws) -> dict[str, Start]:
    """Give each arm its starting weights: those kept at the rewind point, or a fresh draw."""
    return {
        arm: Start(draws.fresh_row() if arm == "reinit" else rewound, arm_masks) for arm, arm_masks in masks.items()
    }
