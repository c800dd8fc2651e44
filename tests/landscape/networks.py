"""Networks and losses that the tests of endings share: small nets on drawn data, and the test bed of channels."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch
from torch import Tensor
from torch.nn import functional as F

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP


def unbiased(sizes: tuple[int, ...], activation: str) -> MLP:
    """A fully connected net without biases."""
    return MLP(sizes, activation, bias=False)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets(loss: str, samples: int, outputs: int) -> Tensor:
    if loss == "cross-entropy":
        return F.one_hot(torch.arange(samples) % outputs, outputs).double()
    return draw(samples, outputs, seed=2)


def surface(model: MLP, loss: str, samples: int = 12, weighted: bool = False) -> DenseSurface:
    """A net on inputs drawn from N(0, I) and targets that mean nothing."""
    x = draw(samples, model.sizes[0], seed=1)
    weights = torch.softmax(draw(samples, seed=3), 0) if weighted else None
    return DenseSurface(model, loss, x, targets(loss, samples, model.sizes[-1]), weights)


@dataclass(frozen=True)
class CriticalPoint:
    """A point `(1, parameters)` at which the squared loss on drawn inputs has no gradient."""

    flat: Tensor
    x: Tensor
    targets: Tensor

    def on(self, model: MLP) -> DenseSurface:
        """The same loss for a network."""
        return DenseSurface(model, "squared", self.x, self.targets)


def critical_point(model: MLP, seed: int, residual: float = 2.0, samples: int = 60) -> CriticalPoint:
    """A drawn point that the targets make critical for the squared loss, with curvature of both signs.

    The residuals are what of a draw is orthogonal to the change of the outputs with every parameter; the larger they
    are, the more their part of the Hessian counts against that of Gauss and Newton.
    """
    layout = Layout(model.shapes)
    x, row = draw(samples, model.sizes[0], seed=seed), draw(layout.size, seed=seed + 1)

    def outputs(row: Tensor) -> Tensor:
        return model.apply({name: view[0] for name, view in layout.views(row[None]).items()}, x).flatten()

    columns, _ = torch.linalg.qr(torch.func.jacrev(outputs)(row))
    drawn = residual * draw(len(columns), seed=seed + 2)
    for _ in range(2):  # twice, so that what rounding leaves is gone
        drawn = drawn - columns @ (columns.T @ drawn)
    return CriticalPoint(row[None], x, (outputs(row) - drawn).view(samples, -1))


def minimum(on: DenseSurface, start: Tensor) -> Tensor:
    """A critical point below a start `(parameters,)`, by scipy's BFGS."""

    def fun(row: np.ndarray) -> tuple[float, np.ndarray]:
        flat = torch.from_numpy(row)[None]
        return on.loss(flat).item(), on.gradient(flat)[0].numpy()

    return torch.from_numpy(
        scipy.optimize.minimize(fun, start.numpy(), jac=True, method="BFGS", options={"gtol": 1e-7}).x
    )


def split(row: Tensor, units: int, inputs: int, unit: int, share: float, mirror: bool = False) -> Tensor:
    """Copy a unit of an unbiased net with one output; it keeps the share of the outgoing weight, the copy the rest."""
    incoming, outgoing = row[: units * inputs].view(units, inputs), row[units * inputs :]
    sign = -1.0 if mirror else 1.0
    outgoing = torch.cat([outgoing, sign * (1 - share) * outgoing[unit : unit + 1]])
    outgoing[unit] *= share
    return torch.cat([torch.cat([incoming, sign * incoming[unit : unit + 1]]).flatten(), outgoing])


@functools.cache
def relu_students() -> Tensor:
    """Students of the relu teacher, k = n = 10, after a descent with the published step: bad ones and good ones."""
    on, flat = ReluTeacherSurface(10), draw(8, 100, seed=4) / 10**0.5
    for _ in range(4500):
        flat = flat - 0.1 * on.gradient(flat)
    return flat


class ErfBed:
    """Two erf units without biases and the target σ(5x + 2.5) + σ(5x - 2.5), x ~ N(0, 1), by the trapezoid rule.

    Martinelli et al. 2025 (arXiv 2506.14951).
    """

    def __init__(self, nodes: int = 361) -> None:
        self.x = torch.linspace(-9, 9, nodes, dtype=torch.float64)[:, None]
        density = torch.exp(-0.5 * self.x[:, 0] ** 2)
        self.weights, erf = density / density.sum(), TABLE["erf"].function
        self.target = erf(5 * self.x + 2.5) + erf(5 * self.x - 2.5)
        self.surface = DenseSurface(unbiased((1, 2, 1), "erf"), "squared", self.x, self.target, self.weights)

    def descend(self, flat: Tensor, steps: int, rate: float) -> Tensor:
        """Gradient descent, written out; r² is even, so that half of the nodes are enough."""
        half = (self.x[:, 0] >= 0) & (self.weights > 1e-18)
        x, target = self.x[half, 0], self.target[half, 0]
        weights = torch.where(x == 0, 1, 2) * self.weights[half]
        w, a = flat[:, :2].clone(), flat[:, 2:].clone()
        for _ in range(steps):
            z = w[:, :, None] * x
            hidden = torch.erf(z * math.sqrt(0.5))
            pull = 2 * ((a[:, :, None] * hidden).sum(1) - target) * weights
            slope = math.sqrt(2 / math.pi) * torch.exp(-0.5 * z * z)
            w_grad = a * (slope @ (pull * x)[:, :, None])[:, :, 0]
            a -= rate * (hidden @ pull[:, :, None])[:, :, 0]
            w -= rate * w_grad
        return torch.cat([w, a], 1)


def limit_losses() -> list[float]:
    """Losses of the two channels at infinity, by minimising the limit a σ(v x) + q x σ'(v x) with scipy."""
    x = np.linspace(-9, 9, 1801)
    weights = np.exp(-x * x / 2)
    weights /= weights.sum()

    def erf(z: np.ndarray) -> np.ndarray:
        return scipy.special.erf(z / np.sqrt(2))

    def loss(p: np.ndarray) -> float:
        limit = p[1] * erf(p[0] * x) + p[2] * x * np.sqrt(2 / np.pi) * np.exp(-((p[0] * x) ** 2) / 2)
        return float(weights @ (limit - erf(5 * x + 2.5) - erf(5 * x - 2.5)) ** 2)

    starts = [(3.0, 2.0, -6.0), (0.9, 1.7, 1.5)]
    options = {"xatol": 1e-10, "fatol": 1e-15, "maxiter": 4000}
    return [scipy.optimize.minimize(loss, start, method="Nelder-Mead", options=options).fun for start in starts]
