"""`erf-channel`: a test bed with a plateau and two channels to infinity (Martinelli et al. 2025, arXiv 2506.14951).

One input x ~ N(0, 1), units σ(z) = erf(z / √2) without biases, target σ(5x + 2.5) + σ(5x - 2.5). By default two units;
all weights are drawn N(0, 3²). The loss E r² is a quadrature: the trapezoid rule on [-9, 9], whose error falls
exponentially with the number of nodes; with 361 of them it is below 1e-9 for incoming weights up to 12. (Gauss-Hermite
with 100 nodes is wrong in the third digit.) Success is L < 0.01: of the plateau (0.0471) and the two channels (0.0424
and 0.0008 at infinity) only the lower channel gets there. Channels are no minima, so that a member with a small loss
goes on until its ending can be told.

The recipe is ours. Along a channel the weights grow with the fourth root of time: after 200,000 steps of 0.1 every
member of width 2 is so far along that its channel can be told from a plateau, after a third of them some are not. The
largest curvature on the way from 300 draws is 73, beyond what a step of 0.1 follows closely (2 / 0.1 = 20), but with
steps of 0.02 as many members end in the lower channel (57 of 100 against 34 of 60). With a third unit most endings are
undecided.
"""

from __future__ import annotations

import math

import numpy as np

from escapedim.tasks.base import Array, Criterion, Split, Task
from escapedim.tasks.preparation import descent_recipe

NAME = "erf-channel"
SUCCESS_BELOW = 0.01
GLOBAL_BELOW = 1e-6  # below both channels, whose losses at infinity are 0.0008 and 0.0424; ours
NODES, REACH = 361, 9.0


def load() -> Task:
    """Return the task: the nodes `(361, 1)`, the target there `(361, 1)`, and the weights of the nodes."""
    x = np.linspace(-REACH, REACH, NODES)
    nothing = Split(np.zeros((0, 1)), np.zeros((0, 1)))
    return Task(
        name=NAME,
        source="Martinelli et al. 2025, arXiv 2506.14951",
        train=Split(x[:, None], target(x)[:, None]),
        validation=nothing,
        test=nothing,
        outputs=1,
        loss="squared",
        criterion=Criterion("train_loss", "<", SUCCESS_BELOW),
        recipe=descent_recipe(
            lr=0.1,
            steps="200000it",
            activation="erf",
            init="normal:std=3",
        ),
        architecture={"hidden": [2], "widths": "2:3"},
        identity={"name": NAME},
        weights=density_weights(x),
        bias=False,
        hidden_layers=1,
        fixed=frozenset({"activation", "batch_size", "dtype"}),
        global_below=GLOBAL_BELOW,
        restarts=True,
    )


def target(x: Array) -> Array:
    """σ(5x + 2.5) + σ(5x - 2.5) with σ(z) = erf(z / √2)."""
    return np.array([math.fsum(math.erf(z / math.sqrt(2)) for z in (5 * v + 2.5, 5 * v - 2.5)) for v in x])


def density_weights(x: Array) -> Array:
    """Weights of evenly spaced nodes by the trapezoid rule under the standard normal density, made to sum to 1."""
    weights = np.exp(-0.5 * x * x)
    weights[[0, -1]] /= 2
    return np.asarray(weights / math.fsum(weights))
