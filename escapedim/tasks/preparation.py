"""What the tasks on data share: checks, the held-out part, standardised inputs, and the default recipe.

The recipe is the one of LeNet-300-100 in Frankle & Carbin 2019 (arXiv 1803.03635): Adam 1.2e-3, batch
60, Glorot-normal; the number of steps is ours and differs by task. Criterion: `train_accuracy >= 0.95`
(ours: reached by wide networks on the default task and missed by narrow ones).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from escapedim.errors import BadInput
from escapedim.machine import process_mb
from escapedim.tasks.base import Array, Criterion, Split, hashed_order

FEWEST_SAMPLES = 10
"""Smallest training set of which a tenth can be held out."""

ACCURATE = Criterion("train_accuracy", ">=", 0.95)


def unusable(where: str | Path, expected: str, found: str, remedy: str) -> BadInput:
    """Build the one sentence that every unusable file or array ends in."""
    return BadInput(f"{where}: expected {expected}, found {found}; {remedy}.")


def check_memory(needed_bytes: float, where: str | Path) -> None:
    """Refuse data that would not fit into memory, before they are read: a small file may unpack to any size.

    Raises
    ------
    BadInput
        More than this process may still take.
    """
    needed_mb, free_mb = needed_bytes / 1e6, process_mb()
    if free_mb is not None and needed_mb > free_mb:
        raise BadInput(
            f"{where}: reading these data takes about {needed_mb:,.0f} MB of memory, {free_mb:,.0f} MB are free; use "
            "fewer samples, a higher limit (ulimit -v, sbatch --mem) or a machine with more memory."
        )


def lenet_recipe(steps: str, batch_size: int = 60) -> dict[str, object]:
    """Return the default recipe of Frankle & Carbin 2019 for fully connected networks."""
    return {
        "optimizer": "adam",
        "lr": 1.2e-3,
        "batch_size": batch_size,
        "steps": steps,
        "schedule": "constant",
        "dtype": "float32",
        "activation": "relu",
        "init": "glorot-normal",
    }


def descent_recipe(lr: float, steps: str, activation: str, init: str) -> dict[str, object]:
    """Return a recipe of full-batch gradient descent in float64, where endings are classified."""
    return {
        "optimizer": "gd",
        "lr": lr,
        "batch_size": "full",
        "steps": steps,
        "schedule": "constant",
        "dtype": "float64",
        "activation": activation,
        "init": init,
    }


def default_architecture() -> dict[str, object]:
    """Return one hidden layer of 100 units, and the widths over which width decides on `digits` (both ours).

    With 100 units `prune` and `widen` are about one family of networks, and tickets of `digits` can be told from their
    controls. (That was seen before the width was chosen: LeNet-300-100 decides nothing there within the same time.)
    Success goes from under 20 % to over 90 % at 2 to 16 units and on to 80; 14 units have as many weights as the
    tickets of the last default round.
    """
    return {"hidden": [100], "widths": "2:12,14,16,24,32,48,80"}


def hold_out(data: Split, purpose: str) -> tuple[Split, Split]:
    """Return the training and the validation part: a tenth is held out, in an order fixed by `purpose`."""
    order = hashed_order(len(data), purpose)
    held = round(len(data) / 10)
    return take(data, order[held:]), take(data, order[:held])


def take(data: Split, index: Array) -> Split:
    """Return the samples at `index`."""
    return Split(data.x[index], data.y[index])


def standardisation(x: Array) -> tuple[Array, Array]:
    """Return `(shift, scale)`, each `(inputs,)`, that give every input mean 0 and standard deviation 1.

    Inputs that are constant over `x` get scale 0. Constancy is decided by the extremes: the computed
    standard deviation of a constant is often a rounding error, and dividing by it gives huge inputs.
    """
    values = x.astype(np.float64)
    shift, deviation = values.mean(axis=0), values.std(axis=0)
    varies = (values.max(axis=0) > values.min(axis=0)) & (deviation > np.finfo(np.float32).tiny)
    return shift, np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)


def check_enough(count: int, where: str | Path) -> None:
    """Refuse a training set that is too small to hold out a tenth of it."""
    if count < FEWEST_SAMPLES:
        raise unusable(
            where,
            f"at least {FEWEST_SAMPLES} training samples",
            str(count),
            "a tenth is held out, so add samples",
        )


def check_labels(train: Array, test: Array, where: str | Path) -> None:
    """Refuse labels `(samples,)` with one class only, and those that occur in one of training and test only."""
    known = np.unique(train)
    if len(known) < 2:
        raise unusable(where, "at least 2 different training labels", str(len(known)), "there is nothing to learn")
    unseen = np.setdiff1d(test, known)
    if len(unseen):
        raise unusable(
            where,
            "only test labels that occur in training",
            f"test label {unseen[0]}, which does not",
            "add training samples of it or remove it from the test set",
        )
    untested = np.setdiff1d(known, test)
    if len(untested):
        raise unusable(
            where,
            "test samples of every training label",
            f"training label {untested[0]}, of which there are none",
            "add test samples of it or remove it from the training set",
        )


def check_range(task: str, name: str, value: float, limits: tuple[float, float]) -> None:
    """Refuse a parameter of a task that lies outside `limits`, both of which are allowed."""
    least, most = limits
    if not least <= value <= most:
        expected = f"{name} from {least:,} to {most:,}"
        raise unusable(task, expected, f"{name}={value}", f"write {task}:{name}={min(max(value, least), most)}")
