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
from escapedim.models.mlp import MLP


@dataclass(frozen=True)
class OneHidden:
    """Data and shape of a network with one hidden layer; `weights` `(samples,)` sum to 1."""

    model: MLP
    loss: str
    x: Tensor
    targets: Tensor
    weights: Tensor

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.model.shapes)

    @cached_property
    def inputs(self) -> Tensor:
        """Inputs `(samples, inputs)` with a column of ones where the hidden layer has biases."""
        return torch.cat([self.x, torch.ones_like(self.x[:, :1])], 1) if "layer1.bias" in self.model.shapes else self.x

    @cached_property
    def _incoming(self) -> Tensor:
        """Columns `(units, inputs)` of each unit's incoming weights, bias last."""
        places = self._layout.views(torch.arange(self._layout.size, device=self.x.device)[None])
        columns = places["layer1.weight"][0]
        if "layer1.bias" in places:
            columns = torch.cat([columns, places["layer1.bias"][0].unsqueeze(1)], 1)
        return columns

    @cached_property
    def outgoing_columns(self) -> Tensor:
        """Columns `(units, outputs)` of each unit's outgoing weights."""
        places = self._layout.views(torch.arange(self._layout.size, device=self.x.device)[None])
        return places["layer2.weight"][0].mT

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

    def hessian(self, flat: Tensor) -> Tensor:
        """Hessian `(members, parameters, parameters)`."""
        activation = TABLE[self.model.activation]
        z = self.inputs @ self.incoming(flat).mT
        hidden, slope, bend = activation.function(z), activation.first(z), activation.second(z)
        outputs = hidden @ self.outgoing(flat)
        if "layer2.bias" in self.model.shapes:
            outputs = outputs + self._layout.views(flat)["layer2.bias"].unsqueeze(1)
        rows = self._curved(self._jacobian(flat, hidden, slope), outputs).flatten(1, 2)
        matrix = rows.mT @ rows
        self._add_blocks(matrix, flat, slope, bend, self._pull(outputs))
        return matrix

    def _jacobian(self, flat: Tensor, hidden: Tensor, slope: Tensor) -> Tensor:
        """∂f/∂θ `(members, samples, outputs, parameters)`."""
        members, samples, _ = hidden.shape
        outgoing = self.outgoing(flat)
        count = outgoing.shape[2]
        jacobian = flat.new_zeros(members, samples, count, self._layout.size)
        through = slope.unsqueeze(2) * outgoing.mT.unsqueeze(1)
        by_unit = through.unsqueeze(-1) * self.inputs[:, None, None, :]
        jacobian[..., self._incoming.flatten()] = by_unit.flatten(3)
        for output in range(count):
            jacobian[:, :, output, self.outgoing_columns[:, output]] = hidden
            if "layer2.bias" in self.model.shapes:
                jacobian[:, :, output, self._layout.slices["layer2.bias"].start + output] = 1
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

    def _add_blocks(self, matrix: Tensor, flat: Tensor, slope: Tensor, bend: Tensor, pull: Tensor) -> None:
        through = bend * (pull @ self.outgoing(flat).mT)
        for unit, columns in enumerate(self._incoming):
            own = (through[..., unit].unsqueeze(-1) * self.inputs).mT @ self.inputs
            matrix[:, columns[:, None], columns] += own
            crossed = self.inputs.mT @ (slope[..., unit].unsqueeze(-1) * pull)
            outgoing = self.outgoing_columns[unit]
            matrix[:, columns[:, None], outgoing] += crossed
            matrix[:, outgoing[:, None], columns] += crossed.mT


def even_weights(x: Tensor) -> Tensor:
    """Weights of a plain mean over samples."""
    return torch.full((len(x),), 1 / len(x), dtype=x.dtype, device=x.device)
