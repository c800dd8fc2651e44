"""A stretch of training: a job from its beginning, or from where it was paused, until it ends or is paused again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from escapedim.training.descent import descend
from escapedim.training.job import Job, State
from escapedim.training.work import Arrays, Context, Outcome


def train(job: Job, context: Context, paused: Arrays | None, then: Callable[[State], Outcome]) -> Outcome:
    """Train a job as far as the context lets it; `then` makes the outcome of one that has ended."""
    states = [] if paused is None else [paused]
    return train_joined(job, context, states, [len(job.params)], lambda state: [then(state)])[0]


def train_joined(
    job: Job,
    context: Context,
    paused: Sequence[Arrays],
    counts: Sequence[int],
    then: Callable[[State], list[Outcome]],
) -> list[Outcome]:
    """Train the members of several works as one job, so many of each work; all are `paused`, at one step, or none."""
    states = [State.from_arrays(arrays, context.device) for arrays in paused]
    state = descend(job, context.data, State.joined(states) if states else job.begin(), context.tick)
    if state.step < job.recipe.steps:
        return [Outcome(part.arrays(), None) for part in state.split(counts)]
    return then(state)
