"""Exact spectra of stacks of Hessians, without the directions that a symmetry makes flat.

Directions along which the loss cannot change have curvature 0 at a critical point and say nothing about it. They are
orthonormalised, projected out, and lifted above the rest of the spectrum, so that what remains is the curvature that
decides. An eigenvalue λ counts as zero where

    |λ| <= ROUNDING · max|λ| + SAFETY · sqrt(2 · max|λ| · |g|)

with g the gradient that is left: by the theorem of Newton and Kantorovich a critical point is near, and keeps the sign
of λ, where |g| is below λ² / 2K with K the Lipschitz constant of the Hessian, for which the largest eigenvalue over a
unit of length stands in (ours). An eigenvalue inside the tolerance makes a spectrum marginal and is never counted as
negative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_PARAMETERS = 1000  # of a full spectrum: a member's Hessian is 8 MB there, its eigenvalues 0.1 s; ours
ROUNDING = 1e-8  # of the largest eigenvalue: what the closed forms lose near parallel units (see PARALLEL there); ours
SAFETY = 2.0  # a double root, where curvature vanishes, lies on the theorem's border: keep off it; ours
DEPENDENT = 1e-6  # singular value of unit directions below which they depend on each other; ours


@dataclass(frozen=True)
class Spectrum:
    """Per member `(members,)`: extreme eigenvalues off the flat directions, and counts of signs.

    `explained` flat directions are those of symmetries, `zero` eigenvalues lie inside the tolerance without being
    explained. Where `known` is false the Hessian was not finite: extremes are NaN and counts 0.
    """

    smallest: Tensor
    largest: Tensor
    negative: Tensor
    zero: Tensor
    explained: Tensor
    known: Tensor


def flat_basis(directions: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal columns `(members, parameters, s)` that span the directions, 0 beyond their rank; and the ranks."""
    if directions.shape[2] == 0:
        return directions, torch.zeros(len(directions), dtype=torch.long, device=directions.device)
    lengths = directions.norm(dim=1, keepdim=True)
    units = directions / lengths.clamp_min(torch.finfo(directions.dtype).tiny)
    columns, singular, _ = torch.linalg.svd(units, full_matrices=False)
    real = singular > DEPENDENT
    return columns * real.unsqueeze(1), real.sum(1)


def lift(hessian: Tensor, basis: Tensor) -> Tensor:
    """Project the flat directions out of the Hessian and give them an eigenvalue above all others."""
    if basis.shape[2] == 0:
        return hessian
    flat = basis @ basis.mT
    keep = torch.eye(hessian.shape[1]).to(hessian) - flat
    above = 1 + 2 * torch.linalg.matrix_norm(hessian)
    return torch.add(keep @ hessian @ keep, above[:, None, None] * flat)


def project(vectors: Tensor, basis: Tensor) -> Tensor:
    """Take the flat directions out of vectors `(members, parameters)`."""
    if basis.shape[2] == 0:
        return vectors
    return vectors - (basis @ (basis.mT @ vectors.unsqueeze(2))).squeeze(2)


def eigenvalues(matrices: Tensor) -> Tensor:
    """Ascending eigenvalues `(members, size)`; NaN for a member whose matrix is not finite or does not converge."""
    return _each(matrices, lambda stack: (torch.linalg.eigvalsh(stack),))[0]


def eigenvectors(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues `(members, size)` and eigenvectors `(members, size, size)`; NaN as in `eigenvalues`."""
    values, vectors = _each(matrices, torch.linalg.eigh)
    return values, vectors


def _each(matrices: Tensor, decompose: Callable[[Tensor], Iterable[Tensor]]) -> list[Tensor]:
    finite = matrices.flatten(1).isfinite().all(1)
    safe = torch.where(finite[:, None, None], matrices, torch.eye(matrices.shape[1]).to(matrices))
    try:
        parts = list(decompose(safe))
    except RuntimeError:  # LinAlgError: no convergence
        if len(matrices) > 1:  # one member's failure is not its siblings'
            alone = [_each(matrix, decompose) for matrix in torch.split(matrices, 1)]
            return [torch.cat(part) for part in zip(*alone, strict=True)]
        return [torch.full_like(part, torch.nan) for part in decompose(torch.eye(matrices.shape[1]).to(matrices)[None])]
    return [torch.where(finite.view(-1, *[1] * (part.dim() - 1)), part, torch.nan) for part in parts]


def tolerance(largest: Tensor, gradient_norm: Tensor) -> Tensor:
    """Return the size below which an eigenvalue counts as zero; see the module."""
    return ROUNDING * largest + SAFETY * (2 * largest * gradient_norm).sqrt()


def spectrum(hessian: Tensor, directions: Tensor, gradient_norm: Tensor) -> Spectrum:
    """Spectrum of each member's Hessian `(members, parameters, parameters)` off the given flat directions.

    `gradient_norm` `(members,)` is what is left of the gradient; it widens the tolerance of zero.
    """
    basis, explained = flat_basis(directions)
    values = eigenvalues(lift(hessian, basis))
    known = values.isfinite().all(1)
    rank = torch.arange(values.shape[1], device=values.device)
    inside = rank < (values.shape[1] - explained).unsqueeze(1)  # lifted eigenvalues are the last ones
    values = torch.where(inside, values, torch.nan)
    size = torch.where(inside, values.abs(), 0).amax(1)
    zero = tolerance(size, gradient_norm).unsqueeze(1)
    last = (values.shape[1] - explained - 1).clamp_min(0).unsqueeze(1)
    return Spectrum(
        smallest=values[:, 0],
        largest=values.gather(1, last).squeeze(1),
        negative=(values < -zero).sum(1),
        zero=(values.abs() <= zero).sum(1),
        explained=explained,
        known=known,
    )
