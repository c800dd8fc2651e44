"""Inputs that are 0 in every training sample, as the border of an image: nothing goes through them, nor back.

Their weights have no gradient and, without weight decay, never move. So where they are many the descent runs without
them, on smaller matrices; whoever asks for parameters gets them all. Test samples may have something there: evaluation
is of the whole network. The result differs by rounding.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.specs import take_params
from escapedim.training.data import Data
from escapedim.training.gradients import RESIDUALS
from escapedim.training.job import Job, State
from escapedim.training.mixed import AnyStack, make_whole_stack
from escapedim.training.names import OPTIMIZERS

LEAST_CUT = 64  # inputs without a signal that are worth it; ours


def make_stack(job: Job, state: State, data: Data, gradients: Tensor | None = None) -> AnyStack | CutStack:
    """Return the members under way as a stack; those that have just left give their siblings' `gradients`."""
    kept = _kept_inputs(job, data)
    return make_whole_stack(job, state, data, gradients) if kept is None else CutStack(job, state, data, kept)


def _kept_inputs(job: Job, data: Data) -> Tensor | None:
    """Inputs with a signal `(kept,)`; None where all are trained."""
    plain = job.landing is None and job.lr_scale is None and not job.restart and job.loss in RESIDUALS
    params = take_params(job.recipe.optimizer, OPTIMIZERS[job.recipe.optimizer.name])
    if not plain or params.get("weight_decay") or data.train.stream is not None:
        return None
    signal = (data.train.x != 0).any(0)
    return signal.nonzero()[:, 0] if int((~signal).sum()) >= LEAST_CUT and signal.any() else None


class CutStack:
    """A stack without the weights of inputs that have no signal; as `training.stack.Stack`."""

    def __init__(self, job: Job, state: State, data: Data, inputs: Tensor) -> None:
        layout = Layout(job.model.shapes)
        places = layout.views(torch.arange(layout.size, device=inputs.device)[None])
        parts = [place[0][:, inputs] if name == "layer1.weight" else place[0] for name, place in places.items()]
        self._columns = columns = torch.cat([part.reshape(-1) for part in parts])
        model = replace(job.model, sizes=(len(inputs), *job.model.sizes[1:]))
        cut = replace(
            job,
            model=model,
            params=job.params[:, columns],
            mask=None if job.mask is None else job.mask[:, columns],
            frozen=None if job.frozen is None else job.frozen[:, columns],
        )
        moments = {name: value[:, columns] if value.dim() == 2 else value for name, value in state.moments.items()}
        samples = replace(data.train, x=data.train.x[:, inputs].contiguous())
        self._stack = make_whole_stack(
            cut, replace(state, params=state.params[:, columns], moments=moments), replace(data, train=samples), None
        )
        self.rows = self._stack.rows
        self._rest = state.params[self.rows.to(state.params.device)]

    @property
    def flat(self) -> Tensor:
        """Parameters `(members, parameters)`: those of inputs without a signal are where they were."""
        return self._whole(self._rest, self._stack.flat)

    @property
    def gradients(self) -> Tensor:
        """Those of the last step, 0 for inputs without a signal."""
        return self._whole(torch.zeros_like(self._rest), self._stack.gradients)

    def step(self, step: int, lr: float) -> None:
        """Take one step of the descent at the learning rate `lr`."""
        self._stack.step(step, lr)

    def finite(self) -> Tensor:
        """Say which members are finite `(members,)`, on the CPU."""
        return self._stack.finite()

    def moments(self, keep: Tensor) -> dict[str, Tensor]:
        """Moments of a part of the stack; one-dimensional ones are shared counters."""
        empty = torch.zeros_like(self._rest)[keep.to(self._rest.device)]
        return {
            name: self._whole(empty, value) if value.dim() == 2 else value
            for name, value in self._stack.moments(keep).items()
        }

    def _whole(self, rest: Tensor, values: Tensor) -> Tensor:
        return rest.index_copy(1, self._columns, values)
