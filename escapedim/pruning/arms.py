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
from functools import partial

import numpy as np

from escapedim.errors import BadInput
from escapedim.models import units
from escapedim.models.network import Network
from escapedim.pruning.criteria import Layers, Scores, Weights, criterion
from escapedim.pruning.masks import Masks, prune, shuffle, survivors
from escapedim.pruning.pruning_plan import PruningPlan, goals


@dataclass(frozen=True)
class Draws:
    """Sources of chance of one round of one replicate, each with its own seed."""

    initial_row: Callable[[], np.ndarray]
    fresh_row: Callable[[], np.ndarray]
    generator: Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class Start:
    """What an arm begins with: a row of parameters `(parameters,)` and its masks."""

    row: np.ndarray
    masks: Masks


def next_masks(
    plan: PruningPlan, last: Mapping[str, Masks], weights_under: Callable[[Masks], Weights], draws: Draws
) -> dict[str, Masks]:
    """Make the masks of this round for all arms that are asked for; `ticket` is always among them."""
    weights = weights_under(last["ticket"])
    masks = {"ticket": _pruned_by(plan.criterion, plan, last["ticket"], weights_under, draws.generator("criterion"))}
    if "reinit" in plan.arms:
        masks["reinit"] = masks["ticket"]
    if "shuffle" in plan.arms:
        masks["shuffle"] = shuffle(plan, weights.network, masks["ticket"], draws.generator("shuffle"))
    if "random" in plan.arms:
        masks["random"] = _pruned_by("random", plan, last["random"], lambda _: weights, draws.generator("random"))
    return masks


def _pruned_by(
    name: str,
    plan: PruningPlan,
    masks: Masks,
    weights_under: Callable[[Masks], Weights],
    random: np.random.Generator,
) -> Masks:
    """Prune one round by a criterion, in as many steps as it scores."""
    rule, network = criterion(name), weights_under(masks).network
    size = partial(SIZES[plan.granularity], network)
    start = survivors(plan, network, masks)
    end = goals(plan, network, start)
    for step in range(1, rule.scorings + 1):
        # Where nothing is left, nothing is removed.
        left = {
            key: round(start[key] * (count / (start[key] or 1)) ** (step / rule.scorings)) for key, count in end.items()
        }
        last = step == rule.scorings
        weights = weights_under(masks)
        scores = rule.score(weights, size, random)
        expected = {name: values.shape for name, values in size(weights.initial).items()}
        if {key: np.shape(values) for key, values in scores.items()} != expected:
            raise BadInput(
                f"criterion {name}: expected scores of shapes {expected}, found others; mend that criterion."
            )
        masks = prune(plan, network, masks, scores, end if last else left)
    return masks


def _magnitudes(network: Network, layers: Layers) -> Scores:
    return {name: np.abs(values.astype(np.float64)) for name, values in layers.items()}


SIZES: dict[str, Callable[[Network, Layers], Scores]] = {"weight": _magnitudes, "unit": units.norms}
"""How large a quantity is: of each weight, or of each unit, by granularity."""


def starts(masks: Mapping[str, Masks], rewound: np.ndarray, draws: Draws) -> dict[str, Start]:
    """Give each arm its starting weights: those kept at the rewind point, or a fresh draw."""
    return {
        arm: Start(draws.fresh_row() if arm == "reinit" else rewound, arm_masks) for arm, arm_masks in masks.items()
    }
