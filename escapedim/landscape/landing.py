"""Landing: what a descent tries now and then on members whose gradient is small.

Newton's steps with a positive definite Hessian only, so that what is reached is the minimum in whose basin the member
already is. It is certified where every eigenvalue is above the tolerance at the end, the gradient norm is below 1e-9,
the loss has not risen, and the member has not gone far.
"""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.landscape.polish import FAR, FINISH, ROUNDING, STILL
from escapedim.landscape.spectrum import MOST_PARAMETERS, flat_basis, lift, project, spectrum
from escapedim.landscape.surface import MATRICES, Surface, chunks

ITERATIONS = 15  # Newton's method doubles the digits at each: a member that needs more is not in the basin yet; ours


def land(surface: Surface, flat: Tensor) -> tuple[Tensor, Tensor]:
    """Return the minima below members `(members, parameters)` and which were certified; the others stay.

    None is where there are more parameters than a full spectrum takes.
    """
    if flat.shape[1] > MOST_PARAMETERS:
        return flat, torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    parts = [_land(surface, part) for part in chunks(flat, MATRICES * flat.shape[1] ** 2)]
    return torch.cat([point for point, _ in parts]), torch.cat([landed for _, landed in parts])


def _land(surface: Surface, start: Tensor) -> tuple[Tensor, Tensor]:
    flat, reach = start.clone(), FAR * start.norm(dim=1)
    falling = ~(surface.loss(start) < surface.no_critical_below)
    for _ in range(ITERATIONS):
        gradient = surface.gradient(flat)
        rows = (falling & ~(surface.norm(gradient) <= FINISH)).nonzero()[:, 0]
        if not len(rows):
            break
        steps, definite = _newton(surface, flat[rows], gradient[rows])
        flat[rows] += steps
        falling[rows] = definite & ((flat[rows] - start[rows]).norm(dim=1) <= reach[rows])
    landed = falling.clone()
    if landed.any():
        landed[falling] = _is_minimum(surface, start[falling], flat[falling])
    return torch.where(landed.unsqueeze(1), flat, start), landed


def _newton(surface: Surface, flat: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's steps, and which Hessians are positive definite; the step is 0 where not."""
    basis, _ = flat_basis(surface.symmetries(flat))
    factor, failed = torch.linalg.cholesky_ex(lift(surface.hessian(flat), basis))
    definite = (failed == 0) & factor.flatten(1).isfinite().all(1)
    factor = torch.where(definite[:, None, None], factor, torch.eye(flat.shape[1]).to(flat))
    steps = -torch.cholesky_solve(project(gradient, basis).unsqueeze(2), factor).squeeze(2)
    return torch.where(definite.unsqueeze(1), steps, 0.0), definite


def _is_minimum(surface: Surface, start: Tensor, flat: Tensor) -> Tensor:
    norm, before = surface.norm(surface.gradient(flat)), surface.loss(start)
    curvature = spectrum(surface.hessian(flat), surface.symmetries(flat), norm)
    positive = curvature.known & (curvature.negative == 0) & (curvature.zero == 0)
    smooth = ~surface.kinks(flat) & ~surface.dead(flat).any(1)
    return positive & smooth & (norm <= STILL) & (surface.loss(flat) <= before + ROUNDING * (1 + before.abs()))
