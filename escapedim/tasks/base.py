"""What a task is: data, the success criterion, and the default recipe.

A task owns its default recipe, so that train, prune, rewind and widen share it and their
summaries can be compared. Arrays stay in numpy and in the type they were stored in; the engine
turns them into tensors by `(raw - shift) * scale`.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

Array = np.ndarray
Loss = str
"""`cross-entropy`, `squared` (the mean over samples and outputs), or the name of a closed form without samples."""

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
        short = f"{self.threshold:g}"
        number = short if float(short) == self.threshold else repr(self.threshold)
        return f"{self.metric} {self.comparison} {number}"


@dataclass(frozen=True)
class Split:
    """Inputs `(samples, inputs)` and targets: labels `(samples,)` or values `(samples, outputs)`."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)


class Stream(Protocol):
    """Fresh samples for every step of every member of an online task; it can be pickled."""

    def __call__(self, seeds: Sequence[int], step: int, batch: int) -> tuple[Array, Array]:
        """Draw inputs `(seeds, batch, inputs)` and targets `(seeds, batch, outputs)` of one step.

        A seed's samples depend on nothing but the seed, the step and the batch size.
        """


@dataclass(frozen=True)
class Task:
    """A learning problem: samples, a stream of them, or a closed form over parameters.

    `shift` and `scale` (scalars or one per input) turn stored inputs into the network's inputs.
    `recipe` and `architecture` are default values of configuration keys. `identity` is what enters a run's
    identity: for data on disk the content's hash instead of the path.

    signs
        Targets are ±1, and a prediction is right where its sign is.
    weights
        Quadrature weights of the training samples `(samples,)`, summing to 1: the loss is Σ_s w_s r_s².
    bias
        Whether networks on this task have biases.
    hidden_layers
        The number of hidden widths that networks on this task must have; None where any number will do.
    fixed
        Configuration keys that the task fixes at its own value.
    global_below
        Training loss below which an ending is a global minimum, where the infimum is known to be 0.
    restarts
        Whether a diverged member starts again from the same draw with half the step.
    stream
        Fresh samples for every step; the training part is empty then.
    image_shape
        Channels, height and width of a sample whose inputs are an image, row by row.
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
    signs: bool = False
    weights: Array | None = None
    bias: bool = True
    hidden_layers: int | None = None
    fixed: frozenset[str] = frozenset()
    global_below: float | None = None
    restarts: bool = False
    stream: Stream | None = None
    image_shape: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.image_shape is not None and math.prod(self.image_shape) != self.inputs:
            raise ValueError(f"{self.name}: expected images of {self.inputs} numbers, found {self.image_shape}")

    @property
    def inputs(self) -> int:
        """Number of inputs of one sample."""
        return int(self.train.x.shape[1])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as networks that read images see it; of all others it is one row of inputs."""
        return self.image_shape or (self.inputs,)

    @property
    def classifies(self) -> bool:
        """Whether samples have labels."""
        return self.loss == "cross-entropy"

    @property
    def has_accuracy(self) -> bool:
        """Whether samples have labels or signs, so that an accuracy exists."""
        return self.classifies or self.signs

    @property
    def measured(self) -> tuple[str, ...]:
        """Names of the quantities that are measured at the end of a run: those that exist.

        The training loss is always there (null where training samples are never seen twice); validation chooses an
        accuracy of classifiers only.
        """
        exists = {
            "train_loss": True,
            "test_loss": len(self.test) > 0,
            "train_accuracy": self.has_accuracy and len(self.train) > 0,
            "test_accuracy": self.has_accuracy and len(self.test) > 0,
            "test_accuracy_at_best_validation": self.classifies and len(self.validation) > 0,
        }
        return tuple(name for name, there in exists.items() if there)


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
