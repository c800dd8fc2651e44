"""Valleys: flat directions that no symmetry explains, and along which the loss falls further away.

A unit that grows into a step, an output that grows under cross-entropy: the loss nears its limit ever more slowly,
gradient and curvature fall below any tolerance, and nothing in the Hessian tells the place from a minimum. So the
member is moved along its flat directions, let down to the floor of the valley in all others, and looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from escapedim.landscape.spectrum import eigenvectors, flat_basis, lift, project, tolerance
from escapedim.landscape.surface import Surface

REACHES = (0.03, 0.1)  # of the parameters' norm; ours, the last one as far as the polish may go
DESCENTS = 6  # steps down to the floor, with the curvature of the start; ours
MOST_DIRECTIONS = 8  # the flattest; ours
FALL = 1e-14  # of 1 + loss: less is rounding; ours


def falls_further(surface: Surface, flat: Tensor) -> Tensor:
    """Say of critical points `(members, parameters)` which have a lower loss further along a flat direction."""
    gradient, level = surface.gradient(flat), surface.loss(flat)
    basis, _ = flat_basis(surface.symmetries(flat))
    values, vectors = eigenvectors(lift(surface.hessian(flat), basis))
    slack = tolerance(values.abs().amax(1), surface.norm(gradient)).unsqueeze(1)
    steep = torch.where(values > slack, 1 / values, 0)
    floor = vectors @ (steep.unsqueeze(2) * vectors.mT)
    falls = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    for direction in _directions(values.abs() <= slack, vectors, project(gradient, basis)):
        for reach in REACHES:
            point = flat + reach * flat.norm(dim=1, keepdim=True) * direction
            for _ in range(DESCENTS):
                point = point - (floor @ project(surface.gradient(point), basis).unsqueeze(2)).squeeze(2)
            falls |= surface.loss(point) < level - FALL * (1 + level.abs())
    return falls


def _directions(flat: Tensor, vectors: Tensor, gradient: Tensor) -> Iterator[Tensor]:
    """Unit vectors `(members, parameters)`: down what is left of the gradient, and both ways along each flat one."""
    only = torch.where(flat.unsqueeze(1), vectors, 0)
    down = -(only @ (only.mT @ gradient.unsqueeze(2))).squeeze(2)
    yield down / down.norm(dim=1, keepdim=True).clamp_min(torch.finfo(down.dtype).tiny)
    order = flat.to(torch.int8).argsort(dim=1, descending=True, stable=True)
    for n in range(min(MOST_DIRECTIONS, int(flat.sum(1).max()))):
        one = only.gather(2, order[:, n, None, None].expand(-1, only.shape[1], 1)).squeeze(2)
        yield one
        yield -one
