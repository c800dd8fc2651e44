"""Critical points of both kinds are reached to the last digits, and members that are not near one are refused."""

from __future__ import annotations

import math

import pytest
import torch

from escapedim.landscape.landing import land
from escapedim.landscape.polish import STILL, Refusal, polish
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from tests.landscape.networks import draw, relu_students


class Bowl:
    """Σ λ_i (θ_i - 3)² / 2 + (θ_i - 3)³ / 6: one critical point of known curvature for each member at θ = 3."""

    no_critical_below = -math.inf

    def __init__(self, *curvature: float) -> None:
        self._lam = torch.tensor(curvature, dtype=torch.float64)

    def loss(self, flat):
        away = flat - 3
        return (self._lam * away**2 / 2 + away**3 / 6).sum(1)

    def gradient(self, flat):
        away = flat - 3
        return self._lam * away + away**2 / 2

    def hessian(self, flat):
        return torch.diag_embed(self._lam + (flat - 3))

    def norm(self, gradient):
        return gradient.norm(dim=1)

    def symmetries(self, flat):
        return flat.new_zeros(*flat.shape, 0)

    def kinks(self, flat):
        return torch.zeros(len(flat), dtype=torch.bool)

    def dead(self, flat):
        return torch.zeros(len(flat), 1, dtype=torch.bool)

    def units(self, flat):
        return None


def near(members: int, size: int = 2, distance: float = 0.1) -> torch.Tensor:
    return 3 + distance * draw(members, size).clamp(-1, 1)


@pytest.mark.parametrize("curvature", [(1.0, 2.0), (1.0, 1e-2), (-1.0, 2.0), (-1.0, -3.0)])
def test_critical_points_of_any_index_are_reached(curvature):
    bowl = Bowl(*curvature)
    start = 3 + torch.tensor([[3e-3, 0.0], [0.0, 3e-3], [2e-3, -2e-3]], dtype=torch.float64)
    found = polish(bowl, start)
    down = bowl.loss(start) + 1e-12 >= 0
    assert [refusal is None for refusal in found.refusals] == down.tolist()
    assert {refusal for refusal in found.refusals if refusal} <= {Refusal.UP}
    torch.testing.assert_close(found.flat[down], torch.full_like(found.flat[down], 3.0), rtol=0, atol=1e-8)
    torch.testing.assert_close(found.flat[~down], start[~down], rtol=0, atol=0)
    assert (found.gradient_norm[down] <= STILL).all()
    torch.testing.assert_close(found.moved[down], (start - 3).norm(dim=1)[down], rtol=1e-6, atol=0)


def test_a_member_far_from_any_critical_point_is_refused_and_stays():
    start = torch.tensor([[3.0, 4.5], [3.0, 3.001]], dtype=torch.float64)
    found = polish(Bowl(1.0, 2.0), start)
    assert found.refusals == [Refusal.FAR, None]
    assert torch.equal(found.flat[0], start[0])
    assert found.moved[0] == 0


def test_a_slope_without_a_critical_point_is_refused():
    class Slope(Bowl):
        def gradient(self, flat):
            return super().gradient(flat) + torch.tensor([0.0, 1e-4])

        def hessian(self, flat):
            return torch.diag_embed(torch.stack([torch.ones(len(flat)).double(), 0 * flat[:, 0]], 1))

        def loss(self, flat):
            return (flat[:, 0] - 3) ** 2 / 2 + 1e-4 * flat[:, 1]

    found = polish(Slope(1.0, 0.0), near(3, distance=1e-3))
    assert set(found.refusals) <= {Refusal.SLOW, Refusal.FAR}


def test_a_hessian_that_is_not_finite_stops_only_its_own_member():
    class Broken(Bowl):
        def hessian(self, flat):
            broken = super().hessian(flat)
            broken[(flat[:, 0] > 3.05)] = torch.nan
            return broken

    found = polish(Broken(1.0, 2.0), torch.tensor([[3.1, 3.0], [3.01, 3.0]], dtype=torch.float64))
    assert found.refusals == [Refusal.BROKEN, None]


def test_landing_goes_to_minima_only():
    start = near(4, distance=1e-2)
    for curvature, expected in (((1.0, 2.0), True), ((-1.0, 2.0), False)):
        flat, landed = land(Bowl(*curvature), start)
        assert landed.tolist() == [expected] * 4
        torch.testing.assert_close(flat, torch.full_like(flat, 3.0) if expected else start, rtol=0, atol=1e-8)


def test_landing_is_not_certified_where_curvature_vanishes_or_the_way_is_long():
    assert not land(Bowl(1.0, 0.0), 3 + (near(2, distance=1e-2) - 3).abs())[1].any()
    assert not land(Bowl(1.0, 2.0), torch.tensor([[3.0, 4.5]], dtype=torch.float64))[1].any()


def test_bad_minima_of_the_relu_teacher_are_reached_from_the_end_of_a_descent():
    """k = n = 10, Safran & Shamir 2018: descent from N(0, 1/k) meets minima of loss above 1e-3."""
    on, flat = ReluTeacherSurface(10), relu_students()
    bad = flat[(on.loss(flat) > 1e-3) & (on.norm(on.gradient(flat)) < 1e-3)]
    assert len(bad) >= 1
    landed, certified = land(on, bad)
    polished = polish(on, bad)
    assert certified.all()
    assert polished.refusals == [None] * len(bad)
    torch.testing.assert_close(landed, polished.flat, rtol=0, atol=1e-8)
    assert (on.norm(on.gradient(landed)) <= STILL).all()


def test_a_members_polish_does_not_depend_on_its_batch_mates():
    on = ReluTeacherSurface(3)
    flat = draw(9, 9, seed=5)
    for _ in range(3000):
        flat = flat - 0.1 * on.gradient(flat)
    whole = polish(on, flat)
    for member in range(9):
        alone = polish(on, flat[member : member + 1])
        assert alone.refusals == whole.refusals[member : member + 1]
        torch.testing.assert_close(alone.flat[0], whole.flat[member], rtol=1e-9, atol=1e-9)
