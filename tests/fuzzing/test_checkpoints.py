"""Safetensors files with something wrong in them: by themselves, and in the folder of a run that goes on."""

from __future__ import annotations

import copy
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.records import checkpoint
from tests.cli.conftest import result_of
from tests.fuzzing.harness import CAMPAIGNS, assert_done_or_refused, bounded, campaign, command
from tests.fuzzing.mutations import Draw, damaged, documents, one_of

ARRAYS = {
    "step0.layer1.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "mask": np.array([True, False]),
    "step": np.array(7),
    "empty": np.zeros((0, 4)),
}
BYTES = checkpoint.encode(ARRAYS, {"key": "a", "run": "0" * 16, "metrics": {"net_steps": 7, "members": [{"x": 1.0}]}})
ENTRIES: tuple[Any, ...] = (
    {"dtype": "F64", "shape": [2**62, 2**62], "data_offsets": [0, 8]},
    {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]},
    {"dtype": "F64", "shape": [0, 2**63 - 1], "data_offsets": [0, 0]},
    {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]},
    {"dtype": "BOOL", "shape": [8], "data_offsets": [0, 8]},
    {"dtype": "F64", "shape": [1] * 300, "data_offsets": [0, 8]},
    {"dtype": "F64", "shape": [1], "data_offsets": [8, 0]},
    {"dtype": "F64", "shape": [1.0], "data_offsets": [0, 8]},
    {"dtype": ["F64"], "shape": {}, "data_offsets": "08"},
)


def parts(data: bytes) -> tuple[Any, bytes]:
    """Return the header of a safetensors file, and its body."""
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: Any, body: bytes, length: int | None = None) -> bytes:
    """Return a safetensors file, which may say another length of its header than it has."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


@st.composite
def files(draw: Draw) -> bytes:
    """The bytes of a file with another header, other metadata, a length that lies, or damaged bytes."""
    header, body = parts(BYTES)
    form = one_of(draw, ("header", "header", "header", "entry", "metadata", "length", "body", "damaged", "damaged"))
    if form == "damaged":
        return draw(damaged([BYTES]))
    if form == "header":
        return joined(draw(documents([header])), body)
    if form == "length":
        return joined(header, body, one_of(draw, (0, 1, 7, 2**31, 2**53, 2**63, 2**64 - 1, len(BYTES), len(BYTES) - 8)))
    if form == "entry":
        name = one_of(draw, (*ARRAYS, "new", "__metadata__"))
        header[name] = copy.deepcopy(one_of(draw, ENTRIES))
        return joined(header, body)
    if form == "metadata":
        found = draw(documents([{"m": json.loads(header["__metadata__"][checkpoint.METADATA_KEY])}]))
        header["__metadata__"][checkpoint.METADATA_KEY] = json.dumps(found.get("m"))
        return joined(header, body)
    return joined(header, body[: draw(st.integers(0, len(body)))] + draw(st.binary(max_size=16)))


@CAMPAIGNS
def test_mutated_checkpoints(inputs):
    def check(data: bytes) -> None:
        told = ""
        try:
            with bounded():
                checkpoint.decode(data, "a.safetensors")
        except BadInput as error:
            told = str(error)
        assert "\n" not in told
        assert len(told) < 400

    campaign(inputs, files(), check)


TRAIN = ("train", "--hidden", "3", "--steps", "3it", "--replicates", "2", "--jobs", "1", "--quiet")


@pytest.fixture
def finished(tmp_path) -> tuple[Path, Path]:
    """A finished run: its summary, and its checkpoint."""
    out = tmp_path / "train.json"
    assert command(*TRAIN, "--out", out).code == 0
    (path,) = tmp_path.glob("escapedim-runs/*/checkpoints/*.safetensors")
    return out, path


@CAMPAIGNS
def test_a_run_goes_on_past_a_mutated_checkpoint(inputs, finished, monkeypatch):
    """Its own one is trained again, which is said; one that no summary knows is another's, and left alone."""
    out, path = finished
    expected, good = result_of(out), path.read_bytes()
    stray, aside = path.with_name("stray.safetensors"), path.with_name(f"{path.name}.damaged")
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("escapedim.records.provenance.commit_of", lambda file: None)

    def check(data: bytes) -> None:
        path.write_bytes(data)
        stray.write_bytes(data)
        ended = command(*TRAIN, "--out", out)
        assert (ended.code, ended.err.count("\n")) == (0, 1), ended
        assert "that part is trained again" in ended.err
        assert result_of(out) == expected
        assert (path.read_bytes(), aside.read_bytes()) == (good, data)
        assert not stray.exists() or stray.read_bytes() == data

    campaign(max(10, inputs // 20), files(), check)


def test_a_source_with_a_mutated_checkpoint_is_refused(finished):
    out, path = finished
    path.write_bytes(path.read_bytes()[:-1])
    ended = command("widen", "--from", out, "--by", "1", "--out", out.with_name("widen.json"))
    assert_done_or_refused(ended)
    assert ended.code == 2
    assert "has changed since it was written" in ended.err


SOURCES = {
    "rewind": ("prune", "--rounds", "1", "--arms", "ticket", "--hidden", "3", "--steps", "4it", "--replicates", "2"),
    "widen": ("train", "--hidden", "3", "--steps", "3it", "--replicates", "2"),
}


@st.composite
def forgeries(draw: Draw, good: bytes) -> bytes:
    """Another checkpoint of the same run and key: arrays of other names, shapes and kinds, other metrics."""
    arrays, metadata = checkpoint.decode(good, "good")
    if draw(st.booleans()):
        metadata = draw(documents([metadata])) | {key: metadata[key] for key in ("run", "key")}
    for _ in range(draw(st.integers(0, 2))):
        name = one_of(draw, sorted(arrays))
        array = arrays.pop(name)
        change = one_of(draw, ("leave out", "rename", "flatten", "cut", "kind", "not finite", "grow"))
        if change == "rename":
            arrays[one_of(draw, ("step", "stepx.layer1.weight", "x.mask.layer1.weight", name + "x"))] = array
        elif change != "leave out":
            other = {"flatten": array.reshape(-1), "cut": array[:0] if array.ndim else array, "grow": array[None]}
            with np.errstate(invalid="ignore"):  # an array may be made not finite first
                other["kind"] = array.astype(draw(st.sampled_from([np.int8, np.float16, np.bool_])))
            other["not finite"] = array * np.nan
            arrays[name] = other[change]
    try:
        return checkpoint.encode(arrays, metadata)
    except ValueError:  # not strict JSON
        return good


@CAMPAIGNS
@pytest.mark.parametrize("reader", SOURCES)
def test_sources_with_a_forged_checkpoint(inputs, tmp_path, reader):
    """Somebody has changed a checkpoint, and its hash in the summary."""
    made = tmp_path / "source.json"
    assert command(*SOURCES[reader], "--jobs", "1", "--quiet", "--out", made).code == 0
    document = json.loads(made.read_text())
    del document["digest"]
    (folder,) = tmp_path.glob("escapedim-runs/*")
    good = {name: (folder / name).read_bytes() for name in document["result"]["checkpoints"]}
    arguments = ("rewind", made) if reader == "rewind" else ("widen", "--from", made, "--by", "1")

    def check(drawn: tuple[str, bytes]) -> None:
        name, data = drawn
        hashes = document["result"]["checkpoints"] | {name: checkpoint.sha256(data)}
        made.write_text(json.dumps({**document, "result": {**document["result"], "checkpoints": hashes}}))
        (folder / name).write_bytes(data)
        assert_done_or_refused(command(*arguments, "--dry-run", "--jobs", "1", "--out", tmp_path / "out.json"))
        (folder / name).write_bytes(good[name])

    one = [forgeries(data).map(lambda raw, name=name: (name, raw)) for name, data in good.items()]
    campaign(max(50, inputs // 10), st.one_of(one), check)
