"""The members that are being trained: their parameters, gradients and optimizer, and what one step does to them.

On CUDA a step is replayed (`kernels.replay`): batches are copied to where the first ones were, and a learning rate
that changes is a share of the step at the recipe's rate. That is the same: every optimizer's step is linear in it.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from escapedim.training.batches import Batches
from escapedim.training.data import Data
from escapedim.training.job import Job, State
from escapedim.training.kernels.choice import gradient_of
from escapedim.training.kernels.replay import Replay
from escapedim.training.optimizers import Moments, Optimizer, of_members, padded


class _Batch:
    """The samples of a step, on CUDA always in the memory of the first ones."""

    x: Tensor
    targets: Tensor
    _taken = False

    def take(self, x: Tensor, targets: Tensor) -> None:
        if not (self._taken and x.is_cuda):
            self.x, self.targets, self._taken = x, targets, True
        elif x is not self.x:  # full batches are the data itself
            self.x.copy_(x)
            self.targets.copy_(targets)


class Trained(Protocol):
    """Members `rows` that are trained together, however that is done."""

    rows: Tensor

    @property
    def flat(self) -> Tensor:
        """Parameters `(members, parameters)`."""

    @property
    def gradients(self) -> Tensor:
        """Those of the last step `(members, parameters)`, NaN where they are not known."""

    def step(self, step: int, lr: float) -> None:
        """Take one step of the descent at the learning rate `lr`."""

    def finite(self) -> Tensor:
        """Say which members are finite `(members,)`, on the CPU."""

    def moments(self, keep: Tensor) -> Moments:
        """Moments of a part of the members; counters are shared."""


class Stack:
    """The members that are still being trained: rows of the state, their gradients, and their optimizer.

    A stack that others have just left takes their siblings' gradients over: who is looked at next, and found to be
    near a minimum, must not depend on who left.
    """

    def __init__(
        self, job: Job, state: State, data: Data, rows: Tensor, moments: Moments, gradients: Tensor | None = None
    ) -> None:
        self.rows = rows
        rows = rows.to(state.params.device)
        self.flat = padded(state.params[rows])
        self.gradients = padded(torch.full_like(self.flat, torch.nan) if gradients is None else gradients)
        trained = job.trained()
        self._mask_bits = None if trained is None else _bits(trained[rows.to(trained.device)], self.flat)
        self._lr_scale = None if job.lr_scale is None else job.lr_scale.to(self.flat)
        self._shares = _step_shares(state.restarts[self.rows], self.flat)
        self._optimizer = Optimizer(job.recipe.optimizer, self.flat, moments)
        whole = job.recipe.batch_size == job.recipe.samples
        self._gradient = gradient_of(job.model, job.problem, data.train.weights, whole)
        seeds = [job.order_seeds[row] for row in self.rows.tolist()]
        self._batches = Batches(data.train, seeds, job.recipe.batch_size) if seeds else None
        cuda = self.flat.is_cuda
        self._lr, self._batch = job.recipe.lr, _Batch()
        changes = str(job.recipe.schedule) != "constant"  # with a warm-up it is not
        self._share_of_lr = self.flat.new_ones(()) if cuda and changes else None
        self._replay = Replay(cuda)

    def step(self, step: int, lr: float) -> None:
        """Take one step of the descent at the learning rate `lr`."""
        assert self._batches is not None
        self._batch.take(*self._batches.at(step))
        if self._share_of_lr is None:
            self._lr = lr
        else:
            self._share_of_lr.fill_(lr / self._lr)
        self._replay(self._work)

    def _work(self) -> None:
        self._gradient(self.flat, self._batch.x, self._batch.targets, self.gradients)
        if self._mask_bits is not None:
            self.gradients.view(self._mask_bits.dtype).bitwise_and_(self._mask_bits)
        shares = [share for share in (self._lr_scale, self._shares, self._share_of_lr) if share is not None]
        before = self.flat.clone() if shares else self.flat
        self._optimizer.step(self.gradients, self._lr)
        for share in shares:
            self._shorten(before, share)

    def _shorten(self, before: Tensor, share: Tensor) -> None:
        """Take the share of the optimizer's step that each parameter and member is allowed."""
        shortened = (self.flat - before).mul_(share).add_(before)
        shortened = torch.where(share == 0, before, shortened)  # also of an infinite step
        self.flat.copy_(torch.where(share == 1, self.flat, shortened))

    def finite(self) -> Tensor:
        """Say which members are finite `(members,)`, on the CPU."""
        return self.flat.isfinite().all(1).cpu()

    def moments(self, keep: Tensor) -> Moments:
        """Moments of a part of the members; counters are shared."""
        return of_members(self._optimizer.state(), keep)


def _step_shares(restarts: Tensor, like: Tensor) -> Tensor | None:
    """Share of a step that each member takes `(members, 1)`: half of it for every restart; None where all are whole."""
    return torch.pow(0.5, restarts.to(like)).unsqueeze(1) if restarts.any() else None


def _bits(mask: Tensor, like: Tensor) -> Tensor:
    """All bits of survivors and none of the others, as integers of the width of `like`.

    Not a product with 0: that would let the NaN of a diverging member into its masked weights.
    """
    return -mask.to(like.device, torch.int32 if like.dtype == torch.float32 else torch.int64).contiguous()
