"""The Hessian of a network with one hidden layer by hand, for a stack of members.

f = Σ_i a_i σ(w_i·x + b_i) + c and L = Σ_s ω_s ℓ(f(x_s), y_s). The Hessian is the Gauss-Newton matrix
Σ ω Jᵀ (∂²ℓ/∂f²) J, one product of Jacobians, and a part that is block-diagonal in the units:
Σ ω (a_i·∂ℓ/∂f) σ'' x xᵀ for the incoming weights of a unit and Σ ω ∂ℓ/∂f σ' x between them and its outgoing ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.network import FullyConnected, Network

MOST_SQUARES = 2**18  # numbers, 2 MB in float64; ours


@dataclass(frozen=True)
class OneHidden:
    """Data and shape of a network with one hidden layer; `weights` `(samples,)` sum to 1."""

    model: Network
    loss: str
    x: Tensor
    targets: Tensor
    weights: Tensor

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.model.shapes)

    @cached_property
    def _layers(self) -> FullyConnected:
        layers = self.model.fully_connected
        assert layers is not None, "a fully connected net"
        return layers

    @cached_property
    def inputs(self) -> Tensor:
        """Inputs `(samples, inputs)` with a column of ones where the hidden layer has biases."""
        bias = self._layers.layers[0][1]
        return self.x if bias is None else torch.cat([self.x, torch.ones_like(self.x[:, :1])], 1)

    @cached_property
    def _places(self) -> dict[str, Tensor]:
        """Where in a row the numbers of each parameter are."""
        places = self._layout.views(torch.arange(self._layout.size, device=self.x.device)[None])
        return {name: of_one[0] for name, of_one in places.items()}

    @cached_property
    def _incoming(self) -> Tensor:
        """Columns `(units, inputs)` of each unit's incoming weights, bias last."""
        weight, bias = self._layers.layers[0]
        columns = self._places[weight]
        return columns if bias is None else torch.cat([columns, self._places[bias].unsqueeze(1)], 1)

    @cached_property
    def outgoing_columns(self) -> Tensor:
        """Columns `(units, outputs)` of each unit's outgoing weights."""
        return self._places[self._layers.layers[1][0]].mT

    def offset(self, flat: Tensor) -> Tensor:
        """Output biases `(members, outputs)`, or `(members, 0)` without."""
        bias = self._layers.layers[1][1]
        return flat[:, :0] if bias is None else flat[:, self._places[bias]]

    def incoming(self, flat: Tensor) -> Tensor:
        """Incoming weights `(members, units, inputs)`, bias last."""
        return flat[:, self._incoming]

    def outgoing(self, flat: Tensor) -> Tensor:
        """Outgoing weights `(members, units, outputs)`."""
        return flat[:, self.outgoing_columns]

    @property
    def numbers(self) -> int:
        """Numbers that one member's Hessian takes on its way: Jacobian, its copy, and the result with a copy."""
        outputs, size = self.targets.shape[-1], self._layout.size
        return 2 * size * (len(self.x) * outputs + size)

    @cached_property
    def _order(self) -> Tensor:
        """Where each parameter is in `_jacobian` `(parameters,)`."""
        last = [self._places[name].flatten() for name in self._layers.layers[1] if name is not None]
        return torch.cat([self._incoming.flatten(), *last]).argsort()

    def hessian(self, flat: Tensor) -> Tensor:
        """Hessian `(members, parameters, parameters)`."""
        at = self._values(flat)
        rows = self._curved(self._jacobian(flat, at), at.outputs).flatten(1, 2)
        matrix = rows.mT @ rows
        members, (units, inputs), outputs = len(flat), self._incoming.shape, self.targets.shape[-1]
        split = units * inputs
        across, down = slice(split), slice(split, split + self.outgoing_columns.numel())
        incoming = matrix[:, across, across].view(members, units, inputs, units, inputs)
        incoming.diagonal(dim1=1, dim2=3).add_(self._bends(flat, at).permute(0, 2, 3, 1))
        pulls = self._pulls(at).permute(0, 2, 3, 1)
        right = matrix[:, across, down].view(members, units, inputs, outputs, units)
        right.diagonal(dim1=1, dim2=4).add_(pulls)
        below = matrix[:, down, across].view(members, outputs, units, units, inputs)
        below.diagonal(dim1=2, dim2=3).add_(pulls.transpose(1, 2))
        return matrix[:, self._order[:, None], self._order]

    def bends(self, flat: Tensor) -> Tensor:
        """Σ ω (a_i·∂ℓ/∂f) σ''(w_i·x) x xᵀ of every unit `(members, units, inputs, inputs)`."""
        return self._bends(flat, self._values(flat))

    def pulls(self, flat: Tensor) -> Tensor:
        """Σ ω σ'(w_i·x) x ∂ℓ/∂fᵀ of every unit `(members, units, inputs, outputs)`; times a_i the slope along w_i."""
        return self._pulls(self._values(flat))

    def _values(self, flat: Tensor) -> _Values:
        activation = TABLE[self._layers.activation]
        z = self.inputs @ self.incoming(flat).mT
        hidden = activation.function(z)
        outputs = hidden @ self.outgoing(flat)
        if self._layers.layers[1][1] is not None:
            outputs = outputs + self.offset(flat).unsqueeze(1)
        return _Values(hidden, activation.first(z), activation.second(z), outputs, self._pull(outputs))

    def _jacobian(self, flat: Tensor, at: _Values) -> Tensor:
        """∂f/∂θ `(members, samples, outputs, parameters)`: by incoming weights unit by unit, outgoing ones, biases."""
        members, samples, units = at.hidden.shape
        outgoing = self.outgoing(flat)
        count, (_, inputs) = outgoing.shape[2], self._incoming.shape
        split = units * inputs
        jacobian = flat.new_empty(members, samples, count, self._layout.size)
        through = at.slope.unsqueeze(2) * outgoing.mT.unsqueeze(1)
        by_unit = jacobian[..., :split].view(members, samples, count, units, inputs)
        torch.mul(through.unsqueeze(-1), self.inputs[:, None, None, :], out=by_unit)
        jacobian[..., split:] = 0
        for output in range(count):
            jacobian[:, :, output, split + output * units : split + (output + 1) * units] = at.hidden
            if self._layers.layers[1][1] is not None:
                jacobian[:, :, output, output - count] = 1
        return jacobian

    def _curved(self, jacobian: Tensor, outputs: Tensor) -> Tensor:
        """Rows R with RᵀR = Σ ω Jᵀ (∂²ℓ/∂f²) J, in place of the Jacobian."""
        weights = self.weights.view(-1, 1, 1)
        if self.loss == "squared":
            return jacobian.mul_((weights * (2 / outputs.shape[-1])).sqrt())
        # diag(p) - p pᵀ is the covariance of the classes' rows under p.
        shares = torch.softmax(outputs, -1).unsqueeze(-1)
        jacobian.sub_((shares * jacobian).sum(2, keepdim=True))
        return jacobian.mul_((weights * shares).sqrt())

    def _pull(self, outputs: Tensor) -> Tensor:
        """ω ∂ℓ/∂f `(members, samples, outputs)`."""
        if self.loss == "squared":
            residual = (outputs - self.targets) * (2 / outputs.shape[-1])
        else:
            residual = torch.softmax(outputs, -1) - self.targets
        return residual * self.weights.view(-1, 1)

    @cached_property
    def _squares(self) -> Tensor | None:
        """Products x xᵀ of every sample `(samples, inputs²)`, where they are few numbers."""
        samples, inputs = self.inputs.shape
        if samples * inputs**2 > MOST_SQUARES:
            return None
        return (self.inputs.unsqueeze(2) * self.inputs.unsqueeze(1)).flatten(1)

    def _bends(self, flat: Tensor, at: _Values) -> Tensor:
        through, inputs = at.bend * (at.pull @ self.outgoing(flat).mT), self.inputs.shape[1]
        if self._squares is not None:
            return (through.mT @ self._squares).view(len(flat), -1, inputs, inputs)
        # Unit by unit, so that no more than one unit's samples times inputs are held.
        return torch.stack([(one.unsqueeze(-1) * self.inputs).mT @ self.inputs for one in through.unbind(2)], 1)

    def _pulls(self, at: _Values) -> Tensor:
        return torch.stack([(at.slope * pull.unsqueeze(-1)).mT @ self.inputs for pull in at.pull.unbind(2)], 3)


@dataclass(frozen=True)
class _Values:
    """σ, σ' and σ'' of every unit `(members, samples, units)`; outputs and ω ∂ℓ/∂f `(members, samples, outputs)`."""

    hidden: Tensor
    slope: Tensor
    bend: Tensor
    outputs: Tensor
    pull: Tensor


def even_weights(x: Tensor) -> Tensor:
    """Weights of a plain mean over samples."""
    return torch.full((len(x),), 1 / len(x), dtype=x.dtype, device=x.device)
