"""`npz:FILE`: a user's own arrays `x_train`, `y_train`, `x_test`, `y_test`.

Integer or boolean `y` are labels 0..C-1: classification, criterion `train_accuracy >= 0.95`. Float `y` are
values `(samples,)` or `(samples, outputs)`: regression by the loss "squared", which is the mean over
samples and outputs of the squared error, with the criterion `train_loss <= 0.01` times the variance of the
training targets (mean over outputs), so that success does not depend on their unit.

Inputs are flattened to `(samples, inputs)` and standardised by the training part, since the default
recipe cannot know their unit either. Pickled objects are never loaded.
"""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from escapedim.errors import BadInput
from escapedim.regular_files import open_regular
from escapedim.tasks.base import Array, Criterion, Split, Task, digest
from escapedim.tasks.preparation import (
    ACCURATE,
    check_enough,
    check_labels,
    check_memory,
    default_architecture,
    hold_out,
    lenet_recipe,
    standardisation,
    unusable,
)

SPLIT = "escapedim npz validation 1"
NAMES = ("x_train", "y_train", "x_test", "y_test")
WORKING_BYTES = 20
"""Bytes of memory for each number besides the array itself: copies in float64, which come and go (measured)."""
SMALLEST_SPREAD = 1e-15
"""Of the targets of regression (ours): losses are squares, and those of much smaller numbers are 0 in float32."""
RELATIVE_LOSS = 0.01
"""Success of regression, as a share of the variance of the targets (ours)."""


def load(file: str) -> Task:
    """Return the task of a file of arrays.

    Raises
    ------
    BadInput
        The file is missing or damaged, or its arrays are missing, unusable, too large or do not fit each other.
    """
    path = _existing(file)
    arrays = _read(path)
    x_train, x_test = _rows(path, "x_train", arrays), _rows(path, "x_test", arrays)
    labelled = arrays["y_train"].dtype.kind != "f"
    targets = _labels if labelled else _rows
    y_train, y_test = (targets(path, name, arrays) for name in ("y_train", "y_test"))
    if labelled:
        check_labels(y_train, y_test, path)
        y_train, y_test = y_train.astype(np.int64), y_test.astype(np.int64)
    train, validation = hold_out(Split(x_train, y_train), SPLIT)
    shift, scale = standardisation(train.x)
    spread = float(np.ptp(train.x, axis=0).max())
    if not scale.any() and spread > 0:
        expected = f"inputs x_train that vary by more than {np.finfo(np.float32).tiny:.0e}"
        raise unusable(path, expected, f"{spread:.3g}", "use another unit")
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
        architecture=default_architecture(),
        identity={"name": "npz", "data": digest(*(arrays[name] for name in NAMES))},
        shift=shift,
        scale=scale,
        image_shape=_image_shape(arrays["x_train"]),
    )


def _image_shape(x: Array) -> tuple[int, int, int] | None:
    """Return one channel, rows and columns of samples that are matrices."""
    return (1, *x.shape[1:]) if x.ndim == 3 else None


def _existing(file: str) -> Path:
    if not file.strip():
        raise unusable("npz", "a file", "none", "write npz:FILE")
    path = os.path.expanduser(file)
    if not os.path.isfile(path):
        raise unusable(path, "a file made by numpy.savez", "no such file", "name one that exists")
    return Path(path)


def _read(path: Path) -> dict[str, Array]:
    # On damaged bytes numpy raises whatever its parsers raise (zip, zlib, literals, tokens): to the user all of it is
    # one finding.
    try:
        with warnings.catch_warnings(), open_regular(path) as stream:
            warnings.simplefilter("ignore")
            if not zipfile.is_zipfile(stream):
                found = "no complete zip archive"
                raise unusable(path, "a file made by numpy.savez", found, "save the arrays with numpy.savez")
            with zipfile.ZipFile(stream) as archive:
                return _load_arrays(path, archive)
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        found = f"damaged or unreadable content ('{_first_line(error)}')"
        raise unusable(path, "a file made by numpy.savez", found, "save it again") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _load_arrays(path: Path, archive: zipfile.ZipFile) -> dict[str, Array]:
    """Read the arrays, after what their headers say: a small file may unpack to any size."""
    members = {member.removesuffix(".npy"): member for member in archive.namelist()}
    for name in NAMES:
        if name not in members:
            found = f"no {name} but {_listed(list(members)) or 'an empty archive'}"
            raise unusable(path, f"the arrays {', '.join(NAMES)}", found, "save the four under these names")
    headers = {name: _header(path, name, archive.getinfo(members[name]), archive) for name in NAMES}
    _check_headers(path, headers)
    check_memory(sum(header.size * (header.dtype.itemsize + WORKING_BYTES) for header in headers.values()), path)
    arrays = {}
    for name in NAMES:
        with archive.open(members[name]) as member:
            arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    return arrays


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in sorted(names)[:8])  # repr: damaged names hold control characters
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


@dataclass(frozen=True)
class ArrayHeader:
    """What an array says of itself before its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def entries_per_sample(self) -> int:
        """Number of entries of a sample."""
        return self.size // self.shape[0]


def _header(path: Path, name: str, info: zipfile.ZipInfo, archive: zipfile.ZipFile) -> ArrayHeader:
    """Read the header of an array and check its type.

    Raises
    ------
    BadInput
        It is no array of real numbers, or an empty one.
    """
    with archive.open(info) as member:
        if member.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            raise _no_numbers(path, name, "other data")
        member.seek(0)
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    if dtype.hasobject:
        raise _no_numbers(path, name, "pickled objects, which are never loaded")
    if dtype.kind not in "buif":
        raise _no_numbers(path, name, f"type {dtype}")
    header = ArrayHeader(shape, dtype)
    if header.size == 0 or not shape:
        raise unusable(path, f"samples in {name}", f"shape {shape}", "save at least one")
    if header.size * dtype.itemsize > info.file_size:
        raise unusable(path, f"{header.size:,} numbers in {name}, as its header says", "fewer", "save it again")
    return header


def _check_headers(path: Path, headers: Mapping[str, ArrayHeader]) -> None:
    for part in ("train", "test"):
        samples, targets = headers[f"x_{part}"].shape[0], headers[f"y_{part}"].shape[0]
        if samples != targets:
            expected = f"as many samples in y_{part} as in x_{part} ({samples})"
            raise unusable(path, expected, str(targets), "save matching arrays")
    check_enough(headers["x_train"].shape[0], path)
    kinds = [headers[name].dtype.kind == "f" for name in ("y_train", "y_test")]
    for kind in ("x", "y") if kinds[0] else ("x",):
        train, test = headers[f"{kind}_train"], headers[f"{kind}_test"]
        if test.entries_per_sample != train.entries_per_sample:
            expected = f"{train.entries_per_sample} numbers a sample in {kind}_test"
            raise unusable(path, expected, str(test.entries_per_sample), f"save it like {kind}_train")
    shapes = [headers[f"x_{part}"].shape[1:] for part in ("train", "test")]
    if shapes[0] != shapes[1] and len(shapes[0]) == len(shapes[1]):
        raise unusable(path, f"samples of {shapes[0]} in x_test", str(shapes[1]), "save it like x_train")
    if kinds[0] != kinds[1]:
        found = f"{headers['y_train'].dtype} and {headers['y_test'].dtype}"
        remedy = "save both as integers (labels) or both as floats (values)"
        raise unusable(path, "y_train and y_test of one kind", found, remedy)


def _no_numbers(path: Path, name: str, found: str) -> BadInput:
    return unusable(path, f"real numbers in {name}", found, "save it as a numeric array")


def _rows(path: Path, name: str, arrays: Mapping[str, Array]) -> Array:
    """Return an array as finite numbers `(samples, entries)`."""
    array = arrays[name]
    _check_finite(path, name, array)
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


def _labels(path: Path, name: str, arrays: Mapping[str, Array]) -> Array:
    """Return class numbers `(samples,)`; those of training are 0 to C - 1, all in use."""
    array = arrays[name]
    if array.size != len(array):
        remedy = "save class numbers, not one column a class"
        raise unusable(path, f"one label a sample in {name}", f"shape {array.shape}", remedy)
    if array.min() < 0:
        raise unusable(path, f"labels from 0 on in {name}", str(array.min()), "number the classes from 0")
    labels = array.reshape(-1)
    if name == "y_train":
        known = np.unique(labels)
        if int(known[-1]) + 1 != len(known):  # as Python int: the largest uint64 has no successor
            found = f"{len(known)} different labels up to {known[-1]}"
            remedy = "number the classes from 0 without a gap"
            raise unusable(path, "labels 0..C-1 in y_train, all in use", found, remedy)
    return labels


def _small_loss(path: Path, targets: Array) -> Criterion:
    variance = float(targets.astype(np.float64).var(axis=0).mean())
    spread = float(np.ptp(targets, axis=0).max())
    if spread == 0:
        raise unusable(path, "training targets that vary", "constant ones", "there is nothing to learn")
    if spread < SMALLEST_SPREAD:
        expected = f"training targets that vary by {SMALLEST_SPREAD:g} or more"
        raise unusable(path, expected, f"{spread:g}", "use another unit")
    return Criterion("train_loss", "<=", RELATIVE_LOSS * variance)
