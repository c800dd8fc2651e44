"""The contract of a problem: the loss over the parameters of a network, its evaluation, and its surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from escapedim.landscape.surface import Surface
from escapedim.models.families import Wanted
from escapedim.models.network import Network
from escapedim.tasks.base import Task
from escapedim.training.data import Samples


@dataclass(frozen=True)
class Scores:
    """Per member: average loss and share of samples that are right, both float64 `(members,)`.

    A sample is right where its largest output is its label, or by the squared loss where all outputs have the signs of
    their targets.
    """

    loss: Tensor
    accuracy: Tensor


class Problem(Protocol):
    """What members of a network are trained on; it can be pickled, and two of one loss are equal."""

    @property
    def name(self) -> str:
        """That of its loss."""

    @property
    def classifies(self) -> bool:
        """Whether outputs are compared with labels, so that a validation part can choose among them."""

    def fully_connected(self, wanted: Wanted, hidden: Sequence[int]) -> Network:
        """Return the fully connected net with these hidden widths that suits the problem."""

    def multiply_adds(self, network: Network, batch: int) -> float:
        """Multiply-adds of the products in one step of one network."""

    def evaluate(self, network: Network, flat: Tensor, samples: Samples) -> Scores:
        """Evaluate members `(members, parameters)`; a member with a non-finite output has the accuracy NaN.

        Without samples both are NaN, but for a loss in closed form, which needs none.
        """

    def accuracy(self, network: Network, flat: Tensor, samples: Samples) -> Tensor:
        """Return the accuracies `(members,)` of `evaluate` alone: without the losses, which take as long."""

    def surface(self, network: Network, task: Task, device: str) -> Surface | str:
        """Return the loss as a surface on which endings are certified, or in a clause why there is none."""


def no_accuracy(flat: Tensor) -> Tensor:
    """Return NaN for each member `(members,)`."""
    return torch.full((len(flat),), torch.nan, dtype=torch.float64, device=flat.device)
