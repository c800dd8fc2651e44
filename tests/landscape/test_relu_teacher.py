"""The norm of the published stop rule, the line of a split, and members that sit where the loss is not smooth."""

from __future__ import annotations

import math

import torch

from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.tasks import relu_teacher_forms as forms
from tests.landscape.networks import draw


def test_values_are_the_closed_forms():
    w = draw(3, 4, 5)
    on, flat = ReluTeacherSurface(5), w.flatten(1)
    assert torch.equal(on.loss(flat), forms.loss(w))
    assert torch.equal(on.gradient(flat), forms.gradient(w).flatten(1))
    assert torch.equal(on.hessian(flat), forms.hessian(w))


def test_no_members_have_no_values():
    on, flat = ReluTeacherSurface(5), torch.zeros(0, 20, dtype=torch.float64)
    assert on.loss(flat).shape == (0,)
    assert on.gradient(flat).shape == (0, 20)
    assert on.hessian(flat).shape == (0, 20, 20)
    assert on.split_matrices(flat).shape == (0, 4, 5, 5)


def test_the_norm_is_of_the_unit_that_is_pulled_most():
    gradient = torch.tensor([[3.0, 4.0, 0.0, 1.0]], dtype=torch.float64)
    assert ReluTeacherSurface(2).norm(gradient).item() == 2 * math.pi * 5


def test_units_on_one_ray_share_a_flat_line():
    w = draw(2, 4, 3)
    w[1, 2] = 0.4 * w[1, 0]
    on, flat = ReluTeacherSurface(3), w.flatten(1)
    directions = on.symmetries(flat)
    assert directions.shape == (2, 12, 1)
    assert (directions[0] == 0).all()
    moved = flat[1:] + 0.2 * directions[1:, :, 0]
    torch.testing.assert_close(on.loss(moved), on.loss(flat[1:]), rtol=1e-9, atol=1e-12)
    assert (on.hessian(flat[1:]) @ directions[1:]).abs().max() < 1e-7


def test_a_unit_at_zero_is_a_kink_and_dead():
    w = draw(2, 3, 3)
    w[1, 1] = 0
    on = ReluTeacherSurface(3)
    assert on.kinks(w.flatten(1)).tolist() == [False, True]
    assert on.dead(w.flatten(1)).tolist() == [[False] * 3, [False, True, False]]
