"""The quadrature against a fine one and against an exact integral, the landscape against scipy's minimiser."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import erf

from escapedim.tasks.erf_channel import density_weights
from escapedim.tasks.registry import load_task

TASK = load_task("erf-channel")
X, TARGET, WEIGHTS = TASK.train.x[:, 0], TASK.train.y[:, 0], TASK.weights


def unit(z):
    return erf(z / math.sqrt(2))


def residual(x, incoming, outgoing):
    return unit(np.multiply.outer(x, incoming)) @ outgoing - unit(5 * x + 2.5) - unit(5 * x - 2.5)


def test_the_target_at_the_nodes():
    np.testing.assert_allclose(TARGET, -residual(X, np.zeros(1), np.zeros(1)), rtol=0, atol=1e-14)


def test_the_weights_are_those_of_a_standard_normal():
    assert WEIGHTS.sum() == pytest.approx(1, abs=1e-15)
    for power, moment in [(1, 0), (2, 1), (4, 3), (6, 15)]:
        assert WEIGHTS @ X**power == pytest.approx(moment, abs=1e-9)


@pytest.mark.parametrize("incoming", [(0.3, -1.0), (5.0, 2.0), (12.0, -7.0)])
def test_the_loss_has_converged(incoming):
    outgoing = np.array([2.0, -3.0])
    fine = np.linspace(-12, 12, 40_001)
    loss = WEIGHTS @ residual(X, np.array(incoming), outgoing) ** 2
    assert loss == pytest.approx(density_weights(fine) @ residual(fine, np.array(incoming), outgoing) ** 2, abs=1e-9)
    adaptive = quad(
        lambda x: residual(x, np.array(incoming), outgoing) ** 2 * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
        *(-12, 12),
        limit=500,
        epsabs=1e-12,
        points=[-0.5, 0, 0.5],
    )[0]
    assert loss == pytest.approx(adaptive, abs=1e-9)


def descended(start):
    def loss(row):
        return WEIGHTS @ residual(X, row[:2], row[2:]) ** 2

    return minimize(loss, start, method="BFGS", options={"maxiter": 400}).fun


def test_only_the_lower_channel_succeeds():
    ends = np.array([descended(np.random.default_rng(seed).normal(0, 3, 4)) for seed in range(12)])
    lower = ends < TASK.criterion.threshold
    assert 0 < lower.sum() < len(ends)
    assert (ends[~lower] > 0.04).all()
    assert (ends[lower] > 0.0007).all()


def test_the_recipe_is_the_test_beds():
    assert (TASK.recipe["init"], TASK.recipe["activation"], TASK.architecture["hidden"]) == ("normal:std=3", "erf", [2])
    assert (TASK.bias, TASK.hidden_layers, TASK.global_below) == (False, 1, 1e-6)
    assert TASK.measured == ("train_loss",)
