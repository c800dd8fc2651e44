"""`mnist1d`: ten classes of signals of 40 numbers, 4,000 for training and 1,000 for the test, embedded in the package.

S. Greydanus and D. Kobak 2020, "Scaling Down Deep Learning with MNIST-1D", arXiv 2011.14439, Apache License 2.0: the
standard set of PyPI's `mnist1d`, whose generator a test runs anew. By the paper, fully connected networks get about two
thirds of its test part right, and convolutions more than nine tenths.

Signals are used as the generator makes them.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from escapedim.tasks.base import Split, Task
from escapedim.tasks.preparation import ACCURATE, hold_out, lenet_recipe

SPLIT = "escapedim mnist1d validation 1"
TRAINING = 4_000

ARCHITECTURE: dict[str, object] = {"hidden": [200, 200], "widths": "64,80,96,112,128,144,160,192,256"}
"""Two hidden layers, so that there are masks between hidden units; widths over which success goes from none to
all (ours)."""


def load() -> Task:
    """Return the signals; inputs are float32 `(samples, 40)`, a tenth of the training part held out."""
    resource = files("escapedim.tasks").joinpath("data", "mnist1d.npz")
    with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        data = Split(arrays["signals"], arrays["labels"].astype(np.int64))
    train, validation = hold_out(Split(data.x[:TRAINING], data.y[:TRAINING]), SPLIT)
    return Task(
        name="mnist1d",
        source="S. Greydanus and D. Kobak 2020, arXiv 2011.14439, Apache License 2.0",
        train=train,
        validation=validation,
        test=Split(data.x[TRAINING:], data.y[TRAINING:]),
        outputs=10,
        loss="cross-entropy",
        criterion=ACCURATE,
        # Ours: some 40 passes, after which dense networks have learned the training part nearly by heart.
        recipe={**lenet_recipe(steps="1500it", batch_size=100), "lr": 1e-2},
        architecture=ARCHITECTURE,
        identity={"name": "mnist1d"},
    )
