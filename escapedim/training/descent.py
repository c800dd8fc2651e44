"""The descent: a stack of members from a starting point to the end of its run.

It can be left after any step and continued from the `State` it returned, with the same result to the last bit.
Members whose parameters stop being finite are `diverged` and leave the stack, or start again with half the step where
the task says so; members that have landed in a minimum leave it too. The others go on, the cheaper the fewer they are.
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
from escapedim.training.full_batch import make_full_batch_gradient
from escapedim.training.gradients import make_gradient
from escapedim.training.optimizers import Optimizer, padded
from escapedim.training.recipe import Recipe
from escapedim.training.schedules import make_schedule

FINITE_EVERY = 100  # steps between looks for members that are no longer finite; ours
CHECKS = 10  # times a run is looked at on the validation part, the end included; ours

LOOK_EVERY = 50  # steps between looks for members that have landed; ours
LATER = 1.25  # a member that has not landed is looked at again when it has gone on by a quarter of its steps; ours
MOST_RESTARTS = 20  # a millionth of the first step; ours

Arrays = dict[str, np.ndarray]
Pause = Callable[[int], bool]
"""Is told after a step how many network steps are done by it, and answers whether to pause.

Those that a member will not take, because it has landed or diverged, count as done.
"""


@dataclass(frozen=True)
class Landed:
    """Of a look at a stack: its parameters, the landed members' polished, and which have landed or were examined."""

    flat: Tensor
    landed: Tensor
    examined: Tensor


Landing = Callable[[Tensor, Tensor, Tensor], Landed]
"""Looks at parameters and gradients `(members, parameters)`; only members that are due (a mask) may be examined."""


@dataclass(frozen=True)
class Job:
    """Members of one shape that are trained together.

    `params`, `mask` and `frozen` are `(members, parameters)`: outside a mask parameters are 0, and frozen ones stay as
    they are, unless the optimizer has weight decay; without either everything is trained. `order_seeds` has one seed a
    member. `lr_scale` `(parameters,)` multiplies the learning rate, 0 freezes. `landing` looks for members that are
    done; with `restart` a diverged member starts again with half the step. Training goes from step `start` to the end
    of the recipe; parameters are kept at `start` and at the steps `keep` (the parameters before that step's update, so
    that 0 are the initial ones).
    """

    model: MLP
    loss: str
    recipe: Recipe
    params: Tensor
    mask: Tensor | None
    order_seeds: Sequence[int]
    start: int = 0
    keep: tuple[int, ...] = ()
    lr_scale: Tensor | None = None
    landing: Landing | None = None
    restart: bool = False
    frozen: Tensor | None = None

    def begin(self) -> State:
        """Return the state before the first step: masked starting weights and no optimizer moments."""
        flat = self.origin()
        never = torch.full((len(flat),), -1, dtype=torch.int64)
        unknown = torch.full((len(flat),), torch.nan, dtype=torch.float64)
        return State(
            step=self.start,
            params=flat,
            moments={},
            kept={},
            diverged_at=never,
            landed_at=never.clone(),
            look_at=torch.zeros_like(never),
            begun_at=torch.full_like(never, self.start),
            restarts=torch.zeros_like(never),
            best_validation=unknown,
            test_at_best=unknown.clone(),
        )

    def cost(self, state: State) -> dict[str, int]:
        """Return the network steps that were taken, and those that were planned."""
        planned = (self.recipe.steps - self.start) * len(self.params)
        return {"net_steps": int(state.taken(self.start).sum()), "planned_steps": planned}

    def origin(self) -> Tensor:
        """Return copies of the masked starting weights `(members, parameters)`."""
        return self.params.clone() if self.mask is None else self.params.masked_fill(~self.mask, 0)

    def trained(self) -> Tensor | None:
        """Return which parameters `(members, parameters)` are trained; None where all are."""
        if self.frozen is None:
            return self.mask
        return ~self.frozen if self.mask is None else self.mask & ~self.frozen


@dataclass(frozen=True)
class State:
    """All that a run needs to go on.

    Parameters `(members, parameters)`; the optimizer's moments of the members still in the stack; kept parameters by
    step. Per member: the steps at which it was seen to be diverged or to have landed (-1: not), from which on it may be
    looked at, and at which it began; how often it started again; and the best validation accuracy with the test
    accuracy at that check (NaN before the first).
    """

    step: int
    params: Tensor
    moments: dict[str, Tensor]
    kept: dict[int, Tensor]
    diverged_at: Tensor
    landed_at: Tensor
    look_at: Tensor
    begun_at: Tensor
    restarts: Tensor
    best_validation: Tensor
    test_at_best: Tensor

    def under_way(self) -> Tensor:
        """Return the indices of the members that are still trained."""
        return ((self.diverged_at < 0) & (self.landed_at < 0)).nonzero()[:, 0]

    def steps(self) -> Tensor:
        """Return how many steps each member took, since its last restart."""
        return self._ended() - self.begun_at

    def taken(self, start: int) -> Tensor:
        """Return how many steps each member took in all since step `start` of the run: what it cost."""
        return self._ended() - start

    def _ended(self) -> Tensor:
        ended = torch.where(self.diverged_at >= 0, self.diverged_at, torch.full_like(self.diverged_at, self.step))
        return torch.where(self.landed_at >= 0, self.landed_at, ended)

    def at(self, places: Sequence[int]) -> State:
        """Return the state of the members at `places`, each as often as it is named; its training is over."""
        chosen = torch.tensor(places, dtype=torch.int64)
        per_member = {name: getattr(self, name)[chosen] for name in _PER_MEMBER}
        kept = {step: rows[chosen] for step, rows in self.kept.items()}
        return replace(self, params=self.params[chosen.to(self.params.device)], kept=kept, moments={}, **per_member)

    def arrays(self) -> Arrays:
        """Return the state as named arrays, as checkpoints store it."""
        named: dict[str, Tensor] = {
            "params": self.params,
            **{name: getattr(self, name) for name in _PER_MEMBER},
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
            **{name: tensors[name] for name in _PER_MEMBER},
        )


_PER_MEMBER = ("diverged_at", "landed_at", "look_at", "begun_at", "restarts", "best_validation", "test_at_best")


class _Stack:
    """The members that are still being trained: rows of the state, their gradients, and their optimizer.

    A stack that others have just left takes their siblings' gradients over: who is looked at next, and found to be
    near a minimum, must not depend on who left.
    """

    def __init__(self, job: Job, state: State, data: Data, gradients: Tensor | None = None) -> None:
        self.rows = state.under_way()
        rows = self.rows.to(state.params.device)
        self.flat = padded(state.params[rows])
        self.gradients = padded(torch.full_like(self.flat, torch.nan) if gradients is None else gradients)
        trained = job.trained()
        self._mask_bits = None if trained is None else _bits(trained[rows.to(trained.device)], self.flat)
        self._lr_scale = None if job.lr_scale is None else job.lr_scale.to(self.flat)
        self._shares = _step_shares(state.restarts[self.rows], self.flat)
        self._optimizer = Optimizer(job.recipe.optimizer, self.flat, state.moments)
        whole = job.recipe.batch_size == job.recipe.samples
        make = make_full_batch_gradient if whole else make_gradient
        self._gradient = make(job.model, job.loss, data.train.weights)
        seeds = [job.order_seeds[row] for row in self.rows.tolist()]
        self._batches = Batches(data.train, seeds, job.recipe.batch_size) if seeds else None

    def step(self, step: int, lr: float) -> None:
        assert self._batches is not None
        x, targets = self._batches.at(step)
        self._gradient(self.flat, x, targets, self.gradients)
        if self._mask_bits is not None:
            self.gradients.view(self._mask_bits.dtype).bitwise_and_(self._mask_bits)
        before = None if self._lr_scale is None and self._shares is None else self.flat.clone()
        self._optimizer.step(self.gradients, lr)
        if before is not None:
            self._shorten(before)

    def _shorten(self, before: Tensor) -> None:
        """Take of the optimizer's step the share that each parameter and member is allowed."""
        for share in (self._lr_scale, self._shares):
            if share is not None:
                shortened = (self.flat - before).mul_(share).add_(before)
                shortened = torch.where(share == 0, before, shortened)  # also of an infinite step
                self.flat.copy_(torch.where(share == 1, self.flat, shortened))

    def finite(self) -> Tensor:
        return self.flat.isfinite().all(1).cpu()

    def moments(self, keep: Tensor) -> dict[str, Tensor]:
        """Moments of a part of the stack; one-dimensional ones are shared counters."""
        chosen = keep.to(self.flat.device)
        return {name: value[chosen] if value.dim() == 2 else value for name, value in self._optimizer.state().items()}


def _step_shares(restarts: Tensor, like: Tensor) -> Tensor | None:
    """Share of a step that each member takes `(members, 1)`: half of it for every restart; None where all are whole."""
    return torch.pow(0.5, restarts.to(like)).unsqueeze(1) if restarts.any() else None


def descend(job: Job, data: Data, state: State, pause: Pause) -> State:
    """Train until the recipe's last step, or until `pause` answers yes after a step.

    Everything that happens between two steps happens at the same steps whether or not a run was interrupted.
    """
    schedule = make_schedule(job.recipe.schedule, job.recipe.steps, job.recipe.steps_per_epoch)
    checks = frozenset(job.recipe.checkpoints(CHECKS))
    stack = _Stack(job, state, data)
    while state.step < job.recipe.steps and len(stack.rows):
        step, members = state.step, len(stack.rows)
        if step == job.start or (step in job.keep and step not in state.kept):
            state = _keep(_write_back(state, stack), step)
        stack.step(step, job.recipe.lr * schedule(step))
        state = replace(state, step=step + 1)
        if state.step % FINITE_EVERY == 0 or state.step in checks:
            state, stack = _drop_diverged(job, data, state, stack)
        if job.landing is not None and (state.step % LOOK_EVERY == 0 or state.step == job.recipe.steps):
            state, stack = _drop_landed(job, job.landing, data, state, stack)
        if state.step in checks:
            state = _check(job, data, state, stack.rows, stack.flat)
        spared = (members - len(stack.rows)) * (job.recipe.steps - state.step)
        if pause(members + spared):
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
    if job.restart and state.step < job.recipe.steps:  # at the end nothing is left to start again for
        return _restart(job, data, state, stack, finite)
    diverged_at = state.diverged_at.clone()
    diverged_at[stack.rows[~finite]] = state.step
    state = replace(_write_back(state, stack), diverged_at=diverged_at, moments=stack.moments(finite))
    return state, _Stack(job, state, data, stack.gradients[finite.to(stack.flat.device)])


def _restart(job: Job, data: Data, state: State, stack: _Stack, finite: Tensor) -> tuple[State, _Stack]:
    """Put diverged members back to their start, with half the step and no moments; at last they are diverged."""
    spent = ~finite & (state.restarts[stack.rows] >= MOST_RESTARTS)
    again, left = stack.rows[~finite & ~spent], (~spent).to(stack.flat.device)
    moments, gradients = stack.moments(torch.ones_like(finite)), stack.gradients.clone()
    gradients[~finite] = torch.nan  # none is known at the start
    for moment in moments.values():
        if moment.dim() == 2:
            moment[~finite] = 0
    moments = {name: value[left] if value.dim() == 2 else value for name, value in moments.items()}
    state = _write_back(state, stack)
    state.params[again] = job.origin()[again].to(state.params)
    state = replace(
        state,
        restarts=state.restarts.index_add(0, again, torch.ones_like(again)),
        begun_at=state.begun_at.index_fill(0, again, state.step),
        look_at=state.look_at.index_fill(0, again, 0),
        diverged_at=state.diverged_at.index_fill(0, stack.rows[spent], state.step),
        moments=moments,
    )
    return state, _Stack(job, state, data, gradients[left])


def _drop_landed(job: Job, landing: Landing, data: Data, state: State, stack: _Stack) -> tuple[State, _Stack]:
    due = state.look_at[stack.rows] <= state.step
    seen = landing(stack.flat, stack.gradients, due.to(stack.flat.device))
    landed, examined = seen.landed.cpu(), seen.examined.cpu()
    look_at, landed_at = state.look_at.clone(), state.landed_at.clone()
    look_at[stack.rows[examined]] = int(state.step * LATER)
    state = replace(state, look_at=look_at)
    if not landed.any():
        return state, stack
    landed_at[stack.rows[landed]] = state.step
    state = replace(_write_back(state, stack), landed_at=landed_at, moments=stack.moments(~landed))
    state.params[stack.rows[landed]] = seen.flat[seen.landed].to(state.params)
    # They stay where they are: this is what every later check would find.
    state = _check(job, data, state, stack.rows[landed], seen.flat[seen.landed])
    return state, _Stack(job, state, data, stack.gradients[~seen.landed])


def _check(job: Job, data: Data, state: State, rows: Tensor, flat: Tensor) -> State:
    """Take the test accuracy of members at their best validation accuracy so far; the earliest of equal ones counts."""
    if len(rows) == 0 or job.loss != "cross-entropy":
        return state
    validation = evaluate(job.model, job.loss, flat, data.validation).accuracy.cpu()
    test = evaluate(job.model, job.loss, flat, data.test).accuracy.cpu()
    best, at_best = state.best_validation.clone(), state.test_at_best.clone()
    before = best[rows]
    better = (validation > before) | (before.isnan() & ~validation.isnan())
    best[rows[better]], at_best[rows[better]] = validation[better], test[better]
    return replace(state, best_validation=best, test_at_best=at_best)
