"""`idx:DIR`: files in the format of MNIST under their usual names, plain or gzipped.

A file is a big-endian header (magic number: two zero bytes, the type 8 for unsigned bytes, the number of
dimensions; then one 32-bit size a dimension) and the values (Y. LeCun, C. Cortes and C. Burges). Nothing
is downloaded. Pixels are scaled to 0..1, as in the published LeNet experiments.

A header may lie, and a small gzip file may unpack to any size. So headers are read first: what they say must fit
together, into their files and into memory before a value is read.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from escapedim.errors import BadInput
from escapedim.regular_files import open_regular
from escapedim.tasks.base import Array, Split, Task, digest
from escapedim.tasks.preparation import (
    ACCURATE,
    check_enough,
    check_labels,
    check_memory,
    default_architecture,
    hold_out,
    lenet_recipe,
    unusable,
)

SPLIT = "escapedim idx validation 1"
_UNSIGNED_BYTES = 0x08
_CHUNK_BYTES = 1 << 20
MOST_PACKED = 1032
"""Bytes that one of gzip's can stand for, at most (zlib's technical details: deflate of a constant)."""
COPIES = 3
"""Bytes of memory for one of the values: as read, as held out, and as hashed (measured)."""


@dataclass(frozen=True)
class IdxHeader:
    """What the header of a file says: sizes of `(images, rows, columns)` or `(labels,)`."""

    path: Path
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of values, each a byte."""
        return math.prod(self.shape)


def load(folder: str) -> Task:
    """Return the task of a folder of IDX files; inputs are uint8 `(samples, rows * columns)`.

    Raises
    ------
    BadInput
        The folder or a file is missing, damaged, empty, too large, or does not fit the others.
    """
    root = _existing(folder)
    headers = _headers(root, "train") + _headers(root, "t10k")
    _check_sizes(root, headers)
    check_memory(COPIES * sum(header.size for header in headers), root)
    images, labels, test_images, test_labels = map(read_values, headers)
    check_labels(labels, test_labels, root)
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
        architecture=default_architecture(),
        identity={"name": "idx", "data": digest(images, labels, test_images, test_labels)},
        scale=np.array(1 / 255),
        image_shape=(1, *images.shape[1:]),
    )


def read_header(path: Path, dimensions: int) -> IdxHeader:
    """Read the header of an IDX file of unsigned bytes, plain or (by its ending `.gz`) gzipped.

    Raises
    ------
    BadInput
        The file cannot be read, is no IDX file of that many dimensions, is empty, or too small for what it announces.
    """
    with _explained(path), _open(path) as stream:
        header = IdxHeader(path, _read_shape(stream, path, dimensions))
        length = path.stat().st_size
    if header.size == 0:
        sizes = " x ".join(map(str, header.shape))
        raise unusable(path, "at least one value", f"an empty set ({sizes})", "put a complete file there")
    packed = path.suffix == ".gz"
    held = length * MOST_PACKED if packed else length - _header_bytes(dimensions)
    if header.size > held:
        raise _wrong_size(header, f"{'at most ' if packed else ''}{held:,}")
    return header


def read_values(header: IdxHeader) -> Array:
    """Read the values of a file whose header is known.

    Raises
    ------
    BadInput
        The file cannot be read, or has another size than its header says.
    """
    with _explained(header.path), _open(header.path) as stream:
        stream.read(_header_bytes(len(header.shape)))
        body = _read_at_most(stream, header.size + 1)
    if len(body) != header.size:
        raise _wrong_size(header, "more" if len(body) > header.size else f"{len(body):,}")
    return np.frombuffer(body, dtype=np.uint8).reshape(header.shape)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise unusable(path, "a readable file", f"'{found}'", "copy the file again") from error


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with open_regular(path) as plain:
        yield cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if path.suffix == ".gz" else plain


def _read_shape(stream: BinaryIO, path: Path, dimensions: int) -> tuple[int, ...]:
    header = bytes(_read_at_most(stream, _header_bytes(dimensions)))
    magic = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if header[:4] != magic:
        found = f"0x{header[:4].hex()}" if header else "an empty file"
        raise unusable(path, f"magic number 0x{magic.hex()}", found, "put the IDX file of that name there")
    if len(header) < _header_bytes(dimensions):
        expected = f"a header of {_header_bytes(dimensions)} bytes"
        raise unusable(path, expected, f"{len(header)} bytes", "copy the file again")
    return struct.unpack(f">{dimensions}I", header[4:])


def _read_at_most(stream: BinaryIO, count: int) -> bytearray:
    body = bytearray()
    while chunk := stream.read(min(_CHUNK_BYTES, count - len(body))):
        body += chunk
    return body


def _header_bytes(dimensions: int) -> int:
    """Return the bytes of a header."""
    return 4 + 4 * dimensions


def _wrong_size(header: IdxHeader, found: str) -> BadInput:
    expected = f"{header.size:,} bytes of values, as its header says"
    return unusable(header.path, expected, found, "copy the file again, it is damaged")


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


def _headers(root: Path, part: str) -> list[IdxHeader]:
    """Return what the files of images and labels of a part announce."""
    images = read_header(_find(root, f"{part}-images-idx3-ubyte"), 3)
    labels = read_header(_find(root, f"{part}-labels-idx1-ubyte"), 1)
    if images.shape[0] != labels.shape[0]:
        raise unusable(
            labels.path,
            f"{images.shape[0]} labels, one for each image of {images.path.name}",
            str(labels.shape[0]),
            "use files of the same data set",
        )
    return [images, labels]


def _check_sizes(root: Path, headers: Sequence[IdxHeader]) -> None:
    images, _, test_images, _ = headers
    if images.shape[1:] != test_images.shape[1:]:
        (rows, columns), (test_rows, test_columns) = images.shape[1:], test_images.shape[1:]
        raise unusable(
            root,
            f"test images of {rows} x {columns} pixels as in training",
            f"{test_rows} x {test_columns}",
            "use files of the same data set",
        )
    check_enough(images.shape[0], root)


def _flat(images: Array, labels: Array) -> Split:
    return Split(images.reshape(len(images), -1), labels.astype(np.int64))
