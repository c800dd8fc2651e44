"""IDX files with something wrong in them: headers that lie, bodies that are cut, gzip streams that are damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzzing.harness import CAMPAIGNS, assert_done_or_refused, campaign, command
from tests.fuzzing.mutations import Draw, damaged, one_of

SIZES = (0, 1, 2, 3, 19, 20, 21, 255, 256, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(shape: tuple[int, ...], body: bytes, kind: int = 8) -> bytes:
    """A file whose header says `shape`, whatever its body is."""
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + body


VALID = {
    NAMES[0]: idx((20, 2, 3), bytes(range(120))),
    NAMES[1]: idx((20,), bytes([0, 1] * 10)),
    NAMES[2]: idx((4, 2, 3), bytes(range(24))),
    NAMES[3]: idx((4,), bytes([0, 1, 1, 0])),
}


@st.composite
def forged(draw: Draw) -> bytes:
    """A header with other sizes or another kind, above a body that may or may not fit."""
    shape = tuple(draw(st.lists(st.sampled_from(SIZES), min_size=0, max_size=4)))
    kind = one_of(draw, (8, 8, 8, 9, 13, 0, 255))
    fits = 1
    for size in shape:
        fits *= size
    length = min(fits, 4096) + draw(st.integers(-2, 2))
    return idx(shape, bytes([draw(st.integers(0, 255))]) * max(0, length), kind)


@st.composite
def folders(draw: Draw) -> dict[str, bytes]:
    """Four files, some of them damaged, gzipped, of another name, or not there."""
    files = dict(VALID)
    for _ in range(draw(st.integers(1, 2))):
        name = one_of(draw, NAMES)
        data = draw(st.one_of(damaged([VALID[name]]), forged(), st.just(VALID[one_of(draw, NAMES)])))
        form = one_of(draw, ("plain", "plain", "gzip", "bad gzip", "plain as gzip", "gzip as plain", "missing"))
        files.pop(name, None)
        files.pop(f"{name}.gz", None)
        if form in ("gzip", "gzip as plain"):
            data = gzip.compress(data, 1, mtime=0)
        if form == "bad gzip":
            data = draw(damaged([gzip.compress(VALID[name], 1, mtime=0)]))
        if form != "missing":
            files[f"{name}.gz" if form in ("gzip", "bad gzip", "plain as gzip") else name] = data
    return files


@CAMPAIGNS
def test_mutated_idx_files(inputs, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    arguments = ("train", "--task", f"idx:{folder}", "--hidden", "3", "--dry-run", "--out", tmp_path / "train.json")

    def check(files: dict[str, bytes]) -> None:
        for path in folder.iterdir():
            path.unlink()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        assert_done_or_refused(command(*arguments))

    campaign(inputs, folders(), check)


def test_what_is_mutated_is_valid(tmp_path: Path):
    for name, data in VALID.items():
        (tmp_path / name).write_bytes(data)
    ended = command("train", "--task", f"idx:{tmp_path}", "--dry-run", "--out", tmp_path / "train.json")
    assert (ended.code, ended.err) == (0, "")


def test_a_gzip_stream_that_goes_on_for_ever_is_read_no_further_than_its_header_says(tmp_path: Path):
    for name, data in VALID.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / NAMES[0]).unlink()
    endless = 100 * gzip.compress(bytes(20_000_000), 1, mtime=0)
    (tmp_path / f"{NAMES[0]}.gz").write_bytes(gzip.compress(VALID[NAMES[0]], mtime=0) + endless)
    ended = command("train", "--task", f"idx:{tmp_path}", "--dry-run", "--out", tmp_path / "train.json")
    assert ended.code == 2
    assert "expected 120 bytes of values, as its header says, found more" in ended.err
