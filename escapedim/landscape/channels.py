"""Channels to infinity: telling that a member is on one, and the loss at its end.

Martinelli et al. 2025 (arXiv 2506.14951): two units' incoming weights become equal while their outgoing weights diverge
with opposite signs, and the loss falls ever more slowly towards L∞, with L - L∞ ~ ε² at distance ε. Their criteria look
at the size that the weights have reached; under gradient descent the distance shrinks as the fourth root of time, so
that a run within reach is often still short of them. Here the channel is followed instead: the network is polished at
the member's own distance, at a half, at a quarter, and in the limit. It is a channel where all four succeed beside the
member, the loss falls from each to the next in proportion to ε², and the limit has no direction of negative curvature.

A pair is looked at where the two incoming weights are close and the outgoing ones more opposite than alike, mirrored
units of odd activations included. Relu is left out: its derivative jumps, and so would the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from escapedim.landscape.duplicates import SAME, nearest_signs
from escapedim.landscape.pairs import PairSurface, in_pair_coordinates
from escapedim.landscape.polish import polish
from escapedim.landscape.spectrum import spectrum
from escapedim.landscape.surface import Units

CLOSE = 0.5  # distance of incoming weights, relative to their length, from which a channel is looked for; ours
FLOOR = 1e-2  # such a distance below which L - L∞ drowns in rounding: the channel is followed from here; ours
RUNGS = (1.0, 0.5, 0.25, 0.0)
ITERATIONS = 15  # of the polish on each rung: Newton's method, beside a channel, needs five to ten; ours
RATIO = (3.0, 5.0)  # of L - L∞ at a half and a quarter of the distance, 4 by the law; ours


@dataclass(frozen=True)
class Channels:
    """Which members `(members,)` are on a channel, and its loss at infinity, NaN for the others."""

    found: Tensor
    limit_loss: Tensor


def find_channels(units: Units, loss: Tensor) -> Channels:
    """Follow the channel that each member may be on; `loss` `(members,)` is where the members are now."""
    found, limit = torch.zeros_like(loss, dtype=torch.bool), torch.full_like(loss, torch.nan)
    if not units.smooth or units.incoming.shape[1] < 2:
        return Channels(found, limit)
    members, left, right, sign = _opposite_pairs(units)
    if len(members):
        part = _rows(units, members)
        found[members], limit[members] = _follow(part, in_pair_coordinates(part, left, right, sign), loss[members])
    return Channels(found, torch.where(found, limit, torch.nan))


def _rows(units: Units, members: Tensor) -> Units:
    return replace(
        units, incoming=units.incoming[members], outgoing=units.outgoing[members], offset=units.offset[members]
    )


def _opposite_pairs(units: Units) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Members with a pair that may be on a channel, its units, and the sign of the second one."""
    distances, signs = nearest_signs(units.incoming, units.activation.odd)
    left, right = units.outgoing.unsqueeze(2), units.outgoing.unsqueeze(1) * signs.unsqueeze(3)
    opposite = ((left * right).sum(-1) < 0) & ((left - right).norm(dim=-1) > (left + right).norm(dim=-1))
    count = units.incoming.shape[1]
    once = torch.ones(count, count, dtype=torch.bool, device=distances.device).triu(1)
    fit = opposite & once & (distances < CLOSE) & (distances > SAME)
    best = torch.where(fit, distances, torch.inf).flatten(1).min(1)
    members = best.values.isfinite().nonzero()[:, 0]
    place = best.indices[members]
    i, j = place // count, place % count
    return members, i, j, signs[members, i, j]


def _follow(units: Units, rows: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Say who is on a channel, and the loss at its end."""
    count, inputs = units.incoming.shape[1:]
    v = rows[:, (count - 2) * inputs : (count - 1) * inputs]
    q = rows[:, (count - 1) * inputs : count * inputs]
    distance = rows[:, -1] * q.norm(dim=1) / v.norm(dim=1)
    start = rows[:, -1] * (FLOOR / distance).clamp_min(1)
    ladder = torch.cat([torch.cat([rows[:, :-1], rung * start.unsqueeze(1)], 1) for rung in RUNGS])
    surface = PairSurface(units)
    polished = polish(surface, ladder, ITERATIONS)
    reached = torch.tensor([refusal is None for refusal in polished.refusals], device=rows.device)
    reached = reached.view(len(RUNGS), -1).all(0)
    whole, half, quarter, limit = surface.loss(polished.flat).view(len(RUNGS), -1)
    ratio = (half - limit) / (quarter - limit)
    falls = (whole > half) & (quarter > limit) & (loss > limit) & (ratio > RATIO[0]) & (ratio < RATIO[1])
    ends, norms = polished.flat[-len(rows) :], polished.gradient_norm[-len(rows) :]
    curvature = spectrum(surface.hessian(ends), surface.symmetries(ends), norms)
    return reached & falls & curvature.known & (curvature.negative == 0), limit
