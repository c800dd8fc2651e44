"""The descent: a stack of members from a starting point to the end of its run.

It can be left after any step and continued from the `State` it returned, with the same result to the last bit.
Members whose parameters stop being finite are `diverged` and leave the stack, or start again with half the step where
the task says so; members that have landed in a minimum leave it too. The others go on, the cheaper the fewer they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from escapedim.training.data import Data
from escapedim.training.job import Job, Landing, State
from escapedim.training.kernels.stack import Trained
from escapedim.training.kernels.without_idle import make_stack
from escapedim.training.optimizers import of_members
from escapedim.training.schedules import make_schedule

FINITE_EVERY = 100  # steps between looks for members that are no longer finite; ours
CHECKS = 10  # times a run is looked at on the validation part, the end included; ours

LOOK_EVERY = 50  # steps between looks for members that have landed; ours
LATER = 1.25  # a member that has not landed is looked at again when it has gone on by a quarter of its steps; ours
MOST_RESTARTS = 20  # a millionth of the first step; ours

Pause = Callable[[int], bool]
"""Is told after a step how many network steps are done by it, and answers whether to pause.

Those that a member will not take, because it has landed or diverged, count as done.
"""


def descend(job: Job, data: Data, state: State, pause: Pause) -> State:
    """Train until the recipe's last step, or until `pause` answers yes after a step.

    Everything that happens between two steps happens at the same steps whether or not a run was interrupted.
    """
    schedule = make_schedule(job.recipe.schedule, job.recipe.steps, job.recipe.steps_per_epoch)
    checks = frozenset(job.recipe.checkpoints(CHECKS))
    stack = make_stack(job, state, data)
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


def _write_back(state: State, stack: Trained) -> State:
    params = state.params.clone()
    params[stack.rows.to(params.device)] = stack.flat
    return replace(state, params=params)


def _keep(state: State, step: int) -> State:
    return replace(state, kept={**state.kept, step: state.params.cpu().clone()})


def _drop_diverged(job: Job, data: Data, state: State, stack: Trained) -> tuple[State, Trained]:
    finite = stack.finite()
    if finite.all():
        return state, stack
    if job.restart and state.step < job.recipe.steps:  # at the end nothing is left to start again for
        return _restart(job, data, state, stack, finite)
    diverged_at = state.diverged_at.clone()
    diverged_at[stack.rows[~finite]] = state.step
    state = replace(_write_back(state, stack), diverged_at=diverged_at, moments=stack.moments(finite))
    gradients = stack.gradients[finite.to(state.params.device)] if job.landing else None  # only looks ask for them
    return state, make_stack(job, state, data, gradients)


def _restart(job: Job, data: Data, state: State, stack: Trained, finite: Tensor) -> tuple[State, Trained]:
    """Put diverged members back to their start, with half the step and no moments; at last they are diverged."""
    spent = ~finite & (state.restarts[stack.rows] >= MOST_RESTARTS)
    again, left = stack.rows[~finite & ~spent], (~spent).to(stack.flat.device)
    moments, gradients = stack.moments(torch.ones_like(finite)), stack.gradients.clone()
    gradients[~finite] = torch.nan  # none is known at the start
    for moment in moments.values():
        if moment.dim() == 2:
            moment[~finite] = 0
    moments = of_members(moments, left)
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
    return state, make_stack(job, state, data, gradients[left])


def _drop_landed(job: Job, landing: Landing, data: Data, state: State, stack: Trained) -> tuple[State, Trained]:
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
    return state, make_stack(job, state, data, stack.gradients[~seen.landed])


def _check(job: Job, data: Data, state: State, rows: Tensor, flat: Tensor) -> State:
    """Take the test accuracy of members at their best validation accuracy so far; the earliest of equal ones counts."""
    if len(rows) == 0 or not job.problem.classifies:
        return state
    validation, test = (job.problem.accuracy(job.model, flat, part).cpu() for part in (data.validation, data.test))
    best, at_best = state.best_validation.clone(), state.test_at_best.clone()
    before = best[rows]
    better = (validation > before) | (before.isnan() & ~validation.isnan())
    best[rows[better]], at_best[rows[better]] = validation[better], test[better]
    return replace(state, best_validation=best, test_at_best=at_best)
