"""Problems that are posed by samples: a loss of outputs and targets, averaged over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.surface import Surface
from escapedim.models.families import Wanted, fully_connected
from escapedim.models.losses import LOSSES
from escapedim.models.network import Network
from escapedim.tasks.base import Task
from escapedim.training.data import Data, Samples
from escapedim.training.problems.outputs import stack_outputs
from escapedim.training.problems.problem import Scores

BLOCK = 4096  # samples at once, so that memory does not grow with the data; ours
MOST_NUMBERS = 2**22  # samples times inputs of data that are held in float64 for a surface, 32 MB; ours


@dataclass(frozen=True)
class Sampled:
    """The loss of that name, over the samples of a task."""

    name: str

    @property
    def classifies(self) -> bool:
        """True of the cross-entropy."""
        return self.name == "cross-entropy"

    def fully_connected(self, wanted: Wanted, hidden: Sequence[int]) -> Network:
        """Return a fully connected net; its inputs are the numbers of a sample."""
        return fully_connected(wanted, hidden)

    def multiply_adds(self, network: Network, batch: int) -> float:
        """Multiply-adds of the products in one step of one network.

        A layer of weights takes a product forwards and two backwards (Kaplan et al. 2020, arXiv 2001.08361, section
        2.1): the gradients of its weights and of its inputs, of which the first layer needs none. Biases, activations
        and the optimizer are no products, and left out.
        """
        products = list(network.products.values())
        return batch * (3 * sum(products) - products[0])

    def evaluate(self, network: Network, flat: Tensor, samples: Samples) -> Scores:
        """See `Problem`.

        A lone member is evaluated as a stack of two, whatever its shape: products of one member may be other kernels of
        torch, which round differently (`training.kernels.kernel`).
        """
        if len(flat) == 1:
            both = self.evaluate(network, _twice(flat), samples)
            return Scores(both.loss[:1], both.accuracy[:1])
        total = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
        right, count, loss = torch.zeros_like(total), len(samples.x), LOSSES[self.name]
        for outputs, block in _blocks(network, flat, samples):
            targets = block.targets.double()
            if block.weights is None:
                total += loss(outputs.double(), targets) * len(targets)
            else:  # they sum to 1 over all samples, and the total is divided by `count`
                total += loss(outputs.double(), targets, count * block.weights.double())
            right += self._right(outputs, block.targets)
        return Scores(total / count, right / count)

    def accuracy(self, network: Network, flat: Tensor, samples: Samples) -> Tensor:
        """See `Problem`."""
        if len(flat) == 1:
            return self.accuracy(network, _twice(flat), samples)[:1]
        right = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
        for outputs, block in _blocks(network, flat, samples):
            right += self._right(outputs, block.targets)
        return right / len(samples.x)

    def _right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """How many samples are right `(members,)`, NaN where an output is not finite."""
        if self.classifies:
            hits = outputs.argmax(-1) == targets.argmax(-1)
        else:
            hits = (outputs.sign() == targets.sign()).all(-1)
        return torch.where(outputs.flatten(1).isfinite().all(1), hits.sum(-1).double(), torch.nan)

    def surface(self, network: Network, task: Task, device: str) -> Surface | str:
        """Return the surface of fully connected nets on the training samples."""
        if task.stream is not None:
            return "fresh samples at every step: there is no fixed loss to examine"
        if task.train.x.size > MOST_NUMBERS:
            return "too much data: no spectrum was computed"
        if network.fully_connected is None:
            return "no surface is known for this kind of network"
        samples = Data.of(task, "float64", device).train
        return DenseSurface(network, self.name, samples.x, samples.targets, samples.weights)


def _twice(flat: Tensor) -> Tensor:
    return flat.expand(2, -1).contiguous()


def _blocks(network: Network, flat: Tensor, samples: Samples) -> Iterator[tuple[Tensor, Samples]]:
    """Yield one block of samples after the other, each with the outputs `(members, block, outputs)`."""
    for start in range(0, len(samples.x), BLOCK):
        block = slice(start, start + BLOCK)
        weights = None if samples.weights is None else samples.weights[block]
        part = Samples(samples.x[block], samples.targets[block], weights)
        yield stack_outputs(network, flat, part.x), part
