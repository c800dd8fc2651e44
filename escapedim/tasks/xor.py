"""`xor`: the four points of exclusive or, the smallest task on which width decides.

Inputs and targets are ±1; the target is the product of the inputs with its sign turned (true where exactly one input
is). Two hidden units can represent it (Rumelhart, Hinton & Williams 1986), and more find it more often. There is no
held-out data.
"""

from __future__ import annotations

import numpy as np

from escapedim.tasks.base import Criterion, Split, Task
from escapedim.tasks.preparation import descent_recipe

NAME = "xor"
GLOBAL_BELOW = 1e-6  # of targets whose variance is 1; 0 can be reached; ours


def load() -> Task:
    """Return the four points: inputs `(4, 2)` and targets `(4, 1)`, all ±1."""
    x = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float64)
    nothing = Split(x[:0], x[:0, :1])
    return Task(
        name=NAME,
        source="Rumelhart, Hinton & Williams 1986",
        train=Split(x, -x[:, :1] * x[:, 1:]),
        validation=nothing,
        test=nothing,
        outputs=1,
        loss="squared",
        criterion=Criterion("train_accuracy", ">=", 1.0),
        recipe=descent_recipe(
            lr=0.1,
            steps="5000it",
            activation="relu",
            init="he-normal",
        ),
        architecture={"hidden": [2], "widths": "2:8"},
        identity={"name": NAME},
        signs=True,
        global_below=GLOBAL_BELOW,
    )
