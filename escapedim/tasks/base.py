"""What a task is: data, the success criterion, and the default recipe.

A task owns its default recipe, so that train, prune, rewind and widen share it and their
summaries can be compared. Arrays stay in numpy and in the type they were stored in; the engine
turns them into tensors by `(raw - shift) * scale`.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Array = np.ndarray
Loss = Literal["cross-entropy", "squared"]

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Criterion:
    """A member succeeds when `metric operator threshold` holds, as in `train_accuracy >= 0.95`."""

    metric: str
    comparison: str
    threshold: float

    def met(self, metrics: Mapping[str, float]) -> bool:
        """Say whether the criterion holds; a value that is not finite never succeeds."""
        value = metrics[self.metric]
        return bool(np.isfinite(value) and _OPERATORS[self.comparison](value, self.threshold))

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison} {self.threshold:g}"


@dataclass(frozen=True)
class Split:
    """Inputs `(samples, inputs)` and targets: labels `(samples,)` or values `(samples, outputs)`."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Task:
    """A learning problem on fixed data.

    `shift` and `scale` (scalars or one per input) turn stored inputs into the network's inputs.
    `recipe` and `architecture` are default values of configuration keys. `identity` is what enters a run's
    identity: for data on disk the content's hash instead of the path.
    """

    name: str
    source: str
    train: Split
    validation: Split
    test: Split
    outputs: int
    loss: Loss
    criterion: Criterion
    recipe: Mapping[str, object]
    architecture: Mapping[str, object]
    identity: Mapping[str, object]
    shift: Array = field(default_factory=lambda: np.zeros(()))
    scale: Array = field(default_factory=lambda: np.ones(()))

    @property
    def inputs(self) -> int:
        """Number of inputs of one sample."""
        return int(self.train.x.shape[1])

    @property
    def has_accuracy(self) -> bool:
        """Whether samples have labels, so that an accuracy exists."""
        return self.loss == "cross-entropy"


def digest(*arrays: Array) -> str:
    """SHA-256 over dtype, shape and bytes of arrays: the identity of data that lie on disk."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def hashed_order(count: int, purpose: str) -> Array:
    """Return a permutation of `range(count)`, fixed by SHA-256 and not by a random generator."""
    keys = [hashlib.sha256(f"{purpose} {index}".encode()).digest() for index in range(count)]
    return np.array(sorted(range(count), key=keys.__getitem__), dtype=np.int64)
