"""What a step of one network takes on one core, by how it is trained: by this members are packed, and cut.

Measured on one core with AVX-512, over the shapes in scripts/benchmarking/TRIED.md. A member's way may depend on its
own shape, batch and mask alone, so that its numbers do not depend on what it is trained beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent


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
ANGLE = 7e-9  # seconds of a relu student for the angle of two units, or of a unit and the teacher's
CALLS = 20e-6  # seconds per layer of a stack of its own, for calls


def step_s(model: MLP, batch: int, dtype: torch.dtype) -> float:
    """Seconds of a dense step."""
    if isinstance(model, ReluStudent):
        inputs, units, _ = model.sizes
        return ANGLE * units * (units + inputs)
    return dense_s(model.sizes, batch, dtype)


def dense_s(sizes: Sequence[int], batch: int, dtype: torch.dtype) -> float:
    """Seconds of a step of a fully connected net of these sizes."""
    weights = [inputs * units for inputs, units in pairwise(sizes)]
    operations = 6 * sum(weights) - 2 * weights[0]  # nothing goes back into the data
    return COSTS[dtype].operation * batch * operations + COSTS[dtype].weight * sum(weights)


def packed_s(sizes: Sequence[int], batch: int, dtype: torch.dtype, survivors: Tensor) -> Tensor:
    """Seconds of a packed step `(members,)` by the survivors of each member."""
    return COSTS[dtype].layer * (len(sizes) - 1) + COSTS[dtype].survivor * batch * survivors
