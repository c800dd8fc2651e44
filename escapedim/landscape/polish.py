"""A second-order finish: from near a critical point to its gradient norm of 1e-9, whatever the signs of its curvature.

The descent decides the basin; this ends it. Newton's step first, by Cholesky where the Hessian is positive definite;
otherwise, or where that does not lower the gradient norm, Levenberg's and Marquardt's step for g = 0,
s = -H (H² + μ² I)⁻¹ g, which goes to minima and saddles alike and never along the directions that a symmetry makes
flat. A member is refused where the way leads up, too far, or nowhere; it keeps the point that it came with.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from escapedim.landscape.spectrum import eigenvectors, flat_basis, lift, project
from escapedim.landscape.surface import MATRICES, Curved, chunks

NEAR = 1e-3  # gradient norm below which a critical point is looked for; ours
STILL = 1e-9  # gradient norm of a critical point: Safran & Shamir 2018
FINISH = 1e-11  # gradient norm that is aimed at, so that the tolerance of zero curvature is small; ours
FAR = 0.1  # of the parameters' norm: a member that moves further than this was not near; ours
ITERATIONS = 50  # ours
PATIENCE = 10  # steps in which the gradient norm must halve, or a member is given up: Newton's squares it; ours
ROUNDING = 1e-12  # of 1 + loss: a smaller rise of the loss is rounding; ours
DAMPING = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # μ over the largest eigenvalue, tried from the left until |g| falls; ours


class Refusal(Enum):
    """Why a member was not polished, as the user reads it."""

    FAR = "no critical point within 10 % of the parameters' norm"
    UP = "the critical point nearby lies higher than where the descent stopped"
    SLOW = "the gradient norm did not fall to 1e-9 in the second-order steps that it was given"
    BROKEN = "the Hessian is not finite"


@dataclass(frozen=True)
class Polished:
    """Points `(members, parameters)`, their gradient norms and the distances moved; the start where refused."""

    flat: Tensor
    gradient_norm: Tensor
    moved: Tensor
    refusals: list[Refusal | None]


def polish(surface: Curved, flat: Tensor, iterations: int = ITERATIONS) -> Polished:
    """Move each member of `(members, parameters)` to the critical point beside it, or refuse to."""
    parts = [_polish(surface, part, iterations) for part in chunks(flat, MATRICES * flat.shape[1] ** 2)]
    return Polished(
        flat=torch.cat([part.flat for part in parts]),
        gradient_norm=torch.cat([part.gradient_norm for part in parts]),
        moved=torch.cat([part.moved for part in parts]),
        refusals=[refusal for part in parts for refusal in part.refusals],
    )


def _polish(surface: Curved, start: Tensor, iterations: int) -> Polished:
    search = _Search(surface, start)
    for step in range(1, iterations + 1):
        if not search.step():
            break
        if step % PATIENCE == 0:
            search.give_up_slow()
    return search.result()


class _Search:
    """Where every member of a stack is; members that are done or stuck are left alone."""

    def __init__(self, surface: Curved, start: Tensor) -> None:
        self._surface, self._start = surface, start
        self._flat, self._gradient = start.clone(), surface.gradient(start)
        self._reach = FAR * start.norm(dim=1)
        self._active = self._gradient.isfinite().all(1)
        self._broken = ~self._active
        self._blocked = torch.zeros_like(self._active)
        self._last_norm = surface.norm(self._gradient)

    def step(self) -> bool:
        """Move all active members once; say whether any are left."""
        self._active &= self._surface.norm(self._gradient) > FINISH
        rows = self._active.nonzero()[:, 0]
        if not len(rows):
            return False
        flat = self._flat[rows]
        basis, _ = flat_basis(self._surface.symmetries(flat))
        slope, matrix = project(self._gradient[rows], basis), lift(self._surface.hessian(flat), basis)
        finite = matrix.flatten(1).isfinite().all(1)
        self._broken[rows[~finite]] = True
        factor, failed = torch.linalg.cholesky_ex(torch.where(finite[:, None, None], matrix, 0))
        newton = finite & (failed == 0)
        moved = torch.zeros_like(newton)
        plain = newton.nonzero()[:, 0]
        if len(plain):
            steps = -torch.cholesky_solve(slope[plain].unsqueeze(2), factor[plain]).squeeze(2)
            moved[plain] = self._try(rows[plain], steps)
        rest = (finite & ~moved).nonzero()[:, 0]
        if len(rest):
            moved[rest] = self._damped(rows[rest], matrix[rest], slope[rest])
        self._active[rows[~moved]] = False
        return True

    def give_up_slow(self) -> None:
        """Leave the members alone whose gradient norm has not halved since the last call."""
        norm = self._surface.norm(self._gradient)
        self._active &= norm < self._last_norm / 2
        self._last_norm = norm

    def _damped(self, rows: Tensor, matrix: Tensor, slope: Tensor) -> Tensor:
        values, vectors = eigenvectors(matrix)
        along = (vectors.mT @ slope.unsqueeze(2)).squeeze(2)
        size, moved = values.abs().amax(1, keepdim=True), torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        for damping in (0.0, *DAMPING):
            left = (~moved).nonzero()[:, 0]
            if not len(left):
                break
            lam, mu = values[left], damping * size[left]
            # Without damping: the pseudo-inverse.
            factor = torch.where(lam.abs() > 1e-12 * size[left], lam / (lam * lam + mu * mu), 0.0)
            steps = -(vectors[left] @ (factor * along[left]).unsqueeze(2)).squeeze(2)
            moved[left] = self._try(rows[left], steps)
        return moved

    def _try(self, rows: Tensor, steps: Tensor) -> Tensor:
        """Take the steps that lower the gradient norm inside the reach; say which."""
        trial = self._flat[rows] + steps
        inside = (trial - self._start[rows]).norm(dim=1) <= self._reach[rows]
        self._blocked[rows] = ~inside
        gradient = self._surface.gradient(trial)
        before, after = self._gradient[rows].norm(dim=1), gradient.norm(dim=1)
        good: Tensor = inside & (after < before)
        self._flat[rows[good]], self._gradient[rows[good]] = trial[good], gradient[good]
        return good

    def result(self) -> Polished:
        """Points of the members that reached a critical point, and refusals of the others."""
        norm, before = self._surface.norm(self._gradient), self._surface.loss(self._start)
        still = norm <= STILL
        up = self._surface.loss(self._flat) > before + ROUNDING * (1 + before.abs())
        refused = ~still | up | self._broken
        flags = zip(*(flag.tolist() for flag in (self._broken, still, up, self._blocked)), strict=True)
        refusals = [_why(*each) for each in flags]
        flat = torch.where(refused.unsqueeze(1), self._start, self._flat)
        norm = torch.where(refused, self._surface.norm(self._surface.gradient(self._start)), norm)
        return Polished(flat, norm, (flat - self._start).norm(dim=1), refusals)


def _why(broken: bool, still: bool, up: bool, blocked: bool) -> Refusal | None:
    if broken:
        return Refusal.BROKEN
    if not still:
        return Refusal.FAR if blocked else Refusal.SLOW
    return Refusal.UP if up else None
