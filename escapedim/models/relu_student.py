"""The student of the teacher-student problem of Safran & Shamir 2018 (arXiv 1712.08968): f(x) = Σ_i relu(w_i·x).

A fully connected net with one hidden layer of which only the incoming weights are trained: outgoing weights are fixed
at 1 and there are no biases, so that every parameter is an incoming weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from escapedim.models.initialisation import DrawnByRule
from escapedim.models.mlp import Params
from escapedim.models.network import Part, UnitGroup

WEIGHT = "layer1.weight"


@dataclass(frozen=True)
class ReluStudent(DrawnByRule):
    """A student of `hidden` units in `k` dimensions; the one parameter is `layer1.weight` (hidden, k)."""

    k: int
    hidden: int
    init_name: str = "lecun-normal"

    @property
    def name(self) -> str:
        """Architecture as text, such as `relu-student 6-8`; enters the seeds of every draw."""
        return f"relu-student {self.k}-{self.hidden}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample `(k,)`."""
        return (self.k,)

    @property
    def prunable(self) -> tuple[str, ...]:
        """The incoming weights."""
        return (WEIGHT,)

    @property
    def output_layer(self) -> str | None:
        """None: outgoing weights are fixed."""
        return None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The one parameter's shape (units, inputs)."""
        return {WEIGHT: (self.hidden, self.k)}

    @property
    def groups(self) -> tuple[UnitGroup, ...]:
        """The hidden layer: nothing of what leads away from a unit is a parameter."""
        return (UnitGroup(WEIGHT, self.hidden, incoming=(Part(WEIGHT, 0),), activation="relu"),)

    def resized(self, units: Sequence[int]) -> ReluStudent:
        """Return a student of another width."""
        (hidden,) = units
        return replace(self, hidden=hidden)

    @property
    def values(self) -> int:
        """Units and the one output."""
        return self.hidden + 1

    @property
    def products(self) -> dict[str, int]:
        """One multiply-add a weight."""
        return {WEIGHT: self.hidden * self.k}

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Outputs `(samples, 1)` of one network for inputs `(samples, inputs)`."""
        return self.activations(params, x)[0].sum(-1, keepdim=True)

    def activations(self, params: Params, x: Tensor) -> list[Tensor]:
        """What the units put out `(samples, units)`."""
        return [torch.relu(x @ params[WEIGHT].mT)]
