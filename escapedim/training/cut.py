"""Inputs and units that nothing goes through, nor back: the descent runs without them, on smaller matrices.

An input that is 0 in every training sample, as the border of an image, and a unit all of whose weights a mask has
removed: neither has a gradient, and without weight decay what is left of their parameters never moves. Whoever asks for
parameters gets them all. Test samples may have something at such an input: evaluation is of the whole network. What is
left out of a member depends on the data, the recipe, its shape and its own mask, and on the CPU on nothing else. The
result differs by rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.specs import take_params
from escapedim.training.costs import CALLS, step_s
from escapedim.training.data import Data
from escapedim.training.gradients import RESIDUALS
from escapedim.training.job import Job, State
from escapedim.training.mixed import as_one, make_whole_stack
from escapedim.training.optimizer_names import OPTIMIZERS
from escapedim.training.optimizers import Moments, by_matrix, of_members
from escapedim.training.stack import Trained

LEAST_CUT = 64  # inputs without a signal that are worth it; ours

Kept = Sequence[Tensor]
"""Indices by level, from the inputs to the outputs: of hidden units `(members, kept)`, of the others `(1, kept)`."""


def make_stack(job: Job, state: State, data: Data, gradients: Tensor | None = None) -> Trained:
    """Return the members under way as a stack; those that have just left give their siblings' `gradients`."""
    rows = state.under_way()
    if not _stays(job):
        return make_whole_stack(job, state, data, rows, state.moments, gradients)
    inputs, outputs = _inputs_with_signal(job, data), _all(job.model)[-1]
    parts = list[tuple[Tensor, Trained]]()
    for places, units in _alike(job, rows):
        moments = of_members(state.moments, places)
        own = None if gradients is None else gradients[places.to(gradients.device)]
        kept = (inputs, *units, outputs)
        if all(level.shape[1] == size for level, size in zip(kept, job.model.sizes, strict=True)):
            parts.append((places, make_whole_stack(job, state, data, rows[places], moments, own)))
        else:
            parts.append((places, CutStack(job, state, data, rows[places], moments, own, kept)))
    return as_one(rows, parts)


def _all(model: MLP) -> Kept:
    return [torch.arange(size)[None] for size in model.sizes]


def _stays(job: Job) -> bool:
    """Say whether parameters without a gradient stay where they are."""
    params = take_params(job.recipe.optimizer, OPTIMIZERS[job.recipe.optimizer.name])
    return job.lr_scale is None and not params.get("weight_decay")


def _inputs_with_signal(job: Job, data: Data) -> Tensor:
    """Inputs that are trained with `(1, kept)`; all of them where there are no samples to look at."""
    everything = _all(job.model)[0]
    if job.loss not in RESIDUALS:  # a closed form sees no samples
        return everything
    signal = (data.train.x != 0).any(0).cpu()
    return everything[:, signal] if int((~signal).sum()) >= LEAST_CUT and signal.any() else everything


def _alike(job: Job, rows: Tensor) -> Iterator[tuple[Tensor, Kept]]:
    """Yield members that are trained with equally many units: their places in `rows`, and their units by hidden layer.

    On CUDA a second stack takes as long as the first, and all units are trained unless all members are alike.
    """
    everything, places = _all(job.model)[1:-1], torch.arange(len(rows))
    if job.mask is None or not everything or not len(rows):
        yield places, everything
        return
    left, shapes = _left(job.model, job.mask[rows.to(job.mask.device)].cpu())
    kinds, kind = torch.unique(shapes, dim=0, return_inverse=True)
    rest = places[:0]
    for number, (*hidden, whole) in enumerate(kinds.tolist()):
        own = places[kind == number]
        if _pays(job, hidden, bool(whole)) and not (job.params.is_cuda and len(kinds) > 1):
            yield own, [units[own].nonzero()[:, 1].view(len(own), -1) for units in left]
        else:
            rest = torch.cat([rest, own])
    if len(rest):
        yield rest.sort().values, everything


def _left(model: MLP, mask: Tensor) -> tuple[list[Tensor], Tensor]:
    """Say which units `(members, units)` of each hidden layer masks `(members, parameters)` leave any weight.

    They are one at least. Also how many there are `(members, hidden layers + 1)` and, last, whether a mask leaves all
    weights among them.
    """
    weights = [mask_of for name, mask_of in Layout(model.shapes).views(mask).items() if name in model.prunable]
    into, out = [one.any(2) for one in weights], [one.any(1) for one in weights[1:]]
    left = [own | after for own, after in zip(into, out, strict=False)] if out else into
    for units in left:
        units[:, 0] |= ~units.any(1)
    counts = torch.stack([units.sum(1) for units in left], 1)
    sizes = [torch.full((len(mask),), model.sizes[0]), *counts.T, torch.full((len(mask),), model.sizes[-1])]
    whole = [one.sum((1, 2)) == before * after for one, (before, after) in zip(weights, pairwise(sizes), strict=False)]
    return left, torch.cat([counts, torch.stack(whole, 1).all(1, keepdim=True)], 1)


def _pays(job: Job, hidden: Sequence[int], whole: bool) -> bool:
    """Say whether members with so many units left are trained without the others.

    With one hidden layer pruned by `whole` units all siblings have as many; others may need a stack of their own.
    """
    batch, dtype, model = job.recipe.batch_size, job.params.dtype, job.model
    cut = replace(model, sizes=(model.sizes[0], *hidden, model.sizes[-1]))
    least = 0.0 if whole and len(hidden) == 1 else CALLS * model.depth
    return step_s(model, batch, dtype) - step_s(cut, batch, dtype) > least


class CutStack:
    """A stack of members without the parameters of other inputs and units than `kept`; as `training.stack.Stack`."""

    def __init__(
        self, job: Job, state: State, data: Data, rows: Tensor, moments: Moments, gradients: Tensor | None, kept: Kept
    ) -> None:
        device = state.params.device
        self.rows, self._rest = rows, state.params[rows.to(device)]
        self._columns = _columns(job.model, kept).to(device).expand(len(rows), -1)

        def own(matrix: Tensor | None) -> Tensor | None:
            return None if matrix is None else self._cut(matrix[rows.to(matrix.device)])

        cut = replace(
            job,
            model=replace(job.model, sizes=tuple(level.shape[1] for level in kept)),
            params=self._cut(self._rest),
            mask=own(job.mask),
            frozen=own(job.frozen),
            order_seeds=[job.order_seeds[row] for row in rows.tolist()],
        )
        begun = replace(state, params=cut.params, restarts=state.restarts[rows])
        inputs = kept[0][0].to(device)
        samples = (
            data.train
            if len(inputs) == job.model.sizes[0]
            else replace(data.train, x=data.train.x[:, inputs].contiguous())
        )
        self._stack = make_whole_stack(
            cut,
            begun,
            replace(data, train=samples),
            torch.arange(len(rows)),
            by_matrix(moments, self._cut),
            None if gradients is None else self._cut(gradients),
        )

    @property
    def flat(self) -> Tensor:
        """Parameters `(members, parameters)`: those that were left out are where they were."""
        return self._whole(self._rest, self._stack.flat)

    @property
    def gradients(self) -> Tensor:
        """Those of the last step, 0 for what was left out."""
        return self._whole(torch.zeros_like(self._rest), self._stack.gradients)

    def step(self, step: int, lr: float) -> None:
        """Take one step of the descent at the learning rate `lr`."""
        self._stack.step(step, lr)

    def finite(self) -> Tensor:
        """Say which members are finite `(members,)`, on the CPU."""
        return self._stack.finite() & self._rest.isfinite().all(1).cpu()

    def moments(self, keep: Tensor) -> Moments:
        """Moments of a part of the members; counters are shared."""
        everyone = self._stack.moments(torch.ones_like(keep))
        empty = torch.zeros_like(self._rest)
        return of_members(by_matrix(everyone, lambda value: self._whole(empty, value)), keep)

    def _cut(self, matrix: Tensor) -> Tensor:
        return matrix.gather(1, self._columns.to(matrix.device))

    def _whole(self, rest: Tensor, values: Tensor) -> Tensor:
        return rest.scatter(1, self._columns, values)


def _columns(model: MLP, kept: Kept) -> Tensor:
    """Places in a row of parameters `(members or 1, kept)` of those of the inputs and units that are kept."""
    layout, parts = Layout(model.shapes), list[Tensor]()
    places = layout.views(torch.arange(layout.size)[None])
    for n, (into, out) in enumerate(pairwise(kept), start=1):
        if f"layer{n}.weight" in places:
            parts.append(places[f"layer{n}.weight"][0][out[:, :, None], into[:, None, :]].flatten(1))
        if f"layer{n}.bias" in places:
            parts.append(places[f"layer{n}.bias"][0][out])
    members = max(map(len, parts))
    return torch.cat([part.expand(members, -1) for part in parts], 1)
