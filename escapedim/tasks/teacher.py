"""`teacher:inputs=4,width=4,activation=tanh,samples=500,seed=0`: a finite sample of a teacher of one hidden layer.

Inputs x ~ N(0, I); the teacher is Σ_j a_j σ(w_j·x + b_j) with w and b drawn N(0, 1) entrywise and a = ±1 from the seed:
its units differ and count alike, and a student can be exactly right from the teacher's width on (the setting of Şimşek
et al. 2021, arXiv 2105.12221; the distributions are ours). Success: a training loss of at most 1e-6 of the target's
variance, for which every unit must have been found. The student has the teacher's activation unless told otherwise.

The recipe is ours: full-batch Adam with a cosine, since without noise and with a rate that ends at 0 a student that
finds the teacher's units gets to the last digits, so that the criterion separates basins and not speeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from escapedim.errors import BadInput, nearest
from escapedim.models.layer_names import ACTIVATIONS
from escapedim.specs import Value
from escapedim.tasks.base import Array, Criterion, Split, Task
from escapedim.tasks.preparation import check_range

NAME = "teacher"
PARAMETERS: dict[str, Value] = {"inputs": 4, "width": 4, "activation": "tanh", "samples": 500, "seed": 0}
LIMITS = {"inputs": (1, 1000), "width": (1, 1000), "samples": (10, 100_000), "seed": (0, 2**32 - 1)}
TEST_SAMPLES = 1000  # ours
RELATIVE_LOSS = 1e-6

_erf = np.vectorize(math.erf, otypes=[np.float64])

FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "gelu": lambda z: z * (1 + _erf(z / math.sqrt(2))) / 2,
    "softplus": lambda z: np.logaddexp(0, z),
    "erf": lambda z: _erf(z / math.sqrt(2)),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}
"""The activations that networks have (`models.activations`), in numpy."""


def load(inputs: int, width: int, activation: str, samples: int, seed: int) -> Task:
    """Return the task: inputs `(samples, inputs)` and targets `(samples, 1)`, and a test part of 1,000 samples.

    Raises
    ------
    BadInput
        A number is out of range, or the activation is unknown.
    """
    given = {"inputs": inputs, "width": width, "samples": samples, "seed": seed}
    for name, value in given.items():
        check_range(NAME, name, value, LIMITS[name])
    if activation not in ACTIVATIONS:
        raise BadInput(f"{NAME}: expected an activation, found '{activation}'; {nearest(activation, ACTIVATIONS)}")
    random = np.random.default_rng(seed)
    weights, biases = random.standard_normal((inputs, width)), random.standard_normal(width)
    outgoing = random.choice([-1.0, 1.0], (width, 1))

    def labelled(count: int) -> Split:
        x = random.standard_normal((count, inputs))
        return Split(x, FUNCTIONS[activation](x @ weights + biases) @ outgoing)

    train, test = labelled(samples), labelled(TEST_SAMPLES)
    return Task(
        name=NAME,
        source="ours, after Şimşek et al. 2021, arXiv 2105.12221",
        train=train,
        validation=Split(train.x[:0], train.y[:0]),
        test=test,
        outputs=1,
        loss="squared",
        criterion=Criterion("train_loss", "<=", threshold := RELATIVE_LOSS * float(train.y.var())),
        recipe={
            "optimizer": "adam",
            "lr": 0.03,
            "batch_size": "full",
            "steps": "10000it",
            "schedule": "cosine",
            "dtype": "float64",
            "activation": activation,
            "init": "lecun-normal",
        },
        architecture={"hidden": [width], "widths": f"{width}:{width + 4}"},
        identity={"name": NAME, "activation": activation, **given},
        global_below=threshold,
    )
