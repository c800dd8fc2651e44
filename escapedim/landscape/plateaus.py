"""Plateau saddles: a walk along the critical line of duplicated or mirrored units.

The point itself may have no negative direction; where the outgoing weights are shared in another proportion, the loss
is the same and the curvature that the copy adds has another sign (Fukumizu & Amari 2000; see `duplicates`). So the
spectrum is taken at several proportions γ, inside and outside 0 < γ < 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from escapedim.landscape.duplicates import SAME, twins_of
from escapedim.landscape.spectrum import spectrum
from escapedim.landscape.surface import Surface, Units

SHARES = (-1.0, 2.0, 0.5, -0.25, 1.25, 0.25, 0.75, 0.1, 0.9)  # γ, the likeliest to tell first; ours


def has_twins(units: Units) -> Tensor:
    """Say which members `(members,)` have two equal or mirrored units."""
    return (twins_of(units)[0] >= 0).any(1)


def falls_along_a_line(surface: Surface, flat: Tensor, units: Units) -> Tensor:
    """Say which members `(members,)` meet negative curvature somewhere on the lines of their equal units."""
    falls = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    for members, points in _walk(flat, units):
        left = ~falls[members]
        if bool(left.any()):
            place = points[left]
            norm = surface.norm(surface.gradient(place))
            curvature = spectrum(surface.hessian(place), surface.symmetries(place), norm)
            falls[members[left]] = curvature.negative > 0
    return falls


def _walk(flat: Tensor, units: Units) -> Iterator[tuple[Tensor, Tensor]]:
    """Points on the critical lines: of each unit with an earlier twin, and each share of the output."""
    twin, sign = twins_of(units)
    for unit in range(twin.shape[1]):
        members = (twin[:, unit] >= 0).nonzero()[:, 0]
        if not len(members):
            continue
        first, flip = twin[members, unit], sign[members, unit].unsqueeze(1)
        own = units.outgoing[members, first]
        total = own + flip * units.outgoing[members, unit]
        # Units that cancel each other share 0: their line is (t, -t).
        cancel = total.norm(dim=1, keepdim=True) <= SAME * own.norm(dim=1, keepdim=True)
        for share in SHARES:
            points, to = flat[members], torch.where(cancel, share * own, share * total)
            points.scatter_(1, units.columns[first], to)
            points[:, units.columns[unit]] = flip * (torch.where(cancel, 0.0, total) - to)
            yield members, points
