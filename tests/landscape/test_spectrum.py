"""Counts of signs against matrices whose spectrum is known by construction."""

from __future__ import annotations

import pytest
import torch

from escapedim.landscape.spectrum import flat_basis, spectrum, tolerance
from tests.landscape.networks import draw


def rotated(values: list[float], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix with these eigenvalues, and its eigenvectors as columns."""
    vectors, _ = torch.linalg.qr(draw(len(values), len(values), seed=seed))
    return vectors @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ vectors.T, vectors


NONE = torch.zeros(1, 6, 0, dtype=torch.float64)
STILL = torch.zeros(1, dtype=torch.float64)


def test_signs_are_counted():
    matrix, _ = rotated([-2.0, -1.0, 0.0, 1.0, 2.0, 5.0])
    found = spectrum(matrix[None], NONE, STILL)
    assert (found.negative.item(), found.zero.item(), found.explained.item()) == (2, 1, 0)
    assert found.smallest.item() == pytest.approx(-2)
    assert found.largest.item() == pytest.approx(5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_explained_directions_are_taken_out_however_long_and_however_often(scale):
    matrix, vectors = rotated([-2.0, 0.0, 0.0, 0.0, 3.0, 5.0])
    flat = torch.stack([vectors[:, 1], 7 * vectors[:, 2], vectors[:, 1] - vectors[:, 2], 0 * vectors[:, 1]], 1)
    found = spectrum(scale * matrix[None], flat[None], STILL)
    assert (found.negative.item(), found.zero.item(), found.explained.item()) == (1, 1, 2)
    assert found.largest.item() == pytest.approx(5 * scale)


def test_curvature_across_an_explained_direction_does_not_leak():
    matrix, vectors = rotated([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    flat = vectors[:, :1]
    leaking = matrix + 50 * (flat @ vectors[:, 1:2].T + vectors[:, 1:2] @ flat.T)
    found = spectrum(leaking[None], flat[None], STILL)
    assert found.smallest.item() == pytest.approx(1)
    assert found.negative.item() == 0


def test_what_is_left_of_the_gradient_widens_zero():
    matrix, _ = rotated([-1e-4, 1.0, 1.0, 1.0, 1.0, 4.0])
    left = torch.tensor([0.0, 1e-10, 1e-8], dtype=torch.float64)
    found = spectrum(matrix.expand(3, 6, 6), NONE.expand(3, 6, 0), left)
    assert found.negative.tolist() == [1, 1, 0]
    assert found.zero.tolist() == [0, 0, 1]
    assert tolerance(torch.tensor(4.0), torch.tensor(1e-8)).item() == pytest.approx(2 * 8e-8**0.5, rel=1e-3)


def test_everything_may_be_explained():
    found = spectrum(torch.zeros(1, 2, 2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)[None], STILL)
    assert (found.negative.item(), found.zero.item(), found.explained.item()) == (0, 0, 2)
    assert found.smallest.isnan().item()
    assert found.largest.isnan().item()


def test_a_member_that_is_not_finite_does_not_stop_its_siblings():
    matrix, _ = rotated([-1.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    broken = matrix.clone()
    broken[2, 3] = torch.nan
    found = spectrum(torch.stack([broken, matrix]), NONE.expand(2, 6, 0), STILL.expand(2))
    assert found.known.tolist() == [False, True]
    assert found.negative.tolist() == [0, 1]
    assert found.smallest[0].isnan()


def test_the_basis_is_orthonormal():
    directions = draw(3, 8, 3)
    directions[1, :, 2] = directions[1, :, 0] + 2 * directions[1, :, 1]
    basis, ranks = flat_basis(directions)
    assert ranks.tolist() == [3, 2, 3]
    for columns, rank in zip(basis, ranks, strict=True):
        products = columns.T @ columns
        torch.testing.assert_close(products, torch.diag((torch.arange(3) < rank).double()), rtol=0, atol=1e-12)
