"""Data order: which samples a member sees at which step.

A member's samples come from a stream of permutations of the training data, one an epoch, drawn from the member's own
seed; batches are cut from the stream without regard to where an epoch ends, so that every sample is used equally
often. The batch of a step can be had without the steps before it, so that rewound and continued runs are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from escapedim.training.data import Samples
from escapedim.training.seeds import derive_seed, torch_generator


class DataOrder:
    """The minibatches of one seed: `batch(step)` are sample indices `(batch,)`, cut from those of `epoch(number)`."""

    def __init__(self, seed: int, samples: int, batch_size: int) -> None:
        self._seed, self._samples, self._size = seed, samples, batch_size
        self.epoch = lru_cache(maxsize=2)(self.draw)

    def draw(self, epoch: int) -> Tensor:
        """Draw the order of all samples in one epoch `(samples,)`."""
        return torch.randperm(self._samples, generator=torch_generator(derive_seed(self._seed, "epoch", "", epoch)))

    def batch(self, step: int) -> Tensor:
        """Indices of the samples of one step."""
        start = step * self._size
        pieces, needed = [], self._size
        while needed:
            epoch, offset = divmod(start, self._samples)
            piece = self.epoch(epoch)[offset : offset + needed]
            pieces.append(piece)
            start, needed = start + len(piece), needed - len(piece)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


class Orders:
    """The minibatches of several orders at once, on the device of the samples: `at(step)` are `(orders, batch)`.

    The numbers of two epochs lie there, so that a step is a cut of them. On CUDA those of the next are drawn by a
    thread while the device works: for hundreds of orders that takes as long as the steps.
    """

    def __init__(self, orders: Sequence[DataOrder], samples: int, size: int, device: torch.device) -> None:
        self._orders, self._samples, self._size, self._device = orders, samples, size, device
        self._drawer = ThreadPoolExecutor(1, "orders") if device.type == "cuda" else None
        self._ahead: dict[int, Future[Tensor]] = {}
        self._first, self._both = -1, torch.empty(0)
        self._next: tuple[int, Tensor] = (-1, self._both)

    def at(self, step: int) -> Tensor:
        """Indices of the samples of one step, in 32 bits."""
        epoch, offset = divmod(step * self._size, self._samples)
        if epoch != self._first:
            first = self._next[1] if self._next[0] == epoch else self._taken(epoch)
            self._next = (epoch + 1, self._taken(epoch + 1))
            self._first, self._both = epoch, torch.cat([first, self._next[1]], 1)
            if self._drawer:
                self._ahead = {epoch + 2: self._drawer.submit(self._draw, epoch + 2)}
        return self._both[:, offset : offset + self._size]

    def _taken(self, epoch: int) -> Tensor:
        ahead = self._ahead.get(epoch)
        return (self._draw(epoch) if ahead is None else ahead.result()).to(self._device)

    def _draw(self, epoch: int) -> Tensor:
        return torch.stack([order.draw(epoch) for order in self._orders]).int()


class Batches:
    """Minibatches of a stack: inputs `([members,] batch, inputs)` and targets `([members,] batch, outputs)`.

    Members that share a seed share their batch, and the leading dimension is left out where all do. Samples with a
    stream are drawn from it by the member's seed and the step.
    """

    def __init__(self, samples: Samples, seeds: Sequence[int], batch_size: int) -> None:
        self._x, self._targets, self._stream, self._size = samples.x, samples.targets, samples.stream, batch_size
        self._seeds = seeds[:1] if len(set(seeds)) == 1 else seeds
        self._full = self._stream is None and batch_size >= len(self._x)
        orders = [DataOrder(seed, len(self._x), batch_size) for seed in self._seeds]
        self._orders = Orders(orders, len(self._x), batch_size, self._x.device)

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of one step."""
        if self._full:
            return self._x, self._targets
        if self._stream is not None:
            x, targets = self._stream(self._seeds, step, self._size)
            return self._own(x, self._x), self._own(targets, self._targets)
        indices = self._orders.at(step)
        return self._chosen(self._x, indices), self._chosen(self._targets, indices)

    def _chosen(self, values: Tensor, indices: Tensor) -> Tensor:
        # Several times as fast as indexing.
        rows = values.index_select(0, indices.flatten())
        return rows if len(indices) == 1 else rows.view(*indices.shape, -1)

    def _own(self, drawn: np.ndarray, like: Tensor) -> Tensor:
        tensor = torch.from_numpy(drawn).to(like.device, like.dtype)
        return tensor[0] if len(self._seeds) == 1 else tensor
