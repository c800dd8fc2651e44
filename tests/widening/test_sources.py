"""Sources held against formulas of our own: students of three teacher units, whose critical points scipy finds."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.optimize
import torch
from torch import Tensor

from escapedim.landscape.vocabulary import Ending
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.tasks import erf_channel
from escapedim.training.certification import make_surface
from escapedim.widening.choice import Chosen
from escapedim.widening.sources import FAILED, Sources, along_the_steepest, noise, opened, sources
from tests.landscape.networks import ErfBed, limit_losses
from tests.landscape.test_channels import ON_THE_WAY

from .runs import THREE, student_gradient, student_hessian, student_loss

NARROW, WIDE = (ReluStudent(3, units) for units in (2, 3))
GAP = 1e-5  # of eigenvalues by differences


@functools.cache
def minimum() -> np.ndarray:
    """Two units `(2, 3)` that do what two can: a strict minimum that is a bad one."""
    found = scipy.optimize.minimize(
        lambda row: student_loss(row.reshape(2, 3)),
        np.random.default_rng(0).normal(size=6),
        jac=lambda row: student_gradient(row.reshape(2, 3)),
        method="BFGS",
        options={"gtol": 1e-11},
    ).x.reshape(2, 3)
    for _ in range(2):  # BFGS ends where the loss no longer changes, how near depends on the processor
        found = found - np.linalg.solve(student_hessian(found), student_gradient(found).ravel()).reshape(2, 3)
    assert student_loss(found) > 1e-3
    assert np.linalg.eigvalsh(student_hessian(found))[0] > 1e-3
    return found


def split(w: np.ndarray, unit: int) -> np.ndarray:
    """Units of which one is halved and has a copy: a critical point where `w` is one."""
    halves = np.array([w[unit] / 2] * 2)
    return np.concatenate([np.delete(w, unit, 0), halves])


def rows(*points: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack([point.ravel() for point in points]))


def chosen(flat: Tensor, *endings: Ending, losses: list[float] | None = None) -> Chosen:
    return Chosen(list(range(len(flat))), flat, list(endings), losses or [7.0] * len(flat))


def curvature(w: np.ndarray) -> tuple[int, float, np.ndarray]:
    values, vectors = np.linalg.eigh(student_hessian(w))
    return int((values < -GAP).sum()), float(values[0]), vectors[:, 0]


def test_a_certified_member_is_polished_and_its_loss_is_that_of_its_critical_point():
    w = minimum()
    near = w + 1e-5 * np.random.default_rng(1).normal(size=(2, 3))
    assert np.abs(student_gradient(near)).max() > 1e-7
    given = rows(near)
    found = sources(NARROW, chosen(given, Ending.BAD_MINIMUM), THREE)
    polished = found.rows[0].numpy().reshape(2, 3)
    gradient = student_gradient(polished).reshape(2, 3)
    assert 2 * math.pi * np.linalg.norm(gradient, axis=1).max() < 1e-9
    assert polished == pytest.approx(w, abs=1e-8)
    assert (found.classes, found.negative, found.critical) == (["bad minimum"], [0], [True])
    assert found.losses == [pytest.approx(student_loss(w), rel=1e-12)]
    assert torch.equal(given, rows(near))  # what was chosen is not changed


def test_members_without_a_certified_ending_stay_where_they_are():
    w = minimum()
    near = w + 1e-5
    kinds = (Ending.STALLED, Ending.UNDECIDED, Ending.BAD_MINIMUM, Ending.GLOBAL_MINIMUM)
    given = rows(near, near, near, np.eye(3)[:2] * 0.5)
    found = sources(NARROW, chosen(given, *kinds, losses=[0.1, 0.2, 0.3, math.nan]), THREE)
    assert found.classes == [FAILED, FAILED, "bad minimum", FAILED]
    assert found.losses == [0.1, 0.2, pytest.approx(student_loss(w), rel=1e-12), None]
    assert found.negative == [None, None, 0, None]
    assert found.critical == [False, False, True, False]
    assert [torch.equal(*pair) for pair in zip(found.rows, given, strict=True)] == [True, True, False, True]


def test_what_cannot_be_certified_again_is_a_failed_member():
    far = minimum() + 0.3
    given = rows(far, minimum())
    found = sources(NARROW, chosen(given, Ending.BAD_MINIMUM, Ending.BAD_MINIMUM), THREE)
    assert found.classes == [FAILED, "bad minimum"]
    assert found.losses[0] == 7.0
    assert torch.equal(found.rows[0], given[0])


def test_without_a_surface_nothing_is_certified():
    online = replace(THREE, loss="squared", stream=lambda seeds, step, batch: (np.zeros(()), np.zeros(())))
    model = MLP((3, 2, 1), "tanh", bias=False)
    given = torch.ones(2, 9, dtype=torch.float64)
    found = sources(model, chosen(given, Ending.BAD_MINIMUM, Ending.SADDLE), online)
    assert found.classes == [FAILED] * 2
    assert torch.equal(found.rows, given)


def test_nobody_has_no_sources():
    found = sources(NARROW, chosen(torch.zeros(0, 6, dtype=torch.float64)), THREE)
    assert (len(found.rows), found.classes, found.losses, found.negative) == (0, [], [], [])


@pytest.mark.parametrize("unit", [0, 1])
def test_a_saddle_has_its_negative_directions(unit):
    w = split(minimum(), unit)
    found = sources(WIDE, chosen(rows(w), Ending.SADDLE), THREE)
    assert found.classes == ["saddle"]
    assert found.negative == [curvature(w)[0]]
    assert found.negative[0] > 0
    assert found.losses == [pytest.approx(student_loss(minimum()), rel=1e-12)]


def test_the_loss_of_a_channel_is_that_at_infinity():
    bed = ErfBed()
    settled = bed.descend(torch.tensor(ON_THE_WAY, dtype=torch.float64), steps=3000, rate=0.1)
    given = chosen(settled, Ending.CHANNEL, Ending.CHANNEL)
    found = sources(MLP((1, 2, 1), "erf", bias=False), given, erf_channel.load())
    assert found.classes == ["channel"] * 2
    assert found.losses == pytest.approx(limit_losses(), rel=1e-6)
    assert torch.equal(found.rows, settled)  # there is no critical point to polish them to


def made(flat: Tensor, classes: list[str], negative: list[int | None]) -> Sources:
    return Sources(flat, classes, [1.0] * len(flat), negative)


def test_what_opened_is_what_the_wide_network_has_beyond_its_source():
    w, off = split(minimum(), 1), split(minimum() + 0.1, 0)
    surface = make_surface(WIDE, THREE)
    wide = rows(w, off, w, w)
    count, least, _ = curvature(w)
    found = opened(surface, wide, made(wide, ["saddle", FAILED, "saddle", "saddle"], [0, None, 1, count + 1]), True)
    assert count >= 1
    assert found.negative == [count, None, count - 1, 0]
    assert found.smallest == [pytest.approx(least, abs=GAP), None, *[pytest.approx(least, abs=GAP)] * 2]
    assert found.gradient[1] is None
    assert max(found.gradient[n] for n in (0, 2, 3)) < 1e-8


def test_where_embedded_points_are_not_critical_only_the_gradient_is_told():
    off = split(minimum() + 0.1, 0)
    wide = rows(off, off)
    found = opened(make_surface(WIDE, THREE), wide, made(wide, ["saddle", FAILED], [0, None]), False)
    norm = 2 * math.pi * np.linalg.norm(student_gradient(off).reshape(3, 3), axis=1).max()
    assert found.gradient == [pytest.approx(norm, rel=1e-9), None]
    assert found.negative == found.smallest == [None, None]


def test_nothing_is_told_of_failed_members():
    wide = rows(split(minimum(), 0))
    found = opened(make_surface(WIDE, THREE), wide, made(wide, [FAILED], [None]), True)
    assert found.gradient == found.negative == found.smallest == [None]


def test_noise_is_each_members_own_and_as_long_as_asked():
    flat = torch.randn(5, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seeds = [11, 12, 13, 14, 15]
    found = noise(flat, 1e-3, seeds)
    assert found.norm(dim=1).numpy() == pytest.approx(1e-3 * np.linalg.norm(flat.numpy(), axis=1), rel=1e-12)
    for n, seed in enumerate(seeds):
        assert torch.equal(noise(flat[n : n + 1], 1e-3, [seed])[0], found[n])
    directions = found / found.norm(dim=1, keepdim=True)
    assert float((directions @ directions.T - torch.eye(5)).abs().max()) < 0.7
    assert torch.equal(noise(flat, 2e-3, seeds), 2 * found)


def test_noise_has_no_direction_of_its_own():
    drawn = noise(torch.ones(4000, 3, dtype=torch.float64), 1 / math.sqrt(3), list(range(4000)))
    assert drawn.mean(0).abs().max() < 5 / math.sqrt(3 * 4000)
    assert (drawn.T @ drawn / 4000).numpy() == pytest.approx(np.eye(3) / 3, abs=0.03)


def test_the_steepest_direction_is_an_eigenvector_of_either_sign():
    w = split(minimum(), 0)
    flat = rows(*[w] * 12)
    moved = along_the_steepest(make_surface(WIDE, THREE), flat, 0.02, list(range(12))).numpy()
    _, _, steepest = curvature(w)
    along = moved @ steepest
    assert np.abs(along) == pytest.approx(0.02 * np.linalg.norm(w), rel=1e-6)
    assert np.linalg.norm(moved, axis=1) == pytest.approx(0.02 * np.linalg.norm(w), rel=1e-9)
    assert {*np.sign(along)} == {-1.0, 1.0}


def test_where_no_direction_is_negative_nothing_moves():
    flat = rows(minimum(), minimum())
    assert not along_the_steepest(make_surface(NARROW, THREE), flat, 0.02, [1, 2]).any()
