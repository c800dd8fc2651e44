"""`npz:FILE`: a user's own arrays `x_train`, `y_train`, `x_test`, `y_test`.

Integer or boolean `y` are labels 0..C-1: classification, criterion `train_accuracy >= 0.95`. Float `y` are
values `(samples,)` or `(samples, outputs)`: regression by the loss "squared", which is the mean over
samples and outputs of the squared error, with the criterion `train_loss <= 0.01` times the variance of the
training targets (mean over outputs), so that success does not depend on their unit.

Inputs are flattened to `(samples, inputs)` and standardised by the training part, since the default
recipe cannot know their unit either. Pickled objects are never loaded.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from escapedim.errors import BadInput
from escapedim.tasks.base import Array, Criterion, Split, Task, digest
from escapedim.tasks.preparation import (
    ACCURATE,
    check_enough,
    check_labels,
    hold_out,
    lenet_architecture,
    lenet_recipe,
    standardisation,
    unusable,
)

SPLIT = "escapedim npz validation 1"
NAMES = ("x_train", "y_train", "x_test", "y_test")
RELATIVE_LOSS = 0.01
"""Success of regression, as a share of the variance of the targets (ours)."""


def load(file: str) -> Task:
    """Return the task of a file of arrays.

    Raises
    ------
    BadInput
        The file is missing or damaged, or its arrays are missing, unusable or do not fit each other.
    """
    path = _existing(file)
    arrays = _read(path)
    x_train, x_test = _inputs(path, arrays)
    labelled = _has_labels(path, arrays)
    y_train, y_test = _labels(path, arrays) if labelled else _values(path, arrays)
    train, validation = hold_out(Split(x_train, y_train), SPLIT)
    shift, scale = standardisation(train.x)
    return Task(
        name="npz",
        source="the user's arrays",
        train=train,
        validation=validation,
        test=Split(x_test, y_test),
        outputs=int(y_train.max()) + 1 if labelled else y_train.shape[1],
        loss="cross-entropy" if labelled else "squared",
        criterion=ACCURATE if labelled else _small_loss(path, train.y),
        recipe=lenet_recipe(steps="1000it", batch_size=min(60, len(train))),  # steps: ours, as for digits
        architecture=lenet_architecture(),
        identity={"name": "npz", "data": digest(*(arrays[name] for name in NAMES))},
        shift=shift,
        scale=scale,
    )


def _existing(file: str) -> Path:
    if not file.strip():
        raise unusable("npz", "a file", "none", "write npz:FILE")
    path = os.path.expanduser(file)
    if not os.path.isfile(path):
        raise unusable(path, "a file made by numpy.savez", "no such file", "name one that exists")
    return Path(path)


def _read(path: Path) -> dict[str, Array]:
    # On damaged bytes np.load raises whatever its parsers raise (zip, zlib, literals, tokens, memory for a
    # size that a header invents): to the user all of it is one finding.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _load_arrays(path)
    except BadInput:
        raise
    except Exception as error:
        found = f"damaged or unreadable content ('{_first_line(error)}')"
        raise unusable(path, "a file made by numpy.savez", found, "save it again") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _load_arrays(path: Path) -> dict[str, Array]:
    with path.open("rb") as stream:
        if not zipfile.is_zipfile(stream):
            found = "no complete zip archive"
            raise unusable(path, "a file made by numpy.savez", found, "save the arrays with numpy.savez")
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as archive:
            _check_present(path, archive.files)
            return {name: _load_array(path, name, archive) for name in NAMES}


def _check_present(path: Path, present: list[str]) -> None:
    for name in NAMES:
        if name not in present:
            found = f"no {name} but {_listed(present) or 'an empty archive'}"
            raise unusable(path, f"the arrays {', '.join(NAMES)}", found, "save the four under these names")


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in sorted(names)[:8])  # repr: damaged names hold control characters
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _load_array(path: Path, name: str, archive: np.lib.npyio.NpzFile) -> Array:
    try:
        array = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise _no_numbers(path, name, "pickled objects, which are never loaded") from error
    if not isinstance(array, np.ndarray):  # numpy hands over the bytes of a member that is no array
        raise _no_numbers(path, name, "other data")
    if array.dtype.kind not in "buif":
        raise _no_numbers(path, name, f"type {array.dtype}")
    if array.size == 0 or array.ndim == 0:
        raise unusable(path, f"samples in {name}", f"shape {array.shape}", "save at least one")
    return array


def _no_numbers(path: Path, name: str, found: str) -> BadInput:
    return unusable(path, f"real numbers in {name}", found, "save it as a numeric array")


def _inputs(path: Path, arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    for part in ("train", "test"):
        samples, targets = len(arrays[f"x_{part}"]), len(arrays[f"y_{part}"])
        if samples != targets:
            expected = f"as many samples in y_{part} as in x_{part} ({samples})"
            raise unusable(path, expected, str(targets), "save matching arrays")
    check_enough(len(arrays["x_train"]), path)
    return _rows(path, "x_train", arrays), _rows(path, "x_test", arrays, like="x_train")


def _rows(path: Path, name: str, arrays: Mapping[str, Array], like: str = "") -> Array:
    """Return an array as finite numbers `(samples, entries)`, with as many entries as the array `like`."""
    array = arrays[name]
    _check_finite(path, name, array)
    entries, expected = array.size // len(array), arrays[like or name].size // len(arrays[like or name])
    if entries != expected:
        raise unusable(path, f"{expected} numbers a sample in {name}", str(entries), f"save it like {like}")
    return _plain(array).reshape(len(array), -1)


def _check_finite(path: Path, name: str, array: Array) -> None:
    if not np.isfinite(array).all():
        raise unusable(path, f"finite numbers in {name}", "NaN or infinity", "remove these samples")
    largest = max(abs(float(array.min())), abs(float(array.max())))
    if largest > float(np.finfo(np.float32).max):
        raise unusable(path, f"numbers in {name} that float32 holds", f"{largest:g}", "use another unit")


def _plain(array: Array) -> Array:
    """Keep uint8, float32 and float64; bring the rest to a type that every tensor library computes with."""
    kept = {"|b1": np.uint8, "|u1": np.uint8, "f4": np.float32}
    code = array.dtype.str
    return np.ascontiguousarray(array, dtype=kept.get(code, kept.get(code[1:], np.float64)))


def _has_labels(path: Path, arrays: Mapping[str, Array]) -> bool:
    kinds = [arrays[name].dtype.kind != "f" for name in ("y_train", "y_test")]
    if kinds[0] != kinds[1]:
        found = f"{arrays['y_train'].dtype} and {arrays['y_test'].dtype}"
        remedy = "save both as integers (labels) or both as floats (values)"
        raise unusable(path, "y_train and y_test of one kind", found, remedy)
    return kinds[0]


def _labels(path: Path, arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    train, test = (_label_column(path, name, arrays[name]) for name in ("y_train", "y_test"))
    known = np.unique(train)
    if int(known[-1]) + 1 != len(known):  # as Python int: the largest uint64 has no successor
        found = f"{len(known)} different labels up to {known[-1]}"
        remedy = "number the classes from 0 without a gap"
        raise unusable(path, "labels 0..C-1 in y_train, all in use", found, remedy)
    check_labels(train, test, path)
    return train.astype(np.int64), test.astype(np.int64)


def _label_column(path: Path, name: str, array: Array) -> Array:
    if array.size != len(array):
        remedy = "save class numbers, not one column a class"
        raise unusable(path, f"one label a sample in {name}", f"shape {array.shape}", remedy)
    if array.min() < 0:
        raise unusable(path, f"labels from 0 on in {name}", str(array.min()), "number the classes from 0")
    return array.reshape(-1)


def _values(path: Path, arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    return _rows(path, "y_train", arrays), _rows(path, "y_test", arrays, like="y_train")


def _small_loss(path: Path, targets: Array) -> Criterion:
    variance = float(targets.astype(np.float64).var(axis=0).mean())
    if np.ptp(targets, axis=0).max() == 0 or variance == 0:
        raise unusable(path, "training targets that vary", "constant ones", "there is nothing to learn")
    return Criterion("train_loss", "<=", RELATIVE_LOSS * variance)
