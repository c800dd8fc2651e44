"""Split curvature: what a split adds to the Hessian, known from the narrow network alone.

A unit is split at α = 1/2. The wide loss does not change when the unit and its copy change places, so that at any
weights the directions that move the two apart, (u, -u) / √2, are a sector of its own of the wide Hessian. The
Gauss-Newton part cancels there, and what is left belongs to the one unit.

- Outgoing weights fixed at 1 (relu students, Safran & Shamir 2018, arXiv 1712.08968): the sector is 2 M_i with
  M_i = H_ii - E[σ'(w_i·x)² x xᵀ] = H_ii - I/2. M_i w_i = 0: a vector may be shared in any proportion.
- Outgoing weights free (Fukumizu & Amari 2000, Neural Networks 13), one hidden layer: with M_i = B_i =
  E[a_i·∂ℓ/∂f σ''(w_i·x) x xᵀ] and C_i = E[σ'(w_i·x) x ∂ℓ/∂fᵀ] the sector of (incoming, outgoing) weights is

      [ B_i / 2   C_i ]
      [ C_iᵀ      0   ]

  C_i a_i is the gradient along w_i, so that at a critical point with one output and a_i ≠ 0 C_i is 0, and the
  eigenvalues are λ(B_i) / 2 and the 0 of the line of the split. With several outputs C_i need not be 0, and where it is
  not there are negative directions whatever B_i is.

For relu on a finite sample B_i is 0 off the kinks: it says nothing there.

Splitting steepest descent (Liu et al. 2019, arXiv 1910.02366) is the same curvature: two halves at w_i ± ε v with half
of the outgoing weights each change the loss by ε² vᵀ B_i v / 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.one_hidden import OneHidden
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.landscape.surface import Surface, in_chunks


def split_matrices(surface: Surface, flat: Tensor) -> Tensor | None:
    """M_i of every unit `(members, units, inputs, inputs)`, bias last; None but for one hidden layer."""
    if isinstance(surface, ReluTeacherSurface):
        return surface.split_matrices(flat)
    if isinstance(surface, DenseSurface) and surface.hidden is not None:
        return in_chunks(surface.hidden.bends, flat, surface.hidden.numbers)
    return None


def split_sectors(surface: Surface, flat: Tensor) -> Tensor | None:
    """Sector that a split at α = 1/2 adds to the Hessian, for every unit `(members, units, s, s)`; None as above.

    Its rows are the unit's incoming weights, bias last, and its outgoing weights where they are free.
    """
    if isinstance(surface, ReluTeacherSurface):
        return 2 * surface.split_matrices(flat)
    if isinstance(surface, DenseSurface) and (hidden := surface.hidden) is not None:
        return in_chunks(lambda part: _sectors(hidden, part), flat, hidden.numbers)
    return None


def _sectors(hidden: OneHidden, flat: Tensor) -> Tensor:
    bends, pulls = hidden.bends(flat), hidden.pulls(flat)
    nothing = pulls.new_zeros(*pulls.shape[:2], pulls.shape[3], pulls.shape[3])
    return torch.cat([torch.cat([bends / 2, pulls], 3), torch.cat([pulls.mT, nothing], 3)], 2)
