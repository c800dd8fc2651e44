"""The surface of a fully connected net on given samples.

Gradient and Hessian come from `torch.func` for any depth; one hidden layer has a Hessian by hand. Directions that
cannot change the loss: the rescaling of a relu unit (w_i, b_i, -a_i); under cross-entropy one number added to all
outputs, from the biases or from each input of the last layer; and the line along which equal units share their output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from escapedim.landscape.duplicates import twins_of
from escapedim.landscape.one_hidden import OneHidden, even_weights
from escapedim.landscape.surface import CACHED, KINK, Units, in_chunks, second_derivatives
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.network import Network
from escapedim.models.units import views

CONSTANT = 1e-9  # of 1 + size: a unit whose values differ by less is a copy of the output bias; ours
SATURATED = 1e-6  # slope below which a unit has become a step, and its gradient rounding; ours


class DenseSurface:
    """See `Surface`.

    `x` is `(samples, inputs)` and `targets` `(samples, outputs)`, one-hot under "cross-entropy"; `weights`
    `(samples,)` sum to 1 and replace the mean over samples. `hidden` is what one hidden layer has by hand, None for
    other depths.
    """

    def __init__(self, model: Network, loss: str, x: Tensor, targets: Tensor, weights: Tensor | None = None) -> None:
        layers = model.fully_connected
        assert layers is not None, "a fully connected net"
        self._model, self._layers, self._loss_name, self._x = model, layers, loss, x
        self._layout, self._activation = Layout(model.shapes), TABLE[layers.activation]
        per_sample = weights if weights is not None else even_weights(x)
        self._least_weight = float(per_sample[per_sample > 0].min())
        self.hidden = OneHidden(model, loss, x, targets, per_sample) if len(layers.layers) == 2 else None

        def criterion(outputs: Tensor) -> Tensor:
            return LOSSES[loss](outputs, targets, weights)

        self._criterion = criterion

    def _member_loss(self, row: Tensor) -> Tensor:
        tensors = {name: view[0] for name, view in self._layout.views(row[None]).items()}
        return self._criterion(self._model.apply(tensors, self._x))

    @property
    def _numbers(self) -> int:
        return 6 * len(self._x) * sum(self._layers.sizes)  # values and slopes of every layer, there and back

    @property
    def no_critical_below(self) -> float:
        """See `Surface`.

        Under cross-entropy a sample that is not put right costs log 2 at least, times its weight. Below that all are
        put right, and the loss falls as the last layer grows.
        """
        return math.log(2) * self._least_weight if self._loss_name == "cross-entropy" else -math.inf

    def loss(self, flat: Tensor) -> Tensor:
        """See `Surface`."""
        return in_chunks(torch.func.vmap(self._member_loss), flat, self._numbers)

    def gradient(self, flat: Tensor) -> Tensor:
        """See `Surface`."""
        return in_chunks(torch.func.vmap(torch.func.grad(self._member_loss)), flat, self._numbers)

    def hessian(self, flat: Tensor) -> Tensor:
        """See `Surface`."""
        if self.hidden is not None:
            return in_chunks(self.hidden.hessian, flat, self.hidden.numbers, CACHED)
        return in_chunks(second_derivatives(self._member_loss), flat, self._numbers * flat.shape[1])

    def norm(self, gradient: Tensor) -> Tensor:
        """Return the 2-norm."""
        norm: Tensor = gradient.norm(dim=1)
        return norm

    @property
    def flat_splits(self) -> bool:
        """See `Surface`: true of relu."""
        return self._layers.activation == "relu"

    def symmetries(self, flat: Tensor) -> Tensor:
        """See the module; directions that no member of the stack has are left out."""
        rows = [row for row in self._directions(flat) if bool((row != 0).any())]
        return torch.stack(rows, -1) if rows else flat.new_zeros(*flat.shape, 0)

    def _directions(self, flat: Tensor) -> Iterator[Tensor]:
        if self._layers.activation == "relu":
            yield from self._rescalings(flat)
        if self._loss_name == "cross-entropy":
            yield from self._constants(flat)
        yield from self._lines(flat)

    def _rescalings(self, flat: Tensor) -> Iterator[Tensor]:
        for group in self._model.groups:
            here = views(self._model, flat, group)
            for unit in range(group.units):
                row = torch.zeros_like(flat)
                there = views(self._model, row, group)
                for to, of in zip((*there.incoming, *there.own), (*here.incoming, *here.own), strict=True):
                    to[:, unit] = of[:, unit]
                for to, of in zip(there.outgoing, here.outgoing, strict=True):
                    to[:, unit] = -of[:, unit]
                yield row

    def _constants(self, flat: Tensor) -> Iterator[Tensor]:
        weight, bias = self._layers.layers[-1]
        if bias is not None:
            row = torch.zeros_like(flat)
            self._layout.views(row)[bias][:] = 1
            yield row
        for unit in range(self._layers.sizes[-2]):
            row = torch.zeros_like(flat)
            self._layout.views(row)[weight][:, :, unit] = 1
            yield row

    def _lines(self, flat: Tensor) -> Iterator[Tensor]:
        units = self.units(flat)
        if units is None:
            return
        twin, sign = twins_of(units)
        for unit in range(1, twin.shape[1]):
            members = (twin[:, unit] >= 0).nonzero()[:, 0]
            first, flip = twin[members, unit], sign[members, unit].unsqueeze(1)
            # Only what such units put out: shared by others of several outputs, the loss stays and its slope does not.
            for own in (first, unit):
                moved, row = units.outgoing[members, own], torch.zeros_like(flat)
                (outgoing,) = views(self._model, row, self._model.groups[0]).outgoing
                outgoing[members, unit] = moved
                outgoing[members, first] = -flip * moved
                yield row

    def _pre_activations(self, flat: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Of each hidden layer z and |w||x| `(members, samples, units)`, biases counted in the lengths."""
        tensors, x = self._layout.views(flat), self._x
        for name, of_bias in self._layers.layers[:-1]:
            weight, bias = tensors[name], None if of_bias is None else tensors[of_bias]
            z = x @ weight.mT
            square, size = weight.square().sum(-1), x.square().sum(-1)
            if bias is not None:
                z, square, size = z + bias.unsqueeze(1), square + bias.square(), size + 1
            yield z, (size.unsqueeze(-1) * square.unsqueeze(1)).sqrt()
            x = self._activation.function(z)

    def kinks(self, flat: Tensor) -> Tensor:
        """Say where a sample lies on the kink of a relu unit."""
        if self._layers.activation != "relu":
            return torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
        return in_chunks(self._on_kinks, flat, self._numbers)

    def _on_kinks(self, flat: Tensor) -> Tensor:
        # Strictly: where w or x is 0 nothing jumps.
        layers = [(z.abs() < KINK * size).flatten(1).any(1) for z, size in self._pre_activations(flat)]
        return torch.stack(layers).any(0)

    def dead(self, flat: Tensor) -> Tensor:
        """Say which units respond to no sample: one value for all of them, or saturated on all of them."""
        return in_chunks(self._dead, flat, self._numbers)

    def _dead(self, flat: Tensor) -> Tensor:
        dead = []
        for group, (z, _) in zip(self._model.groups, self._pre_activations(flat), strict=True):
            value = self._activation.function(z)
            constant = value.amax(1) - value.amin(1) <= CONSTANT * (1 + value.abs().amax(1))
            off = constant | (self._activation.first(z).abs().amax(1) < SATURATED)
            seen = views(self._model, flat, group)
            empty = torch.stack([(part == 0).all(2) for part in (*seen.incoming, *seen.outgoing)]).all(0)
            dead.append(off | empty)
        return torch.cat(dead, 1)

    def units(self, flat: Tensor) -> Units | None:
        """See `Surface`."""
        if self.hidden is None:
            return None
        return Units(
            incoming=self.hidden.incoming(flat),
            outgoing=self.hidden.outgoing(flat),
            offset=self.hidden.offset(flat),
            inputs=self.hidden.inputs,
            activation=self._activation,
            smooth=self._layers.activation != "relu",
            criterion=self._criterion,
            columns=self.hidden.outgoing_columns,
        )
