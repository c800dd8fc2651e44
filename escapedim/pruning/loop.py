"""Iterative magnitude pruning with weight rewinding (Frankle & Carbin 2019; Frankle et al. 2020), as it is published.

Train a dense network to the end, and remember its weights at step k. Then, round after round: prune, that is remove the
lowest-scored fraction of what is left; rewind, that is put the survivors back to what they were at step k; and train
what is left to the end, beside its controls.

`lottery` is that loop, whatever executes it: it says what is to be trained, and takes what came of it. A stored run
enters it at one round and takes what it yields (`pruning.round_work`); in memory it can be gone through from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np

from escapedim.models.network import Network
from escapedim.pruning.arms import Draws, Start, next_masks, starts
from escapedim.pruning.criteria import Weights
from escapedim.pruning.masks import Masks, full_masks
from escapedim.pruning.pruning_plan import PruningPlan

Arms = Mapping[str, Start]


@dataclass(frozen=True)
class Trained:
    """What a round has left.

    masks
        Of the ticket, and of the arms that prune on from their own.
    rewound
        The row `(parameters,)` of the dense network at step k.
    weights
        What a criterion sees of the network that was trained last, under given masks.
    """

    round: int
    masks: Mapping[str, Masks]
    rewound: np.ndarray
    weights: Callable[[Masks], Weights]


def lottery(
    plan: PruningPlan, network: Network, draws: Callable[[int], Draws], trained: Trained | None = None
) -> Generator[Arms, Trained, None]:
    """Yield the arms that each round trains, and take what they came to; `trained` enters the loop behind a round.

    Round 0 is the dense network alone, drawn with `draws(0)`.
    """
    if trained is None:
        trained = yield {"dense": Start(draws(0).initial_row(), full_masks(network))}
    for number in range(trained.round + 1, plan.rounds + 1):
        masks = next_masks(plan, trained.masks, trained.weights, draws(number))  # prune
        trained = yield starts(masks, trained.rewound, draws(number))  # rewind; whoever iterates trains
