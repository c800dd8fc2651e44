"""The descent: a stack of members from a starting point to the end of its run.

It can be left after any step and continued from the `State` it returned, with the same result to the last bit.
Members whose parameters stop being finite are `diverged` and leave the stack; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from escapedim.models.mlp import MLP
from escapedim.training.batches import Batches
from escapedim.training.data import Data
from escapedim.training.evaluation import evaluate
from escapedim.training.gradients import make_gradient
from escapedim.training.optimizers import Optimizer, padded
from escapedim.training.recipe import Recipe
from escapedim.training.schedules import make_schedule

FINITE_EVERY = 100  # steps between looks for members that are no longer finite; ours
CHECKS = 10  # times a run is looked at on the validation part, the end included; ours

Arrays = dict[str, np.ndarray]
Pause = Callable[[], bool]


@dataclass(frozen=True)
class Job:
    """Members of one shape that are trained together.

    `params` and `mask` are `(members, parameters)`; a mask of None trains everything. `order_seeds` has one seed a
    member. Training goes from step `start` to the end of the recipe; parameters are kept at `start` and at the steps
    `keep` (the parameters before that step's update, so that 0 are the initial ones).
    """

    model: MLP
    loss: str
    recipe: Recipe
    params: Tensor
    mask: Tensor | None
    order_seeds: Sequence[int]
    start: int = 0
    keep: tuple[int, ...] = ()

    def begin(self) -> State:
        """Return the state before the first step: masked starting weights and no optimizer moments."""
        flat = self.params.clone() if self.mask is None else self.params.masked_fill(~self.mask, 0)
        members = len(flat)
        unknown = torch.full((members,), torch.nan, dtype=torch.float64)
        return State(
            step=self.start,
            params=flat,
            moments={},
            kept={},
            diverged_at=torch.full((members,), -1, dtype=torch.int64),
            best_validation=unknown,
            test_at_best=unknown.clone(),
        )


@dataclass(frozen=True)
class State:
    """All that a run needs to go on.

    Parameters `(members, parameters)`; the optimizer's moments of the members still in the stack; kept parameters by
    step; the step at which a member was seen to be diverged (-1: not); and per member the best validation accuracy with
    the test accuracy at that check (NaN before the first).
    """

    step: int
    params: Tensor
    moments: dict[str, Tensor]
    kept: dict[int, Tensor]
    diverged_at: Tensor
    best_validation: Tensor
    test_at_best: Tensor

    def arrays(self) -> Arrays:
        """Return the state as named arrays, as checkpoints store it."""
        named: dict[str, Tensor] = {
            "params": self.params,
            "diverged_at": self.diverged_at,
            "best_validation": self.best_validation,
            "test_at_best": self.test_at_best,
            **{f"moments.{name}": value for name, value in self.moments.items()},
            **{f"kept.{step}": value for step, value in self.kept.items()},
        }
        return {"step": np.array(self.step), **{name: value.cpu().numpy() for name, value in named.items()}}

    @classmethod
    def from_arrays(cls, arrays: Arrays, device: str) -> State:
        """Rebuild what `arrays` returned."""
        tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        moments = {name[8:]: value for name, value in tensors.items() if name.startswith("moments.")}
        return cls(
            step=int(arrays["step"]),
            params=tensors["params"].to(device),
            moments={name: value.to(device) for name, value in moments.items()},
            kept={int(name[5:]): value for name, value in tensors.items() if name.startswith("kept.")},
            diverged_at=tensors["diverged_at"],
            best_validation=tensors["best_validation"],
            test_at_best=tensors["test_at_best"],
        )


class _Stack:
    """The members that are still being trained: rows of the state, their gradients, and their optimizer."""

    def __init__(self, job: Job, state: State, data: Data) -> None:
        self.rows = (state.diverged_at < 0).nonzero()[:, 0]
        rows = self.rows.to(state.params.device)
        self.flat = padded(state.params[rows])
        self._gradients = padded(torch.zeros_like(self.flat))
        self._mask_bits = None if job.mask is None else _bits(job.mask[rows.to(job.mask.device)], self.flat)
        self._optimizer = Optimizer(job.recipe.optimizer, self.flat, state.moments)
        self._gradient = make_gradient(job.model, job.loss)
        seeds = [job.order_seeds[row] for row in self.rows.tolist()]
        self._batches = Batches(data.train.x, data.train.targets, seeds, job.recipe.batch_size) if seeds else None

    def step(self, step: int, lr: float) -> None:
        assert self._batches is not None
        x, targets = self._batches.at(step)
        self._gradient(self.flat, x, targets, self._gradients)
        if self._mask_bits is not None:
            self._gradients.view(self._mask_bits.dtype).bitwise_and_(self._mask_bits)
        self._optimizer.step(self._gradients, lr)

    def finite(self) -> Tensor:
        return self.flat.isfinite().all(1).cpu()

    def moments(self, keep: Tensor) -> dict[str, Tensor]:
        """Moments of a part of the stack; one-dimensional ones are shared counters."""
        chosen = keep.to(self.flat.device)
        return {name: value[chosen] if value.dim() == 2 else value for name, value in self._optimizer.state().items()}


def descend(job: Job, data: Data, state: State, pause: Pause) -> State:
    """Train until the recipe's last step, or until `pause()` answers yes after a step.

    Everything that happens between two steps happens at the same steps whether or not a run was interrupted.
    """
    schedule = make_schedule(job.recipe.schedule, job.recipe.steps, job.recipe.steps_per_epoch)
    checks = frozenset(job.recipe.checkpoints(CHECKS))
    stack = _Stack(job, state, data)
    while state.step < job.recipe.steps and len(stack.rows):
        step = state.step
        if step == job.start or (step in job.keep and step not in state.kept):
            state = _keep(_write_back(state, stack), step)
        stack.step(step, job.recipe.lr * schedule(step))
        state = replace(state, step=step + 1)
        if state.step % FINITE_EVERY == 0 or state.step in checks:
            state, stack = _drop_diverged(job, data, state, stack)
        if state.step in checks:
            state = _check(job, data, state, stack)
        if pause():
            break
    state = _write_back(state, stack)
    state = replace(state, moments=stack.moments(torch.ones(len(stack.rows), dtype=torch.bool)))
    return _finished(job, state) if state.step == job.recipe.steps or not len(stack.rows) else state


def _finished(job: Job, state: State) -> State:
    """Keep the end; where all members diverged before it, every point after that is the end."""
    for step in job.keep:
        if step >= state.step:
            state = _keep(state, step)
    return replace(state, step=job.recipe.steps)


def _bits(mask: Tensor, like: Tensor) -> Tensor:
    """All bits of survivors and none of the others, as integers of the width of `like`.

    Not a product with 0: that would let the NaN of a diverging member into its masked weights.
    """
    return -mask.to(like.device, torch.int32 if like.dtype == torch.float32 else torch.int64).contiguous()


def _write_back(state: State, stack: _Stack) -> State:
    params = state.params.clone()
    params[stack.rows.to(params.device)] = stack.flat
    return replace(state, params=params)


def _keep(state: State, step: int) -> State:
    return replace(state, kept={**state.kept, step: state.params.cpu().clone()})


def _drop_diverged(job: Job, data: Data, state: State, stack: _Stack) -> tuple[State, _Stack]:
    finite = stack.finite()
    if finite.all():
        return state, stack
    diverged_at = state.diverged_at.clone()
    diverged_at[stack.rows[~finite]] = state.step
    state = replace(_write_back(state, stack), diverged_at=diverged_at, moments=stack.moments(finite))
    return state, _Stack(job, state, data)


def _check(job: Job, data: Data, state: State, stack: _Stack) -> State:
    """Take the test accuracy at the best validation accuracy so far; the earliest of equal ones counts."""
    if len(stack.rows) == 0 or job.loss != "cross-entropy":
        return state
    validation = evaluate(job.model, job.loss, stack.flat, data.validation).accuracy.cpu()
    test = evaluate(job.model, job.loss, stack.flat, data.test).accuracy.cpu()
    best, at_best = state.best_validation.clone(), state.test_at_best.clone()
    before = best[stack.rows]
    better = (validation > before) | (before.isnan() & ~validation.isnan())
    best[stack.rows[better]], at_best[stack.rows[better]] = validation[better], test[better]
    return replace(state, best_validation=best, test_at_best=at_best)
