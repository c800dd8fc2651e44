"""`life`: one step of Conway's Game of Life (Gardner 1970) for one cell, on all 512 neighbourhoods at once.

After Springer & Kenyon 2020 (arXiv 2009.01398), who found that networks of the minimal size hardly ever learn the rule
although they can represent it, and wider ones do. Inputs are the 3 x 3 neighbourhood row by row, the cell in question
in the middle, +1 alive and -1 dead; the target is the cell's next state. The full batch is the whole distribution, so
there is no held-out data, and success is exact: all 512 are right.
"""

from __future__ import annotations

import numpy as np

from escapedim.tasks.base import Array, Criterion, Split, Task

NAME = "life"
GLOBAL_BELOW = 1e-6  # of targets whose variance is near 1; 0 can be reached; ours


def load() -> Task:
    """Return all neighbourhoods `(512, 9)` and next states `(512, 1)`, as ±1."""
    cells = (np.arange(512)[:, None] >> np.arange(9)) & 1
    nothing = Split(np.zeros((0, 9)), np.zeros((0, 1)))
    return Task(
        name=NAME,
        source="after Springer & Kenyon 2020, arXiv 2009.01398",
        train=Split(_signs(cells), _signs(next_state(cells))[:, None]),
        validation=nothing,
        test=nothing,
        outputs=1,
        loss="squared",
        criterion=Criterion("train_accuracy", ">=", 1.0),
        recipe={
            "optimizer": "adam",
            "lr": 0.01,
            "batch_size": "full",
            "steps": "2000it",
            "schedule": "cosine",
            "dtype": "float32",
            "activation": "relu",
            "init": "he-normal",
        },
        architecture={"hidden": [8], "widths": "2,4,6,8,12,16,24,32"},
        identity={"name": NAME},
        signs=True,
        global_below=GLOBAL_BELOW,
    )


def next_state(cells: Array) -> Array:
    """Next states `(neighbourhoods,)` of the middle of neighbourhoods `(neighbourhoods, 9)` of 0 and 1.

    A cell is born from three living neighbours and survives with two or three: it lives on where the nine cells hold
    three living ones, and keeps its state where they hold four.
    """
    alive, middle = cells.sum(1), cells[:, 4]
    return np.where(alive == 4, middle, alive == 3)


def _signs(bits: Array) -> Array:
    return (2 * bits - 1).astype(np.int8)
