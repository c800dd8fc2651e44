"""The student of the teacher-student problem of Safran & Shamir 2018 (arXiv 1712.08968): f(x) = Σ_i relu(w_i·x).

A fully connected net with one hidden layer of which only the incoming weights are trained: outgoing weights are fixed
at 1 and there are no biases, so that every parameter is an incoming weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.mlp import MLP, Params


@dataclass(frozen=True)
class ReluStudent(MLP):
    """`sizes` = (inputs k, units n, 1); the one parameter is `layer1.weight` (n, k)."""

    def __post_init__(self) -> None:
        if len(self.sizes) != 3 or self.sizes[-1] != 1 or self.activation != "relu":
            raise ValueError(f"expected sizes (inputs, units, 1) and relu, found {self.sizes} and {self.activation}")

    @property
    def name(self) -> str:
        """Architecture as text, such as `relu-student 6-8`; enters the seeds of every draw."""
        return f"relu-student {self.sizes[0]}-{self.sizes[1]}"

    @property
    def prunable(self) -> tuple[str, ...]:
        """The incoming weights."""
        return ("layer1.weight",)

    @property
    def output_layer(self) -> str | None:
        """None: outgoing weights are fixed."""
        return None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The one parameter's shape (units, inputs)."""
        return {"layer1.weight": (self.sizes[1], self.sizes[0])}

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Outputs `(samples, 1)` of one network for inputs `(samples, inputs)`."""
        return torch.relu(x @ params["layer1.weight"].mT).sum(-1, keepdim=True)
