"""Units that are equal, or mirrored for an odd activation, and the critical line along which they share their output.

Where w_i = w_j, the function depends on the sum of the outgoing weights only, so that a critical point lies on a line
of critical points: outgoing weights γ a and (1 - γ) a. Fukumizu & Amari 2000 (Neural Networks 13): the curvature that
the copy adds is γ (1 - γ) B / (γ² + (1 - γ)²) up to scale, with B = E[a σ''(w·x) x xᵀ ∂ℓ/∂f]; it changes its sign at
γ = 0 and γ = 1, so that a line with minima inside has saddles outside, or the reverse.
"""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.landscape.surface import Units

SAME = 1e-6  # distance of incoming weights, relative to their length, below which two units are one; ours


def nearest_signs(incoming: Tensor, odd: bool) -> tuple[Tensor, Tensor]:
    """Distances between incoming weights `(members, units, units)`, relative to the longer one, and signs.

    With an odd activation a unit is compared with another one's mirror image where that is nearer: sign -1.
    """
    lengths = incoming.norm(dim=-1)
    longer = torch.maximum(lengths.unsqueeze(2), lengths.unsqueeze(1)).clamp_min(torch.finfo(incoming.dtype).tiny)
    left, right = incoming.unsqueeze(2), incoming.unsqueeze(1)
    apart = (left - right).norm(dim=-1) / longer
    if not odd:
        return apart, torch.ones_like(apart)
    mirrored = (left + right).norm(dim=-1) / longer
    return torch.minimum(apart, mirrored), torch.where(mirrored < apart, -1.0, 1.0).to(apart)


def earlier_twins(incoming: Tensor, odd: bool, same: float) -> tuple[Tensor, Tensor]:
    """For each unit the first earlier unit that equals it `(members, units)`, or -1; and the sign that makes it so."""
    distances, signs = nearest_signs(incoming, odd)
    units = incoming.shape[1]
    earlier = torch.ones(units, units, dtype=torch.bool, device=incoming.device).tril(-1)
    equal = (distances <= same) & earlier & (incoming.norm(dim=-1) > 0).unsqueeze(2)
    first = equal.to(torch.uint8).argmax(-1)
    twin = torch.where(equal.any(-1), first, -1)
    return twin, signs.gather(2, first.unsqueeze(2)).squeeze(2)


def twins_of(units: Units) -> tuple[Tensor, Tensor]:
    """`earlier_twins` of a network's units."""
    return earlier_twins(units.incoming, units.activation.odd, SAME)
