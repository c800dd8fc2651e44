"""Two-layer relu student and orthonormal teacher under Gaussian inputs: loss, gradient and Hessian in closed form.

Safran & Shamir 2018 (arXiv 1712.08968). Inputs x ~ N(0, I_k), teacher f_V(x) = Σ_j relu(v_j·x) with v_j the unit
vectors, student f_W(x) = Σ_i relu(w_i·x), outgoing weights 1, L(W) = E (f_W - f_V)² / 2. Everything is stacked:
`w` is `(members, units, k)`.

Near parallel vectors automatic differentiation of acos fails (NaN, or a finite Hessian that is wrong by up to 0.7 when
acos is clamped), so the Hessian blocks are written out, with their limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.models.elementwise import acos_

PARALLEL = 1e-7  # sine below which the limit θ -> 0 (or π) of a Hessian block is used: its error is of that order; ours


@dataclass(frozen=True)
class Angles:
    """Sines, angles and cosines between students `(members, units, others)`, and norms `(members, units)`."""

    cosine: Tensor
    sine: Tensor
    angle: Tensor


def _angles(cosine: Tensor) -> Angles:
    cosine = cosine.clamp(-1, 1)
    return Angles(cosine, (1 - cosine * cosine).clamp_min(0).sqrt(), torch.acos(cosine))


def _exact_angles(direction: Tensor, other: Tensor) -> Angles:
    """Angles by chords: where acos of a rounded cosine is wrong by 1e-8, these are exact to the last digits."""
    left, right = direction.unsqueeze(2), other.unsqueeze(1)
    chord, other_chord = (left - right).norm(dim=-1), (left + right).norm(dim=-1)
    angle = 2 * torch.atan2(chord, other_chord)
    return Angles(torch.cos(angle), 0.5 * chord * other_chord, angle)


def _normed(w: Tensor) -> tuple[Tensor, Tensor]:
    """Norms `(members, units)` and directions; a unit at 0 has the direction 0."""
    norm = torch.linalg.vector_norm(w, dim=-1)
    return norm, w * norm.clamp_min(torch.finfo(w.dtype).tiny).reciprocal_().unsqueeze(-1)


def loss(w: Tensor) -> Tensor:
    """L of each member `(members,)`.

    From E[relu(w·x) relu(v·x)] = |w||v| (sin θ + (π - θ) cos θ) / 2π (Cho & Saul 2009).
    """
    norm, direction = _normed(w)
    k = w.shape[-1]
    own, teacher = _angles(direction @ direction.mT), _angles(direction)
    students = (_kernel(own) * norm.unsqueeze(-1) * norm.unsqueeze(-2)).sum((-1, -2))
    crossed = (_kernel(teacher) * norm.unsqueeze(-1)).sum((-1, -2))
    teachers = (k * math.pi + k * (k - 1)) / (2 * math.pi)
    return 0.5 * students - crossed + 0.5 * teachers


def _kernel(angles: Angles) -> Tensor:
    return (angles.sine + (math.pi - angles.angle) * angles.cosine) / (2 * math.pi)


def gradient(w: Tensor) -> Tensor:
    """∇L `(members, units, k)`.

    The hot loop of a descent, so it computes no more than the gradient needs, and in place. With the angles θ among
    students and φ to the teacher,
    2π ∇_{w_i} L = (Σ_j |w_j| sin θ_ij - Σ_j sin φ_ij) ŵ_i + Σ_j (π - θ_ij) w_j - (π - φ_i), where
    π - θ is the angle to the opposite direction.
    """
    norm, direction = _normed(w)
    opposite = -direction
    sines, supplements = _sines_and_angles(torch.bmm(opposite, direction.mT))
    # A unit's angle to itself is 0 exactly; rounding makes acos(1 - 1e-16) = 1.5e-8 of it.
    sines.diagonal(dim1=-2, dim2=-1).zero_()
    supplements.diagonal(dim1=-2, dim2=-1).fill_(math.pi)
    teacher_sines, teacher_supplements = _sines_and_angles(opposite)
    pull = torch.bmm(sines, norm.unsqueeze(-1)).sub_(teacher_sines.sum(-1, keepdim=True))
    slope = torch.bmm(supplements, w).sub_(teacher_supplements).addcmul_(pull, direction)
    return slope.mul_(1 / (2 * math.pi))


def _sines_and_angles(cosine: Tensor) -> tuple[Tensor, Tensor]:
    """Sines, and angles in the place of the cosines."""
    cosine.clamp_(-1, 1)
    return torch.addcmul(cosine.new_ones(()), cosine, cosine, value=-1).sqrt_(), acos_(cosine)


def hessian(w: Tensor) -> Tensor:
    """Hessian of L `(members, units·k, units·k)`, with the limits of its blocks where two vectors are parallel."""
    members, units, k = w.shape
    norm, direction = _normed(w)
    own = _exact_angles(direction, direction)
    blocks = _h2(direction, own)
    index = torch.arange(units, device=w.device)
    blocks[:, index, index] = _own_blocks(norm, direction, own)
    return blocks.permute(0, 1, 3, 2, 4).reshape(members, units * k, units * k)


def own_blocks(w: Tensor) -> Tensor:
    """Diagonal blocks H_ii of the Hessian `(members, units, k, k)`."""
    norm, direction = _normed(w)
    return _own_blocks(norm, direction, _exact_angles(direction, direction))


def _own_blocks(norm: Tensor, direction: Tensor, own: Angles) -> Tensor:
    members, units, k = direction.shape
    identity = torch.eye(k).to(direction)
    teachers, ones = identity.expand(members, k, k), torch.ones(members, k).to(direction)
    off_diagonal = (1 - torch.eye(units).to(direction))[..., None, None]
    students = (_h1(direction, norm, direction, norm, own) * off_diagonal).sum(2)
    taught = _h1(direction, norm, teachers, ones, _exact_angles(direction, teachers)).sum(2)
    return 0.5 * identity + students - taught


def _h1(direction: Tensor, norm: Tensor, other: Tensor, other_norm: Tensor, angles: Angles) -> Tensor:
    """h1(w_i, v_j) `(members, units, others, k, k)`; 0 where they are parallel."""
    k = direction.shape[-1]
    own = direction.unsqueeze(2)
    u = angles.cosine.unsqueeze(-1) * own - other.unsqueeze(1)
    identity = torch.eye(k, dtype=direction.dtype, device=direction.device)
    across = identity - own.unsqueeze(-1) * own.unsqueeze(-2)
    sine = angles.sine[..., None, None]
    parallel = sine < PARALLEL
    safe = torch.where(parallel, 1.0, sine)
    inner = sine * across + u.unsqueeze(-1) * u.unsqueeze(-2) / safe
    scale = other_norm.unsqueeze(1) / (2 * math.pi * norm.unsqueeze(2))
    return torch.where(parallel, 0.0, inner) * scale[..., None, None]


def _h2(direction: Tensor, angles: Angles) -> Tensor:
    """h2(w_i, w_j) `(members, units, units, k, k)`; I/2 where they point the same way, 0 where they are opposite."""
    k = direction.shape[-1]
    identity = torch.eye(k, dtype=direction.dtype, device=direction.device)
    left, right = direction.unsqueeze(2), direction.unsqueeze(1)
    total = left + right
    outer = total.unsqueeze(-1) * total.unsqueeze(-2)
    own = (left.unsqueeze(-1) * left.unsqueeze(-2)) + (right.unsqueeze(-1) * right.unsqueeze(-2))
    sine, cosine = angles.sine[..., None, None], angles.cosine[..., None, None]
    parallel = sine < PARALLEL
    inner = torch.where(parallel, 0.0, (outer - (1 + cosine) * own) / torch.where(parallel, 1.0, sine))
    return ((math.pi - angles.angle)[..., None, None] * identity + inner) / (2 * math.pi)
