"""The default task: UCI optical digits, 8 x 8 pixels, ten classes, embedded in the package.

E. Alpaydin and C. Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, doi 10.24432/C50P49, CC BY 4.0: the 1,797 images of its test part.

Every pixel is standardised by the training part's mean and standard deviation. With raw 0..1 pixels the
recipe's 1,000 steps do not suffice to train the sparse networks, so that the budget would be measured
and not the mask.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from escapedim.tasks.base import Split, Task, hashed_order
from escapedim.tasks.preparation import ACCURATE, default_architecture, lenet_recipe, standardisation, take

SPLIT = "escapedim digits split 1"
TEST, VALIDATION = 360, 144
"""A fifth for the test, a tenth of the rest for validation; 1,293 images remain for training."""


EXPERIMENTS = {"isolate": 7, "complement": 7, "restarts": 7, "at": 8}
"""What `widen` measures beside success by width: where a fifth of the narrow networks succeed, and most wide ones."""


def load() -> Task:
    """Return the digits; inputs are uint8 pixels 0..16 `(samples, 64)`, standardised by shift and scale."""
    data = _stored()
    order = hashed_order(len(data), SPLIT)
    test, validation, train = (take(data, part) for part in np.split(order, [TEST, TEST + VALIDATION]))
    shift, scale = standardisation(train.x)
    return Task(
        name="digits",
        source="E. Alpaydin and C. Kaynak 1998, doi 10.24432/C50P49, CC BY 4.0",
        train=train,
        validation=validation,
        test=test,
        outputs=10,
        loss="cross-entropy",
        criterion=ACCURATE,
        recipe=lenet_recipe(steps="1000it"),
        architecture={**default_architecture(), **EXPERIMENTS},
        identity={"name": "digits"},
        shift=shift,
        scale=scale,
        image_shape=(1, 8, 8),
    )


def _stored() -> Split:
    resource = files("escapedim.tasks").joinpath("data", "digits.npz")
    with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    return Split(images.reshape(len(images), -1), labels.astype(np.int64))
