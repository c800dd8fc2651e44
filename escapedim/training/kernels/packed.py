"""Trains members whose masks keep few weights: survivors lie in one packed row, and matrix products are sparse.

With few weights left the products of a masked network take longer than those of its survivors, and so do the passes of
the optimizer over weights that stay 0. So survivors lie in one row, layer after layer as in compressed sparse
rows, of which every layer's matrix is a view: what the optimizer changes is changed in the matrix. Gradients are taken
at survivors only (sampled dense-dense products). Whether a member is packed depends on its own mask alone, and the
result differs from that of `kernels.dense` by rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.training.batches import Batches
from escapedim.training.data import Data
from escapedim.training.job import Job, State
from escapedim.training.kernels.costs import dense_s, packed_s
from escapedim.training.kernels.dense import RESIDUALS
from escapedim.training.optimizers import Moments, Optimizer, by_matrix, of_members, padded

Residual = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def packable(job: Job, rows: Tensor) -> Tensor:
    """Say which members `(rows,)` of a job are trained packed."""
    nobody = torch.zeros(len(rows), dtype=torch.bool)
    layout = Layout(job.model.shapes)
    fit = job.mask is not None and job.landing is None and job.lr_scale is None and not job.restart
    dense = job.model.fully_connected is not None and job.problem.name in RESIDUALS
    if not fit or not dense or job.params.is_cuda:
        return nobody
    if not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        return nobody
    assert job.mask is not None
    mask = job.mask[rows]
    whole = [layout.slices[name] for name, shape in layout.shapes.items() if len(shape) == 1]  # biases
    few = pays(job, mask)
    for part in whole:
        few &= mask[:, part].all(1)
    return few if job.frozen is None else few & ~(job.frozen[rows] & mask).any(1)


def pays(job: Job, mask: Tensor) -> Tensor:
    """Say of masks `(members, parameters)` whether a step of their survivors takes less time than one of all weights.

    It depends on the network and its own mask alone, and not on what it is trained beside.
    """
    layers, batch, dtype = len(job.model.prunable), job.recipe.batch_size, job.params.dtype
    return packed_s(layers, batch, dtype, mask.sum(1).double()) < dense_s(job.model, batch, dtype)


class PackedStack:
    """Members of a job that are trained packed; as `kernels.stack.Stack`, of the given `rows`."""

    def __init__(self, job: Job, state: State, data: Data, rows: Tensor, moments: Moments) -> None:
        assert job.mask is not None
        self.rows, self._weights = rows, data.train.weights
        self._places = _Places.of(job.mask[rows])
        self._packed = padded(self._places.pack(state.params[rows]))
        self._gradients = padded(torch.zeros_like(self._packed))
        own = by_matrix(moments, self._places.pack)
        self._optimizer = Optimizer(job.recipe.optimizer, self._packed, own)
        self._residual, self._size = RESIDUALS[job.problem.name], job.recipe.batch_size
        self._members = [
            _Member.of(job.model, mask, values, gradients, self._size)
            for mask, values, gradients in zip(job.mask[rows], self._packed, self._gradients, strict=True)
        ]
        seeds = [job.order_seeds[row] for row in rows.tolist()]
        self._batches = Batches(data.train, seeds, self._size)
        self._x = self._columns = torch.empty(0)

    @property
    def flat(self) -> Tensor:
        """Parameters `(members, parameters)`, 0 where none has survived."""
        return self._places.unpack(self._packed)

    @property
    def gradients(self) -> Tensor:
        """Those of the last step are not known of weights that did not survive."""
        return torch.full_like(self.flat, torch.nan)

    def step(self, step: int, lr: float) -> None:
        """Take one step of the descent at the learning rate `lr`."""
        x, targets = self._batches.at(step)
        shared = x.dim() == 2
        if x is not self._x:  # full batches are the data itself
            self._x, self._columns = x, x.mT.contiguous()
        for at, member in enumerate(self._members):
            own = (self._columns, targets) if shared else (self._columns[at], targets[at])
            member.gradient(*own, self._residual, self._weights)
        self._optimizer.step(self._gradients, lr)

    def finite(self) -> Tensor:
        """Say which members are finite `(members,)`."""
        return self._packed.isfinite().all(1)

    def moments(self, keep: Tensor) -> Moments:
        """Moments of a part of the members; counters are shared."""
        return of_members(by_matrix(self._optimizer.state(), self._places.unpack), keep)


@dataclass(frozen=True)
class _Places:
    """Where survivors are: `columns` `(members, survivors)`, beyond a member's last one that of no parameter."""

    columns: Tensor
    parameters: int

    @classmethod
    def of(cls, mask: Tensor) -> _Places:
        members, parameters = mask.shape
        columns = torch.full((members, int(mask.sum(1).max())), parameters)
        for own, row in zip(columns, mask, strict=True):
            places = row.nonzero()[:, 0]
            own[: len(places)] = places
        return cls(columns, parameters)

    def pack(self, rows: Tensor) -> Tensor:
        """Return the survivors of rows `(members, parameters)`, and 0 beyond the last."""
        return torch.cat([rows, rows.new_zeros(len(rows), 1)], 1).gather(1, self.columns)

    def unpack(self, packed: Tensor) -> Tensor:
        """Return rows `(members, parameters)` with 0 where there is no survivor."""
        return packed.new_zeros(len(packed), self.parameters + 1).scatter_(1, self.columns, packed)[:, :-1].contiguous()


@dataclass(frozen=True)
class _Layer:
    """One layer of one member: its weights and their gradients as sparse matrices over packed rows.

    `transposed` has the weights in its own order, brought there by `order`; `outputs` `(units, batch)` and `back`
    `(inputs, batch)` are what passes through.
    """

    weight: Tensor
    grad: Tensor
    bias: Tensor | None
    bias_grad: Tensor | None
    transposed: Tensor
    order: Tensor
    outputs: Tensor
    back: Tensor

    @classmethod
    def of(cls, mask: Tensor, packed: tuple[Tensor, Tensor], bias: tuple[Tensor, Tensor] | None, batch: int) -> _Layer:
        values, gradients = packed
        units, inputs = mask.shape
        places = torch.arange(len(values))
        numbered = torch.zeros(units, inputs, dtype=torch.int64)
        numbered[mask] = places
        order = numbered.T[mask.T]
        return cls(
            weight=_sparse(mask, values),
            grad=_sparse(mask, gradients),
            bias=None if bias is None else bias[0].unsqueeze(1),
            bias_grad=None if bias is None else bias[1],
            transposed=_sparse(mask.T, values[order]),
            order=order,
            outputs=values.new_empty(units, batch),
            back=values.new_empty(inputs, batch),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the layer makes of inputs `(inputs, batch)`."""
        torch.addmm(self.outputs, self.weight, inputs, beta=0, out=self.outputs)
        return self.outputs if self.bias is None else self.outputs.add_(self.bias)

    def backward(self, delta: Tensor) -> Tensor:
        """Return what goes back into the inputs from the derivatives by the outputs `(units, batch)`."""
        torch.index_select(self.weight.values(), 0, self.order, out=self.transposed.values())
        return torch.addmm(self.back, self.transposed, delta, beta=0, out=self.back)


@dataclass(frozen=True)
class _Member:
    """The layers of one network."""

    layers: tuple[_Layer, ...]
    activation: str

    @classmethod
    def of(cls, network: Network, mask: Tensor, packed: Tensor, gradients: Tensor, batch: int) -> _Member:
        layout, layers = Layout(network.shapes), network.fully_connected
        assert layers is not None, "packable"
        before = torch.cat([torch.zeros(1, dtype=torch.int64), mask.cumsum(0)])
        masks = layout.views(mask[None])

        def own(name: str) -> tuple[Tensor, Tensor]:
            there = layout.slices[name]
            part = slice(int(before[there.start]), int(before[there.stop]))
            return packed[part], gradients[part]

        made = (
            _Layer.of(masks[weight][0], own(weight), None if bias is None else own(bias), batch)
            for weight, bias in layers.layers
        )
        return cls(tuple(made), layers.activation)

    def gradient(self, x: Tensor, targets: Tensor, residual: Residual, weights: Tensor | None) -> None:
        """Write the gradient at survivors; `x` is `(inputs, batch)`, `targets` `(batch, outputs)`."""
        activation, inputs, before = TABLE[self.activation], [x], list[Tensor]()
        activate = activation.in_place or activation.function
        for layer in self.layers:
            before.append(layer.forward(inputs[-1]))
            if layer is not self.layers[-1]:
                inputs.append(activate(before[-1]))
        residual(before[-1].mT.unsqueeze(0), targets.unsqueeze(0), weights)
        delta = before[-1]
        for n in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[n]
            torch.sparse.sampled_addmm(layer.grad, delta, inputs[n].mT, beta=0.0, out=layer.grad)
            if layer.bias_grad is not None:
                torch.sum(delta, 1, out=layer.bias_grad)
            if n:
                back = layer.backward(delta)
                delta = activation.backward(back, before[n - 1], inputs[n], back)


def _sparse(mask: Tensor, values: Tensor) -> Tensor:
    """Return a matrix in compressed sparse rows whose values are a view of `values`, in the mask's order."""
    counts = torch.cat([torch.zeros(1, dtype=torch.int64), mask.sum(1).cumsum(0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch calls its sparse rows a beta
        return torch.sparse_csr_tensor(counts.int(), mask.nonzero()[:, 1].int(), values, size=tuple(mask.shape))
