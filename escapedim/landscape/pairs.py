"""Two units that come together while their outgoing weights diverge: the network at a given distance, and at none.

Martinelli et al. 2025 (arXiv 2506.14951). With w± = v ± ε q / 2 and outgoing weights a/2 ± ĉ/ε (ĉ of norm 1),

    a₊ σ(w₊·x) + a₋ σ(w₋·x) = a σ(v·x) + ĉ (q·x) σ'(v·x) + O(ε²),

so that the pair has a limit, a unit together with its derivative, and the loss on the way there is L∞ + κ ε² + O(ε⁴).
`PairSurface` is the loss in these coordinates. ε is the last number of a row and is held fixed: the gradient along it
is given as 0 and the direction as a flat one. The length of c never matters: its direction is flat too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.landscape.surface import Units, in_chunks, second_derivatives


@dataclass(frozen=True)
class PairSurface:
    """See `Curved`; rows are the other units' incoming, v, q, the others' outgoing, a, c, output biases, ε."""

    units: Units

    def loss(self, rows: Tensor) -> Tensor:
        """See `Curved`."""
        return in_chunks(torch.func.vmap(self._row_loss), rows, self._numbers)

    def gradient(self, rows: Tensor) -> Tensor:
        """See `Curved`; 0 along ε."""
        slopes = in_chunks(torch.func.vmap(torch.func.grad(self._row_loss)), rows, self._numbers)
        return torch.cat([slopes[:, :-1], torch.zeros_like(slopes[:, -1:])], 1)

    def hessian(self, rows: Tensor) -> Tensor:
        """See `Curved`; 0 along ε."""
        matrix = in_chunks(second_derivatives(self._row_loss), rows, self._numbers * rows.shape[1])
        matrix[:, -1] = matrix[:, :, -1] = 0
        return matrix

    def norm(self, gradient: Tensor) -> Tensor:
        """Return the 2-norm."""
        norm: Tensor = gradient.norm(dim=1)
        return norm

    def symmetries(self, rows: Tensor) -> Tensor:
        """Return c and ε."""
        directions = torch.zeros_like(rows).unsqueeze(2).repeat(1, 1, 2)
        columns = slice(self._c, self._c + self._outputs)
        directions[:, columns, 0] = rows[:, columns]
        directions[:, -1, 1] = 1
        return directions

    @property
    def _outputs(self) -> int:
        return self.units.outgoing.shape[2]

    @property
    def _c(self) -> int:
        """Column where c begins."""
        _, count, inputs = self.units.incoming.shape
        return count * inputs + (count - 1) * self._outputs

    @property
    def _numbers(self) -> int:
        return 12 * len(self.units.inputs) * (self.units.incoming.shape[1] + self._outputs)

    def _row_loss(self, row: Tensor) -> Tensor:
        _, count, inputs = self.units.incoming.shape
        incoming = row[: count * inputs].view(count, inputs)
        outgoing = row[count * inputs : self._c + self._outputs].view(count, self._outputs)
        activation, x, epsilon = self.units.activation, self.units.inputs, row[-1]
        z, pull = x @ incoming[:-1].T, x @ incoming[-1]
        limit = pull * activation.first(z[:, -1])
        # A denominator of 1 where ε is 0, so that the branch that is not taken has finite derivatives.
        gap = torch.where(epsilon == 0, 1.0, epsilon)
        ahead, behind = activation.function(z[:, -1] + gap * pull / 2), activation.function(z[:, -1] - gap * pull / 2)
        slope = torch.where(epsilon == 0, limit, (ahead - behind) / gap)
        middle = torch.where(epsilon == 0, activation.function(z[:, -1]), (ahead + behind) / 2)
        hidden = torch.cat([activation.function(z[:, :-1]), middle.unsqueeze(1)], 1)
        c = outgoing[-1] / outgoing[-1].norm()
        outputs = hidden @ outgoing[:-1] + slope.unsqueeze(1) * c
        offset = row[self._c + self._outputs : -1]
        return self.units.criterion(outputs + offset if len(offset) else outputs)


def in_pair_coordinates(units: Units, left: Tensor, right: Tensor, sign: Tensor) -> Tensor:
    """Rows of a `PairSurface`, where units `left` and `right` `(members,)` are the pair.

    The right one is mirrored first where `sign` is -1.
    """
    count = units.incoming.shape[1]
    member = torch.arange(len(left), device=left.device)
    others = torch.ones(len(left), count, dtype=torch.bool, device=left.device)
    others[member, left] = others[member, right] = False
    rest_in = units.incoming[others].view(len(left), -1) if count > 2 else units.incoming[:, 0, :0]
    rest_out = units.outgoing[others].view(len(left), -1) if count > 2 else units.outgoing[:, 0, :0]
    flip = sign.unsqueeze(1)
    w_left, w_right = units.incoming[member, left], flip * units.incoming[member, right]
    a_left, a_right = units.outgoing[member, left], flip * units.outgoing[member, right]
    apart = a_left - a_right
    epsilon = 2 / apart.norm(dim=1, keepdim=True)
    v, q, c = (w_left + w_right) / 2, (w_left - w_right) / epsilon, apart / apart.norm(dim=1, keepdim=True)
    return torch.cat([rest_in, v, q, rest_out, a_left + a_right, c, units.offset, epsilon], 1)
