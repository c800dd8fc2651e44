"""What must hold in the ticket arm of every round; recorded in the summary, never assumed.

The bug of this field is a rewind or a mask that silently did not happen. So each check looks at the tensors that were
really trained (the state before the first step and after the last one), not at what the code meant to train.

Without one of the first four, what was trained is not the ticket. `no_layer_empty` is a finding about the network:
pruning weights in global scope may rightly take all of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from escapedim.models.network import Network
from escapedim.pruning.masks import Masks, survivors
from escapedim.pruning.pruning_plan import PruningPlan

Layers = dict[str, np.ndarray]


@dataclass(frozen=True)
class TrainedWeights:
    """Prunable weights by layer at the rewind point, at the start of training and at its end.

    With the masks of this round and of the one before.
    """

    rewound: Layers
    started: Layers
    ended: Layers
    masks: Masks
    last_masks: Masks


def check(plan: PruningPlan, network: Network, trained: TrainedWeights, expected: dict[str, int]) -> dict[str, bool]:
    """Return each invariant's truth; `expected` are the round's counts from `plan.expected_counts`."""
    masks = trained.masks
    return {
        "survivors_equal_rewind_weights": all(
            same_bits(trained.started[name][mask], trained.rewound[name][mask]) for name, mask in masks.items()
        ),
        "masked_weights_zero": all(
            all_zero(weights[name][~mask])
            for name, mask in masks.items()
            for weights in (trained.started, trained.ended)
        ),
        "masks_nested": all(not (mask & ~trained.last_masks[name]).any() for name, mask in masks.items()),
        "density_exact": all(survivors(plan, network, there) == expected for there in (masks, _in_use(trained))),
        "no_layer_empty": all(mask.any() for mask in masks.values()),
    }


def all_zero(values: np.ndarray) -> bool:
    """Say whether all values are 0, of either sign."""
    # By their bits but for the sign: a worker takes numbers below 1e-38 for 0 when it compares them.
    return not (values.view(f"u{values.itemsize}") << 1).any()


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    """Say whether two arrays are equal to the last bit."""
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()


def _in_use(trained: TrainedWeights) -> Masks:
    """Weights that training had at hand: not zero at the start, or not zero at the end."""
    return {name: (trained.started[name] != 0) | (trained.ended[name] != 0) for name in trained.masks}
