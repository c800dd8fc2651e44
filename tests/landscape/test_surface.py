"""Stacks of members that fit a budget, and second derivatives of a loss whose Hessian is known."""

from __future__ import annotations

import pytest
import torch

from escapedim.landscape import surface as surface_module
from escapedim.landscape.surface import BUDGET, chunks, in_chunks, second_derivatives
from tests.landscape.networks import draw

MEMBERS = 7
CASES = {
    "all at once": (100, 1, [7]),
    "exactly all": (70, 10, [7]),
    "three at a time": (30, 10, [3, 3, 1]),
    "what is left over is not used": (39, 10, [3, 3, 1]),
    "one at a time": (10, 10, [1] * 7),
    "a member larger than the budget": (5, 10, [1] * 7),
    "members without numbers": (7, 0, [7]),
}
"""Budget, numbers a member, and the members of each stack."""


@pytest.fixture(params=CASES)
def case(request, monkeypatch):
    budget, numbers, sizes = CASES[request.param]
    monkeypatch.setattr(surface_module, "BUDGET", budget)
    return numbers, sizes


def test_stacks_hold_as_many_members_as_the_budget_allows(case):
    numbers, sizes = case
    flat = draw(MEMBERS, 2)
    parts = chunks(flat, numbers)
    assert [len(part) for part in parts] == sizes
    assert torch.equal(torch.cat(parts), flat)


def test_stacks_change_nothing(case):
    numbers, sizes = case
    flat, seen = draw(MEMBERS, 4), []

    def outer(part: torch.Tensor) -> torch.Tensor:
        seen.append(len(part))
        return part.unsqueeze(2) * part.unsqueeze(1).exp()

    assert torch.equal(in_chunks(outer, flat, numbers), flat.unsqueeze(2) * flat.unsqueeze(1).exp())
    assert seen == sizes


def test_no_members_have_no_values():
    assert in_chunks(lambda part: part.sum(1), draw(0, 4), 10).shape == (0,)


def test_a_stack_of_the_shipped_budget_takes_at_most_128_megabytes_in_float64():
    assert 8 * BUDGET <= 128 * 2**20


def test_second_derivatives_of_a_loss_whose_hessian_is_known():
    """L = ½ θᵀ A θ + Σ θ⁴ has the Hessian A + 12 diag(θ²), each member its own."""
    half, flat = draw(5, 5, seed=1), draw(3, 5, seed=2)
    matrix = half + half.T
    found = second_derivatives(lambda row: row @ matrix @ row / 2 + (row**4).sum())(flat)
    torch.testing.assert_close(found, matrix + 12 * torch.diag_embed(flat**2), rtol=1e-12, atol=1e-12)
