"""The loss of a stack of members as a function of its parameters: what certifying an ending needs to know about it.

Everything is `(members, parameters)` in float64. A surface gives value, gradient and Hessian, and says where second
derivatives mislead: directions that a symmetry makes flat, kinks of relu, units that do nothing, units that are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from escapedim.models.activations import Activation

BUDGET = 2**24  # numbers that one chunk of members may hold at a time, 128 MB in float64; ours
CACHED = 2**20  # as many of a chunk that is passed over several times, and stays in a cache of 8 MB; ours
MATRICES = 8  # Hessians that a stack holds per member at a time: itself, lifted, factors, vectors, temporaries; ours
KINK = 1e-9  # pre-activation over |w||x| below which a sample lies on relu's kink; ours


@dataclass(frozen=True)
class Units:
    """Networks with one hidden layer, taken apart: f(x) = Σ_i a_i σ(w_i·x) + c, and the loss of their outputs.

    `incoming` is `(members, units, inputs)` with the bias as last input, `outgoing` `(members, units, outputs)`,
    `offset` `(members, outputs)` or `(members, 0)` without output biases, `inputs` `(samples, inputs)` with a column
    of ones for the biases. `criterion` takes one member's outputs `(samples, outputs)`. `smooth` is false for relu.
    `columns` `(units, outputs)` say where the outgoing weights are in a member's row.
    """

    incoming: Tensor
    outgoing: Tensor
    offset: Tensor
    inputs: Tensor
    activation: Activation
    smooth: bool
    criterion: Callable[[Tensor], Tensor]
    columns: Tensor


class Curved(Protocol):
    """The loss of every member as a function of its parameters, with two derivatives."""

    def loss(self, flat: Tensor) -> Tensor:
        """Loss `(members,)`."""

    def gradient(self, flat: Tensor) -> Tensor:
        """Gradient `(members, parameters)`."""

    def hessian(self, flat: Tensor) -> Tensor:
        """Hessian `(members, parameters, parameters)`, made in chunks so that memory stays bounded."""

    def norm(self, gradient: Tensor) -> Tensor:
        """Norm `(members,)` in which the stillness of a gradient is judged."""

    def symmetries(self, flat: Tensor) -> Tensor:
        """Directions `(members, parameters, s)` along which the loss cannot change; of any length, and 0 where none."""


class Surface(Curved, Protocol):
    """What endings are certified on: a curved loss that knows its kinks and its units."""

    @property
    def no_critical_below(self) -> float:
        """Loss below which no point is critical; -inf where none is known."""

    @property
    def flat_splits(self) -> bool:
        """Whether the split of a unit has no curvature of its own, as that of a relu unit on a finite sample."""

    def kinks(self, flat: Tensor) -> Tensor:
        """Say which members `(members,)` sit where the gradient jumps."""

    def dead(self, flat: Tensor) -> Tensor:
        """Say which hidden units `(members, units)` respond to no sample."""

    def units(self, flat: Tensor) -> Units | None:
        """Hidden units whose outgoing weights are trained, for one hidden layer; None for other networks."""


def second_derivatives(loss: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Hessians `(members, parameters, parameters)` of a loss that is written for one member's row."""
    # Backwards over backwards: forward mode, as in torch.func.hessian, warns of torch's own deprecated parts.
    hessians: Callable[[Tensor], Tensor] = torch.func.vmap(torch.func.jacrev(torch.func.grad(loss)))
    return hessians


def in_chunks(function: Callable[[Tensor], Tensor], flat: Tensor, numbers: int, budget: int | None = None) -> Tensor:
    """Apply a function to a few members at a time, where one member takes `numbers` numbers of memory."""
    return torch.cat([function(part) for part in chunks(flat, numbers, budget)])


def chunks(flat: Tensor, numbers: int, budget: int | None = None) -> tuple[Tensor, ...]:
    """Split members `(members, ...)` into stacks that fit the budget, at `numbers` numbers a member."""
    return torch.split(flat, max(1, (budget or BUDGET) // max(1, numbers)))
