"""`idx:DIR`: files in the format of MNIST under their usual names, plain or gzipped.

A file is a big-endian header (magic number: two zero bytes, the type 8 for unsigned bytes, the number of
dimensions; then one 32-bit size a dimension) and the values (Y. LeCun, C. Cortes and C. Burges). Nothing
is downloaded. Pixels are scaled to 0..1, as in the published LeNet experiments.

A header may lie. The body is read in pieces until its announced size or the file's end, so that a claim
of 2^32 images takes no memory.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from escapedim.tasks.base import Array, Split, Task, digest
from escapedim.tasks.preparation import (
    ACCURATE,
    check_enough,
    check_labels,
    hold_out,
    lenet_architecture,
    lenet_recipe,
    unusable,
)

SPLIT = "escapedim idx validation 1"
_UNSIGNED_BYTES = 0x08
_CHUNK_BYTES = 1 << 20


def load(folder: str) -> Task:
    """Return the task of a folder of IDX files; inputs are uint8 `(samples, rows * columns)`.

    Raises
    ------
    BadInput
        The folder or a file is missing, damaged, empty, or does not fit the others.
    """
    root = _existing(folder)
    images, labels = _read_part(root, "train")
    test_images, test_labels = _read_part(root, "t10k")
    _check(root, images, labels, test_images, test_labels)
    train, validation = hold_out(_flat(images, labels), SPLIT)
    return Task(
        name="idx",
        source="IDX files (the format of MNIST)",
        train=train,
        validation=validation,
        test=_flat(test_images, test_labels),
        outputs=int(labels.max()) + 1,
        loss="cross-entropy",
        criterion=ACCURATE,
        recipe=lenet_recipe(steps="5000it"),  # ours: about five passes over MNIST
        architecture=lenet_architecture(),
        identity={"name": "idx", "data": digest(images, labels, test_images, test_labels)},
        scale=np.array(1 / 255),
    )


def read_idx(path: Path, dimensions: int) -> Array:
    """Read one IDX file of unsigned bytes, plain or (by its ending `.gz`) gzipped.

    Raises
    ------
    BadInput
        The file cannot be read, is no IDX file of that many dimensions, is empty, or has another size than
        its header says.
    """
    try:
        with _open(path) as stream:
            shape = _read_shape(stream, path, dimensions)
            body = _read_at_most(stream, math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise unusable(path, "a readable file", f"'{found}'", "copy the file again") from error
    _check_size(path, shape, len(body))
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _read_shape(stream: BinaryIO, path: Path, dimensions: int) -> tuple[int, ...]:
    header = bytes(_read_at_most(stream, 4 + 4 * dimensions))
    magic = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if header[:4] != magic:
        found = f"0x{header[:4].hex()}" if header else "an empty file"
        raise unusable(path, f"magic number 0x{magic.hex()}", found, "put the IDX file of that name there")
    if len(header) < 4 + 4 * dimensions:
        expected = f"a header of {4 + 4 * dimensions} bytes"
        raise unusable(path, expected, f"{len(header)} bytes", "copy the file again")
    return struct.unpack(f">{dimensions}I", header[4:])


def _read_at_most(stream: BinaryIO, count: int) -> bytearray:
    body = bytearray()
    while chunk := stream.read(min(_CHUNK_BYTES, count - len(body))):
        body += chunk
    return body


def _check_size(path: Path, shape: tuple[int, ...], size: int) -> None:
    announced = math.prod(shape)
    if announced == 0:
        sizes = " x ".join(map(str, shape))
        raise unusable(path, "at least one value", f"an empty set ({sizes})", "put a complete file there")
    if size != announced:
        found = "more" if size > announced else f"{size:,}"
        raise unusable(
            path,
            f"{announced:,} bytes of values, as its header says",
            found,
            "copy the file again, it is damaged",
        )


def _existing(folder: str) -> Path:
    if not folder.strip():
        raise unusable("idx", "a folder", "none", "write idx:DIR")
    root = os.path.expanduser(folder)
    if not os.path.isdir(root):
        remedy = "name a folder with MNIST-format files (nothing is downloaded)"
        raise unusable(root, "a folder of IDX files", "no such folder", remedy)
    return Path(root)


def _find(root: Path, name: str) -> Path:
    for path in (root / name, root / f"{name}.gz"):
        if path.is_file():
            return path
    raise unusable(root, f"a file {name} or {name}.gz", "neither", "put it there (nothing is downloaded)")


def _read_part(root: Path, part: str) -> tuple[Array, Array]:
    images_path, labels_path = (
        _find(root, f"{part}-images-idx3-ubyte"),
        _find(root, f"{part}-labels-idx1-ubyte"),
    )
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise unusable(
            labels_path,
            f"{len(images)} labels, one for each image of {images_path.name}",
            str(len(labels)),
            "use files of the same data set",
        )
    return images, labels


def _check(root: Path, images: Array, labels: Array, test_images: Array, test_labels: Array) -> None:
    if images.shape[1:] != test_images.shape[1:]:
        (rows, columns), (test_rows, test_columns) = images.shape[1:], test_images.shape[1:]
        raise unusable(
            root,
            f"test images of {rows} x {columns} pixels as in training",
            f"{test_rows} x {test_columns}",
            "use files of the same data set",
        )
    check_enough(len(images), root)
    check_labels(labels, test_labels, root)


def _flat(images: Array, labels: Array) -> Split:
    return Split(images.reshape(len(images), -1), labels.astype(np.int64))
