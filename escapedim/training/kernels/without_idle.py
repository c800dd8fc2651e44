"""Trains members without the inputs and units that nothing goes through, nor back: on smaller networks.

An input that is 0 in every training sample, as the border of an image, and a unit all of whose weights a mask has
removed: neither has a gradient, and without weight decay what is left of their parameters never moves. Whoever asks for
parameters gets them all. Test samples may have something at such an input: evaluation is of the whole network. What is
left out of a member depends on the data, the recipe, its shape and its own mask, and on the CPU on nothing else. The
result differs by rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from escapedim.models import units
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.training.data import Data
from escapedim.training.job import Job, State
from escapedim.training.kernels.choice import kernel_of
from escapedim.training.kernels.costs import CALLS
from escapedim.training.kernels.mixed import as_one, make_whole_stack
from escapedim.training.kernels.stack import Trained
from escapedim.training.optimizer_names import decays
from escapedim.training.optimizers import Moments, by_matrix, of_members

LEAST_CUT = 64  # inputs without a signal that are worth it; ours

Kept = Mapping[str, Tensor]
"""By group the indices of the units that are trained `(members, kept)`; of the inputs `(kept,)`, if not all are."""


def make_stack(job: Job, state: State, data: Data, gradients: Tensor | None = None) -> Trained:
    """Return the members under way as a stack; those that have just left give their siblings' `gradients`."""
    rows = state.under_way()
    if not _stays(job):
        return make_whole_stack(job, state, data, rows, state.moments, gradients)
    inputs = _inputs_with_signal(job, data)
    parts = list[tuple[Tensor, Trained]]()
    for places, kept in _alike(job, rows):
        moments = of_members(state.moments, places)
        own = None if gradients is None else gradients[places.to(gradients.device)]
        if kept or inputs:
            parts.append((places, CutStack(job, state, data, rows[places], moments, own, {**inputs, **kept})))
        else:
            parts.append((places, make_whole_stack(job, state, data, rows[places], moments, own)))
    return as_one(rows, parts)


def _stays(job: Job) -> bool:
    """Say whether parameters without a gradient stay where they are."""
    return job.lr_scale is None and not decays(job.recipe.optimizer)


def _inputs_with_signal(job: Job, data: Data) -> Kept:
    """Return the inputs that are not 0 in every training sample.

    Empty where fewer than `LEAST_CUT` are, and where the network cannot do without inputs.
    """
    group = job.model.input_group
    if group is None:
        return {}
    signal = (data.train.x != 0).any(0).cpu()
    return {group.name: signal.nonzero()[:, 0]} if int((~signal).sum()) >= LEAST_CUT and signal.any() else {}


def _alike(job: Job, rows: Tensor) -> Iterator[tuple[Tensor, Kept]]:
    """Group members by how many units of each group their masks keep.

    Yields their places in `rows` `(members,)`, and the units that are trained, empty where all are. On CUDA a second
    stack takes as long as the first: units are left out only if all members keep equally many.
    """
    places, groups = torch.arange(len(rows)), job.model.groups
    if job.mask is None or not groups or not len(rows):
        yield places, {}
        return
    left, shapes = _left(job.model, job.mask[rows.to(job.mask.device)].cpu())
    kinds, kind = torch.unique(shapes, dim=0, return_inverse=True)
    rest = places[:0]
    for number, (*counts, whole) in enumerate(kinds.tolist()):
        own = places[kind == number]
        if _pays(job, counts, bool(whole)) and not (job.params.is_cuda and len(kinds) > 1):
            yield own, {name: there[own].nonzero()[:, 1].view(len(own), -1) for name, there in left.items()}
        else:
            rest = torch.cat([rest, own])
    if len(rest):
        yield rest.sort().values, {}


def _left(network: Network, mask: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Return by group which units masks `(members, parameters)` keep `(members, units)`, one at least.

    Also a matrix `(members, groups + 1)`: how many they are, and last whether every weight between kept units survives.
    """
    prunable = {name: part for name, part in Layout(network.shapes).views(mask).items() if name in network.prunable}
    left = units.kept_of_members(network, prunable)
    for there in left.values():
        there[:, 0] |= ~there.any(1)
    counts = torch.stack([there.sum(1) for there in left.values()], 1)
    surviving = torch.stack([part.flatten(1).sum(1) for part in prunable.values()], 1)
    whole = torch.zeros(len(mask), 1, dtype=torch.int64)
    for own in torch.unique(counts, dim=0):
        shapes = network.resized(own.tolist()).shapes
        everything = torch.tensor([math.prod(shapes[name]) for name in prunable])
        alike = (counts == own).all(1)
        whole[alike, 0] = (surviving[alike] == everything).all(1).long()
    return left, torch.cat([counts, whole], 1)


def _pays(job: Job, counts: Sequence[int], whole: bool) -> bool:
    """Say whether members with so many units left are trained without the others.

    With one group pruned by `whole` units all siblings have as many; others may need a stack of their own.
    """
    batch, dtype, network = job.recipe.batch_size, job.params.dtype, job.model
    step_s = kernel_of(network, job.problem).step_s
    least = 0.0 if whole and len(counts) == 1 else CALLS * len(network.prunable)
    return step_s(network, batch, dtype) - step_s(network.resized(counts), batch, dtype) > least


class CutStack:
    """A stack of members without the parameters of other inputs and units than `kept`; as `stack.Stack`."""

    def __init__(
        self, job: Job, state: State, data: Data, rows: Tensor, moments: Moments, gradients: Tensor | None, kept: Kept
    ) -> None:
        device = state.params.device
        self.rows, self._rest = rows, state.params[rows.to(device)]
        self._columns = units.places(job.model, kept).to(device).expand(len(rows), -1)

        def own(matrix: Tensor | None) -> Tensor | None:
            return None if matrix is None else self._cut(matrix[rows.to(matrix.device)])

        cut = replace(
            job,
            model=_cut_network(job.model, kept),
            params=self._cut(self._rest),
            mask=own(job.mask),
            frozen=own(job.frozen),
            order_seeds=[job.order_seeds[row] for row in rows.tolist()],
        )
        begun = replace(state, params=cut.params, restarts=state.restarts[rows])
        group = job.model.input_group
        inputs = None if group is None else kept.get(group.name)
        samples = data.train
        if inputs is not None:
            samples = replace(samples, x=samples.x[:, inputs.to(device)].contiguous())
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


def _cut_network(network: Network, kept: Kept) -> Network:
    """Return the network of the units and inputs that are kept."""
    cut = network.resized([kept[g.name].shape[-1] if g.name in kept else g.units for g in network.groups])
    group = network.input_group
    return cut if group is None or group.name not in kept else cut.with_inputs(len(kept[group.name]))
