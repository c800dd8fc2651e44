"""`relu-teacher:k=6`: a two-layer relu student learns an orthonormal teacher of the same kind, in closed form.

Safran & Shamir 2018 (arXiv 1712.08968): x ~ N(0, I_k), teacher Σ_j relu(v_j·x) with the k unit vectors, student
Σ_i relu(w_i·x), loss half the expected squared error. There are no samples: `relu_teacher_forms` has the loss over
parameters, and so there is neither an accuracy nor a test part.

Published recipe: W ~ N(0, 1/k) entrywise, gradient descent with step 0.1; a member that diverges starts again with half
the step; success L < 1e-3. The number of steps is ours: members that need more are few.
"""

from __future__ import annotations

import numpy as np

from escapedim.tasks.base import Criterion, Split, Task
from escapedim.tasks.preparation import check_range, descent_recipe

NAME = "relu-teacher"
PARAMETERS = {"k": 6}
"""Inputs, which are teacher units too: the smallest of the published experiments."""

GLOBAL_BELOW = 1e-3
K_RANGE = (2, 50)  # from a plane on to 2,500 parameters at n = k; ours


def teachers(k: int) -> int:
    """Return the number of the teacher's units."""
    return k


def load(k: int) -> Task:
    """Return the task with k inputs and k teacher units; its parts are empty `(0, k)`.

    Raises
    ------
    BadInput
        k is out of range.
    """
    check_range(NAME, "k", k, K_RANGE)
    nothing = Split(np.zeros((0, k)), np.zeros((0, 1)))
    return Task(
        name=NAME,
        source="Safran & Shamir 2018, arXiv 1712.08968",
        train=nothing,
        validation=nothing,
        test=nothing,
        outputs=1,
        loss="relu-teacher",
        criterion=Criterion("train_loss", "<", GLOBAL_BELOW),
        recipe=descent_recipe(
            lr=0.1,
            steps="200000it",
            activation="relu",
            init="lecun-normal",
        ),
        architecture={"model": "mlp", "hidden": [k], "widths": f"{k}:{k + 2}"},
        identity={"name": NAME, "k": k},
        bias=False,
        hidden_layers=1,
        fixed=frozenset({"model", "activation", "init", "optimizer", "batch_size", "dtype"}),
        global_below=GLOBAL_BELOW,
        restarts=True,
    )
