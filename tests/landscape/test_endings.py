"""Endings in their order: divergence, the loss, channels, nearness, the polish, curvature."""

from __future__ import annotations

import numpy as np
import torch

from escapedim.landscape import endings
from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.endings import Certificates, certify
from escapedim.landscape.landing import land
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.landscape.vocabulary import Ending
from escapedim.models.mlp import MLP
from tests.landscape.networks import draw, minimum, relu_students, unbiased
from tests.landscape.test_polish import Bowl


def point(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def only(found: Certificates) -> tuple[Ending, str]:
    assert len(found) == 1
    return found.ending[0], found.reason[0]


def test_a_member_that_is_not_finite_diverged_and_its_siblings_do_not_notice():
    flat = torch.cat([point(3.0, torch.nan), point(3.0005, 3.0), point(torch.inf, 3.0)])
    found = certify(Bowl(1.0, 2.0), flat, None)
    assert found.ending.tolist() == [Ending.DIVERGED, Ending.BAD_MINIMUM, Ending.DIVERGED]
    assert np.isclose(found.smallest_eigenvalue[1], 1)
    assert np.isnan(found.smallest_eigenvalue[0])


def test_the_loss_decides_the_global_minimum_before_anything_else():
    found = certify(Bowl(1.0, 2.0), torch.cat([point(3.1, 3.0), point(3.3, 3.0)]), 0.01)
    assert found.ending.tolist() == [Ending.GLOBAL_MINIMUM, Ending.UNDECIDED]
    assert np.isnan(found.smallest_eigenvalue).all()
    assert found.moved.tolist() == [0, 0]


def test_a_member_far_from_stillness_says_so():
    reason = "the gradient norm is above 0.001: the descent did not come near a critical point"
    assert only(certify(Bowl(1.0, 2.0), point(3.02, 3.0), None)) == (Ending.UNDECIDED, reason)


def test_a_saddle_has_its_negative_directions_counted():
    found = certify(Bowl(1.0, -2.0, -0.5), point(3.0, 3.0, 3.0), None)
    assert only(found) == (Ending.SADDLE, "")
    assert (found.negative_directions[0], found.smallest_eigenvalue[0], found.largest_eigenvalue[0]) == (2, -2, 1)


def test_a_member_that_has_passed_the_saddle_is_not_called_one():
    ending, reason = only(certify(Bowl(1.0, -2.0), point(3.0, 3.0002), None))
    assert ending is Ending.UNDECIDED
    assert "lies higher" in reason


class Quartic(Bowl):
    """Flat at second order, but a minimum."""

    def loss(self, flat):
        away = flat - 3
        return (self._lam * away**2 / 2 + away**4 / 24).sum(1)

    def gradient(self, flat):
        away = flat - 3
        return self._lam * away + away**3 / 6

    def hessian(self, flat):
        return torch.diag_embed(self._lam + (flat - 3) ** 2 / 2)


def test_a_flat_direction_along_which_the_loss_falls_is_no_minimum():
    found = certify(Bowl(1.0, 0.0), point(3.0, 3.0), None)
    assert only(found) == (Ending.STALLED, "the loss falls further along a flat direction")
    assert found.zero_directions[0] == 1


def test_curvature_that_vanishes_is_marginal_and_no_saddle():
    found = certify(Quartic(1.0, 0.0), point(3.0, 3.0), None)
    assert only(found) == (Ending.BAD_MINIMUM, "")
    assert found.marginal[0]
    assert found.zero_directions[0] == 1


def test_a_quiet_member_without_a_critical_point_nearby_is_stalled():
    class Slope(Bowl):
        def gradient(self, flat):
            return super().gradient(flat) + torch.tensor([0.0, 1e-8], dtype=torch.float64)

        def hessian(self, flat):
            return torch.diag_embed(torch.stack([torch.ones(len(flat)).double(), 0 * flat[:, 0]], 1))

    ending, reason = only(certify(Slope(1.0, 0.0), point(3.0, 3.0), None))
    assert ending is Ending.STALLED
    assert reason.startswith("a slow plateau")


def test_cross_entropy_below_the_loss_of_a_wrong_sample_is_not_searched_for_critical_points(monkeypatch):
    """Two samples at ±1: with weights ±w on the two classes the loss is log(1 + exp(-2w)), and falls for ever."""
    x = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    on = DenseSurface(MLP((1, 1, 2), "tanh"), "cross-entropy", x, torch.eye(2, dtype=torch.float64))
    flat = torch.cat([point(20.0, 0.0, w, -w, 0.0, 0.0) for w in (0.2, 4.5, 9.0)])
    assert on.no_critical_below == np.log(2) / 2
    monkeypatch.setattr(DenseSurface, "hessian", None)
    found = certify(on, flat, None)
    assert found.ending.tolist() == [Ending.UNDECIDED, Ending.UNDECIDED, Ending.STALLED]
    assert found.reason.tolist() == [endings.FAR_OFF, endings.ENDLESS, endings.ENDLESS]
    assert not land(on, flat[1:])[1].any()


def test_more_parameters_than_a_full_spectrum_takes_are_undecided(monkeypatch):
    monkeypatch.setattr(endings, "MOST_PARAMETERS", 1)
    assert only(certify(Bowl(1.0, 2.0), point(3.0, 3.0), None)) == (Ending.UNDECIDED, "more than 1 parameters")


def test_a_dead_unit_is_never_a_minimum():
    x = draw(20, 2, seed=31)
    targets = torch.relu(x.sum(1, keepdim=True) * 0.5 + 0.3)
    on = DenseSurface(MLP((2, 2, 1), "relu"), "squared", x, targets)
    # Units (0.5, 0.5; 0.3) and (0.1, 0.1; -50): the second one is off, the first one fits the targets exactly.
    off = point(0.5, 0.5, 0.1, 0.1, 0.3, -50, 1.0, 0.7, 0.0)
    assert only(certify(on, off, None)) == (Ending.UNDECIDED, "1 dead unit")
    alone = DenseSurface(MLP((2, 1, 1), "relu"), "squared", x, targets)
    assert only(certify(alone, point(0.5, 0.5, 0.3, 1.0, 0.0), None)) == (Ending.BAD_MINIMUM, "")


def test_a_kink_is_never_a_minimum():
    x = torch.tensor([[1.0], [2.0], [-1.0]], dtype=torch.float64)
    on = DenseSurface(MLP((1, 1, 1), "relu"), "squared", x, torch.tensor([[0.0], [1.0], [0.0]], dtype=torch.float64))
    # relu(x - 1) fits all three samples, with the first one on its kink.
    ending, reason = only(certify(on, point(1.0, -1.0, 1.0, 0.0), None))
    assert ending is Ending.STALLED
    assert "kink" in reason


def test_the_published_minimum_of_the_relu_teacher():
    """k = n = 10: most bad members end at one level, which descents of 2018 met too; its curvature is positive."""
    on, flat = ReluTeacherSurface(10), relu_students()
    found = certify(on, flat, 1e-3)
    settled = found.ending != Ending.UNDECIDED
    assert set(found.ending[settled]) == {Ending.GLOBAL_MINIMUM, Ending.BAD_MINIMUM}
    bad = found.ending == Ending.BAD_MINIMUM
    assert (found.smallest_eigenvalue[bad] > 1e-3).all()
    assert (found.gradient_norm[bad] <= 1e-9).all()
    assert np.isclose(found.loss[bad], 0.0187021946, rtol=1e-6).any()


def test_stacks_and_members_are_named_alike(monkeypatch):
    on = DenseSurface(unbiased((2, 2, 1), "tanh"), "squared", draw(20, 2, seed=31), draw(20, 1, seed=32))
    flat = torch.stack([minimum(on, start) for start in draw(3, 6, seed=33)])
    whole = certify(on, flat, None)
    alone = [certify(on, row[None], None) for row in flat]
    assert whole.ending.tolist() == [found.ending[0] for found in alone]
    np.testing.assert_allclose(whole.smallest_eigenvalue, [found.smallest_eigenvalue[0] for found in alone], rtol=1e-6)
