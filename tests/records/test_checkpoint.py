import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from escapedim.errors import BadInput
from escapedim.records import checkpoint

ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "double": np.array([0.1, np.inf, -0.0]),
    "mask": np.array([[True, False], [False, True]]),
    "step": np.array(7, dtype=np.int64),
    "flag": np.array(True),
    "empty": np.zeros((0, 4), dtype=np.float64),
    "bytes": np.frombuffer(b"\x00\xff", dtype=np.uint8),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "strided": np.arange(10)[::3],
    "big-endian": np.array([1.5, 2.5], dtype=">f8"),
}
METADATA = {"step": 7, "nested": {"b": [1, 2.5, None], "a": "ü"}}
BYTES = checkpoint.encode({"w": np.arange(3.0), "m": np.array([True, False])}, METADATA)


def forged(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


@pytest.mark.parametrize("name", ARRAYS)
def test_roundtrip(name):
    arrays, metadata = checkpoint.decode(checkpoint.encode(ARRAYS, METADATA), "x")
    assert metadata == METADATA
    assert sorted(arrays) == sorted(ARRAYS)
    assert arrays[name].shape == ARRAYS[name].shape
    assert arrays[name].dtype == ARRAYS[name].dtype.newbyteorder("=")
    assert np.array_equal(arrays[name], ARRAYS[name])
    assert arrays[name].flags.writeable


def test_no_arrays_at_all():
    assert checkpoint.decode(checkpoint.encode({}, {}), "x") == ({}, {})


def test_equal_content_has_equal_bytes():
    backwards = dict(reversed(ARRAYS.items()))
    metadata = dict(reversed(METADATA.items()))
    assert checkpoint.encode(backwards, metadata) == checkpoint.encode(ARRAYS, METADATA)


def test_metadata_are_strict_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        checkpoint.encode({}, {"loss": float("nan")})


def test_read(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(BYTES)
    arrays, metadata = checkpoint.read(path, checkpoint.sha256(BYTES))
    assert metadata == METADATA
    assert arrays["w"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "damaged",
    [BYTES[:-1], b"", BYTES[:-2] + bytes([BYTES[-2] ^ 1]) + BYTES[-1:], BYTES + b"x"],
    ids=["truncated", "empty", "flipped bit", "longer"],
)
def test_read_notices_any_change(tmp_path, damaged):
    path = tmp_path / "a.safetensors"
    path.write_bytes(damaged)
    with pytest.raises(BadInput) as caught:
        checkpoint.read(path, checkpoint.sha256(BYTES))
    assert str(caught.value) == (
        f"the checkpoint {path} has changed since it was written (truncated, damaged or edited); "
        "repeat the command to train that part again, or start anew with --force."
    )


def test_read_missing(tmp_path):
    with pytest.raises(BadInput, match=r"is missing; repeat the command to train that part again, or start anew"):
        checkpoint.read(tmp_path / "a.safetensors", "0" * 64)


def test_read_folder(tmp_path):
    with pytest.raises(BadInput, match=r"cannot read the checkpoint .*: not a regular file"):
        checkpoint.read(tmp_path, "0" * 64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 100) + b"{}",
        forged(b"[]"),
        forged(b"\xff\xfe"),
        forged(b"[" * 100_000),
        forged(b"9" * 10_000),
        json.dumps({"a": 1}).encode(),
        b"PK\x03\x04" + b"\x00" * 100,
    ],
    ids=["empty", "short", "length", "no header", "list", "latin", "deep", "number", "json", "zip"],
)
def test_not_safetensors(data):
    with pytest.raises(BadInput, match=r"^x is not a safetensors file \(.*\); delete it and repeat the command"):
        checkpoint.decode(data, "x")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F64", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [1], "data_offsets": [0, 800]},
        {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]},
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [-1], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [1] * 100, "data_offsets": [0, 8]},
        {"shape": [1]},
        5,
    ],
)
def test_damaged_tensors(entry):
    header = json.dumps({"__metadata__": {"escapedim": "{}"}, "w": entry}).encode()
    with pytest.raises(BadInput, match="is not a safetensors file"):
        checkpoint.decode(forged(header, b"\x00" * 8), "x")


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_foreign_safetensors(metadata):
    with pytest.raises(BadInput, match="x was not written by escapedim: expected metadata under 'escapedim'"):
        checkpoint.decode(save({"w": np.zeros(2)}, metadata), "x")


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000])
def test_damaged_metadata(text):
    with pytest.raises(BadInput, match="x has damaged metadata: expected a JSON object"):
        checkpoint.decode(save({"w": np.zeros(2)}, {"escapedim": text}), "x")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_bytes_never_end_in_a_traceback(data):
    mutated = bytearray(BYTES)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(mutated)))
        length = data.draw(st.integers(0, 3))
        mutated[place : place + length] = data.draw(st.binary(max_size=4))
    try:
        checkpoint.decode(bytes(mutated), "x")
    except BadInput as error:
        message = str(error)
    else:
        message = "fine"
    assert "\n" not in message
