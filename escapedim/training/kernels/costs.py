"""Seconds that one step of one network takes on one core, by how it is trained.

From these it is decided which members are packed, and which are trained without their idle units.

Measured on one core with AVX-512, over the shapes in scripts/benchmarking/TRIED.md. A member's way may depend on its
own shape, batch and mask alone, so that its numbers do not depend on what it is trained beside.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.network import Network


@dataclass(frozen=True)
class Costs:
    """Seconds: dense per operation and weight, packed per layer and survivor of a sample."""

    operation: float
    weight: float
    layer: float
    survivor: float


COSTS = {
    torch.float32: Costs(operation=1 / 90e9, weight=2e-9, layer=60e-6, survivor=0.22e-9),
    torch.float64: Costs(operation=1 / 45e9, weight=4e-9, layer=60e-6, survivor=0.65e-9),
}
CALLS = 20e-6  # seconds per layer of a stack of its own, for calls


def dense_s(network: Network, batch: int, dtype: torch.dtype) -> float:
    """Seconds of a step of a fully connected net."""
    products = list(network.products.values())
    operations = 6 * sum(products) - 2 * products[0]  # nothing goes back into the data
    return COSTS[dtype].operation * batch * operations + COSTS[dtype].weight * sum(products)


def products_s(network: Network, batch: int, dtype: torch.dtype) -> float:
    """Seconds of a step of any network, by its products alone; convolutions reach a third of the rate of matrices."""
    products, weights = sum(network.products.values()), network.size
    return 3 * COSTS[dtype].operation * batch * 6 * products + COSTS[dtype].weight * weights


def packed_s(layers: int, batch: int, dtype: torch.dtype, survivors: Tensor) -> Tensor:
    """Seconds of a packed step `(members,)` by the survivors of each member."""
    return COSTS[dtype].layer * layers + COSTS[dtype].survivor * batch * survivors
