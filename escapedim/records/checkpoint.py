"""Checkpoints: named arrays and one JSON object in a safetensors file, whose hash the summary keeps.

There is no pickle. The metadata is one JSON string under one key, since the order of several keys is not
stable, and equal content has equal bytes. The hash is checked when a checkpoint is read: safetensors
itself does not notice a flipped bit in the numbers.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from escapedim.errors import BadInput
from escapedim.regular_files import read_regular

METADATA_KEY = "escapedim"
REMEDY = "delete it and repeat the command to train that part again, or start anew with --force"

_LENGTH = struct.Struct("<Q")
# What the library raises on damaged bytes: its own error, or what numpy says of dtypes and shapes it lacks.
_DAMAGED = (SafetensorError, KeyError, TypeError, ValueError, OverflowError, MemoryError)

Arrays = dict[str, np.ndarray[Any, Any]]


class DamagedCheckpoint(BadInput):
    """A checkpoint that is not what was written; `fault` is the sentence without its remedy."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"{fault}; {_without_delete()}.")  # the command sets it aside itself
        self.fault = fault


def encode(arrays: Mapping[str, np.ndarray[Any, Any]], metadata: dict[str, Any]) -> bytes:
    """Return the bytes of a checkpoint; equal arrays and metadata give equal bytes, in whatever order.

    Raises
    ------
    ValueError
        The metadata hold NaN or infinity, which strict JSON has not.
    """
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return bytes(save({name: _plain(arrays[name]) for name in sorted(arrays)}, {METADATA_KEY: text}))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of the bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, name: str) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of a checkpoint's bytes; `name` is what messages call it.

    Raises
    ------
    BadInput
        Not a safetensors file, or one without metadata of escapedim.
    """
    metadata = _metadata(_header(data, name), name)
    try:
        # The library's arrays are views of read-only bytes; torch warns about those.
        arrays = {key: np.array(value) for key, value in load(data).items()}
    except _DAMAGED as error:
        raise _not_safetensors(name, str(error)) from None
    return arrays, metadata


def read(path: Path, expected_sha256: str) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of a checkpoint file with the hash that the summary has of it.

    Raises
    ------
    BadInput
        Missing, not readable, changed since it was written, or not a checkpoint of escapedim.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise BadInput(f"the checkpoint {path} is missing; {_without_delete()}.") from None
    except OSError as error:
        raise BadInput(f"cannot read the checkpoint {path}: {error.strerror}; {REMEDY}.") from None
    if sha256(data) != expected_sha256:
        raise DamagedCheckpoint(
            f"the checkpoint {path} has changed since it was written (truncated, damaged or edited)"
        )
    return decode(data, str(path))


def _plain(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # Not ascontiguousarray, which makes a vector of a 0-d array. The library takes any byte order for native.
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _header(data: bytes, name: str) -> dict[str, Any]:
    if len(data) < _LENGTH.size:
        raise _not_safetensors(name, f"{len(data)} bytes")
    (length,) = _LENGTH.unpack_from(data)
    if length > len(data) - _LENGTH.size:
        raise _not_safetensors(name, f"a header of {length} bytes in a file of {len(data)}")
    try:
        header = json.loads(data[_LENGTH.size : _LENGTH.size + length].decode())
    except (ValueError, RecursionError) as error:
        raise _not_safetensors(name, str(error)) from None
    if not isinstance(header, dict):
        raise _not_safetensors(name, "a header that is no JSON object")
    return header


def _metadata(header: dict[str, Any], name: str) -> dict[str, Any]:
    stored = header.get("__metadata__")
    text = stored.get(METADATA_KEY) if isinstance(stored, dict) else None
    if not isinstance(text, str):
        raise BadInput(f"{name} was not written by escapedim: expected metadata under '{METADATA_KEY}'; {REMEDY}.")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise BadInput(f"{name} has damaged metadata: expected a JSON object under '{METADATA_KEY}'; {REMEDY}.")
    return metadata


def _not_safetensors(name: str, found: str) -> BadInput:
    reason = " ".join(found.split())[:80]
    return BadInput(f"{name} is not a safetensors file ({reason}); {REMEDY}.")


def _without_delete() -> str:
    return REMEDY.removeprefix("delete it and ")
