"""Closed forms against Monte Carlo, automatic differentiation, finite differences, and the identity of a split."""

from __future__ import annotations

import math

import pytest
import torch

from escapedim.tasks.relu_teacher_forms import gradient, hessian, loss, own_blocks


def draw(members: int, units: int, k: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(members, units, k, generator=generator, dtype=torch.float64) / math.sqrt(k)


def pair_kernel(w: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """E[relu(w·x) relu(v·x)] of two vectors, as it is printed."""
    sizes = w.norm() * v.norm()
    angle = torch.acos(w @ v / sizes)
    return sizes * (torch.sin(angle) + (math.pi - angle) * torch.cos(angle)) / (2 * math.pi)


def written_out(w: torch.Tensor) -> torch.Tensor:
    """L of one member, pair by pair; a vector with itself has E[relu²] = |w|²/2, where acos has no derivative."""
    k = w.shape[1]
    teachers = torch.eye(k, dtype=w.dtype)
    students = sum(pair_kernel(a, b) for i, a in enumerate(w) for j, b in enumerate(w) if i != j) + w.square().sum() / 2
    crossed = sum(pair_kernel(a, v) for a in w for v in teachers)
    own = sum(pair_kernel(u, v) for i, u in enumerate(teachers) for j, v in enumerate(teachers) if i != j) + k / 2
    return students / 2 - crossed + own / 2


@pytest.mark.parametrize(("units", "k"), [(1, 2), (3, 3), (5, 4), (2, 6)])
def test_loss_gradient_and_hessian_by_automatic_differentiation(units, k):
    w = draw(3, units, k, seed=units)
    for member, value, slope, curvature in zip(w, loss(w), gradient(w), hessian(w), strict=True):
        torch.testing.assert_close(value, written_out(member), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(slope, torch.func.grad(written_out)(member), rtol=1e-10, atol=1e-10)
        expected = torch.func.jacrev(torch.func.grad(written_out))(member).reshape(units * k, units * k)
        torch.testing.assert_close(curvature, expected, rtol=1e-8, atol=1e-8)


def test_own_blocks_are_the_hessians_diagonal():
    w = draw(3, 5, 4)
    blocks = hessian(w).view(3, 5, 4, 5, 4).diagonal(dim1=1, dim2=3)
    assert torch.equal(own_blocks(w), blocks.permute(0, 3, 1, 2))


def test_loss_by_monte_carlo():
    w = draw(4, 5, 4)
    x = torch.randn(400_000, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    errors = 0.5 * (torch.relu(x @ w.mT).sum(-1) - torch.relu(x).sum(-1)) ** 2
    deviation = errors.std(-1) / math.sqrt(len(x))
    assert ((loss(w) - errors.mean(-1)).abs() < 5 * deviation).all()


def test_the_teacher_itself_and_its_splits_are_global_minima():
    teacher = torch.eye(4, dtype=torch.float64)
    split = torch.cat([teacher[:3], 0.3 * teacher[3:], 0.7 * teacher[3:]])
    for w in (teacher, split):
        assert loss(w[None]).abs().item() < 1e-15
        assert gradient(w[None]).abs().max().item() < 1e-8


@pytest.mark.parametrize("distance", [0.0, 1e-12, 1e-9, 1e-5, 1e-3])
def test_nearly_parallel_units_have_a_finite_and_right_gradient(distance):
    w = draw(1, 4, 4)
    w[0, 3] = w[0, 2] * 0.6 + distance * draw(1, 1, 4, seed=9)[0, 0]
    merged = torch.cat([w[:, :2], w[:, 2:3] + w[:, 3:4]], 1)
    torch.testing.assert_close(loss(w), loss(merged), rtol=0, atol=2 * distance + 1e-12)
    torch.testing.assert_close(gradient(w)[:, 2], gradient(merged)[:, 2], rtol=0, atol=2 * distance + 1e-7)


@pytest.mark.parametrize("unit", range(5))
def test_a_split_opens_twice_the_eigenvalues_of_the_units_own_block(unit):
    """At α = 1/2 the antisymmetric sector of the widened Hessian has the eigenvalues 2 λ(H_ii - I/2), at any W."""
    w, k = draw(1, 5, 4, seed=3), 4
    split = torch.cat([w, w[:, unit : unit + 1] / 2], 1)
    split[:, unit] /= 2
    blocks = hessian(split).reshape(6, k, 6, k)
    sector = (blocks[unit, :, unit] + blocks[5, :, 5] - blocks[unit, :, 5] - blocks[5, :, unit]) / 2
    own = hessian(w)[0].reshape(5, k, 5, k)[unit, :, unit] - 0.5 * torch.eye(k, dtype=torch.float64)
    expected = 2 * torch.linalg.eigvalsh(own)
    torch.testing.assert_close(torch.linalg.eigvalsh(sector), expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(own @ w[0, unit], torch.zeros(k, dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_members_values_do_not_depend_on_its_batch_mates():
    w = draw(17, 3, 5)
    for form in (loss, gradient, hessian):
        torch.testing.assert_close(form(w)[11], form(w[11:12])[0], rtol=1e-13, atol=1e-13)


def test_hessian_is_symmetric_and_the_slope_of_the_gradient():
    w, step = draw(2, 3, 3), 1e-6
    curvature = hessian(w)
    torch.testing.assert_close(curvature, curvature.mT)
    for column in range(9):
        shift = torch.zeros(9, dtype=torch.float64)
        shift[column] = step
        difference = (gradient(w + shift.view(3, 3)) - gradient(w - shift.view(3, 3))).reshape(2, 9) / (2 * step)
        torch.testing.assert_close(curvature[:, :, column], difference, rtol=1e-6, atol=1e-7)
