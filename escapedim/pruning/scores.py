"""Criteria: what makes a weight or a unit worth keeping. The lowest scores are removed.

Weights: `magnitude` |θT|, `movement` |θT - θ0|, `magnitude-increase` |θT| - |θ0|, `magnitude-init` |θ0| (Zhou et al.
2019), `snip` |∂L/∂θ · θ| at the masked initial weights (Lee et al. 2019), `random`.

Units: the same quantities, a unit's score being the product of the norms of its incoming and outgoing entries; the norm
of the incoming ones alone where outgoing weights are fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from escapedim.models import units
from escapedim.models.network import Network

Layers = Mapping[str, np.ndarray]
Size = Callable[[Network, Layers], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Weights:
    """Prunable weights of one network by layer, 0 where masked.

    `initial` at step 0, `final` at the end, and the loss gradient of the whole training part at step 0, which only
    `snip` asks for.
    """

    initial: Layers
    final: Layers
    gradient: Callable[[], Layers]


def _magnitudes(network: Network, layers: Layers) -> dict[str, np.ndarray]:
    return {name: np.abs(values.astype(np.float64)) for name, values in layers.items()}


SIZES: dict[str, Size] = {"weight": _magnitudes, "unit": units.norms}


def _combine(left: Layers, right: Layers, rule: Callable[..., np.ndarray]) -> dict[str, np.ndarray]:
    return {name: rule(values, right[name]) for name, values in left.items()}


def score(
    criterion: str, network: Network, weights: Weights, granularity: str, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return scores: by layer, of its shape, for weights; by group `(units,)` for units."""
    size = partial(SIZES[granularity], network)
    rules: dict[str, Callable[[], dict[str, np.ndarray]]] = {
        "magnitude": lambda: size(weights.final),
        "movement": lambda: size(_combine(weights.final, weights.initial, np.subtract)),
        "magnitude-increase": lambda: _combine(size(weights.final), size(weights.initial), np.subtract),
        "magnitude-init": lambda: size(weights.initial),
        "snip": lambda: size(_combine(weights.gradient(), weights.initial, np.multiply)),
        "random": lambda: {name: random.random(s.shape) for name, s in size(weights.initial).items()},
    }
    return rules[criterion]()
