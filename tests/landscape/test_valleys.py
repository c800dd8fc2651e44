"""Places that look like minima to the Hessian, and from which the loss still falls: proved by following it."""

from __future__ import annotations

import pytest
import torch

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.endings import certify
from escapedim.landscape.valleys import falls_further
from escapedim.landscape.vocabulary import Ending
from escapedim.models.mlp import MLP

X = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]], dtype=torch.float64)
XOR = torch.tensor([[-1.0], [1], [1], [-1]], dtype=torch.float64)


def step_like(size: float) -> tuple[DenseSurface, torch.Tensor]:
    """A tanh unit that is nearly a step around one point of xor, with the best outgoing weight and bias."""
    surface = DenseSurface(MLP((2, 1, 1), "tanh"), "squared", X, XOR)
    value = torch.tanh(X @ torch.tensor([size, size], dtype=torch.float64) - size)
    design = torch.stack([value, torch.ones(4, dtype=torch.float64)], 1)
    best = torch.linalg.lstsq(design, XOR).solution[:, 0]
    return surface, torch.cat([torch.tensor([size, size, -size], dtype=torch.float64), best])[None]


@pytest.mark.parametrize("size", [4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0])
def test_a_unit_on_its_way_to_a_step_is_no_minimum(size):
    surface, flat = step_like(size)
    if size < 15:
        assert surface.loss(step_like(1.1 * size)[1]) < surface.loss(flat)
    ending = certify(surface, flat, None).ending[0]
    assert ending in {Ending.STALLED, Ending.UNDECIDED}


@pytest.mark.parametrize("scale", [6.0, 7.0, 8.0, 10.0])
def test_outputs_that_grow_under_cross_entropy_are_no_minimum(scale):
    model = MLP((2, 2, 2), "tanh")
    targets = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.float64)
    surface = DenseSurface(model, "cross-entropy", X, targets)
    row = torch.tensor([1.0, 0, 0.8, 0.1, 0, 0, -scale, -scale, scale, scale, 0, 0], dtype=torch.float64)[None]
    assert surface.loss(1.1 * row) < surface.loss(row)
    assert certify(surface, row, None).ending[0] in {Ending.STALLED, Ending.UNDECIDED}


def test_where_nothing_is_flat_nothing_falls():
    generator = torch.Generator().manual_seed(3)
    surface = DenseSurface(MLP((2, 1, 1), "tanh"), "squared", X, X[:, :1] * 0.3 + 0.1)
    flat = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    assert falls_further(surface, flat).shape == (4,)
    best = torch.tensor([[0.1, 0.0, 0.2, 3.0, 0.0]], dtype=torch.float64)
    for _ in range(200):  # a plain descent by Newton's method with a floor under the eigenvalues
        values, vectors = torch.linalg.eigh(surface.hessian(best))
        slope = vectors.mT @ surface.gradient(best).unsqueeze(2)
        best = best - (vectors @ (slope / values.abs().clamp_min(1e-2).unsqueeze(2))).squeeze(2)
    assert surface.gradient(best).norm() < 1e-9
    assert not falls_further(surface, best).any()
