import contextlib
import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.tasks import idx

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def word(number):
    return bytes([number >> 24 & 255, number >> 16 & 255, number >> 8 & 255, number & 255])


def images_file(count, rows=2, columns=3, start=0):
    pixels = bytes((start + i) % 256 for i in range(count * rows * columns))
    return b"\x00\x00\x08\x03" + word(count) + word(rows) + word(columns) + pixels


def labels_file(labels):
    return b"\x00\x00\x08\x01" + word(len(labels)) + bytes(labels)


def valid_files():
    return dict(
        zip(
            FILES,
            (
                images_file(20),
                labels_file([0, 1, 3, 2] * 5),
                images_file(4, start=7),
                labels_file([3, 2, 1, 0]),
            ),
            strict=True,
        )
    )


def write(folder, contents):
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return str(folder)


def gzipped(contents):
    return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents.items()}


def test_bytes_become_samples(tmp_path):
    task = idx.load(write(tmp_path, valid_files()))
    assert (len(task.train), len(task.validation), len(task.test)) == (18, 2, 4)
    assert (task.inputs, task.outputs, task.loss) == (6, 4, "cross-entropy")
    assert task.input_shape == (1, 2, 3)  # channels, rows, columns
    assert task.test.x.tolist() == [[7 + 6 * i + j for j in range(6)] for i in range(4)]
    assert task.test.y.tolist() == [3, 2, 1, 0]
    pairs = {(tuple(x), int(y)) for part in (task.train, task.validation) for x, y in zip(part.x, part.y, strict=True)}
    assert pairs == {(tuple(6 * i + j for j in range(6)), [0, 1, 3, 2][i % 4]) for i in range(20)}


def test_pixels_are_scaled_to_one_and_stored_as_bytes(tmp_path):
    task = idx.load(write(tmp_path, valid_files()))
    assert task.train.x.dtype == np.uint8
    assert (255 - task.shift) * task.scale == 1
    assert (task.recipe["steps"], task.recipe["batch_size"]) == ("5000it", 60)
    assert task.architecture == {"hidden": [100], "widths": "2:12,14,16,24,32,48,80"}
    assert str(task.criterion) == "train_accuracy >= 0.95"


def test_the_identity_is_the_content(tmp_path):
    folders = [tmp_path / name for name in ("plain", "zipped", "changed")]
    for folder in folders:
        folder.mkdir()
    changed = valid_files() | {FILES[3]: labels_file([3, 2, 0, 1])}
    contents = (valid_files(), gzipped(valid_files()), changed)
    plain, zipped, other = (
        idx.load(write(folder, content)).identity for folder, content in zip(folders, contents, strict=True)
    )
    assert plain == zipped != other
    assert plain["name"] == "idx"


def test_the_plain_file_is_preferred(tmp_path):
    write(tmp_path, valid_files())
    assert idx.load(write(tmp_path, {f"{name}.gz": b"damaged" for name in FILES})).outputs == 4


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, valid_files())
    assert idx.load("~").outputs == 4


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES
DAMAGED = {
    "magic of another kind": (
        {TRAIN_IMAGES: labels_file([1, 2])},
        "train-images-idx3-ubyte: expected magic number 0x00000803, found 0x00000801; put the IDX file",
    ),
    "gzip without its ending": (
        {TRAIN_IMAGES: gzip.compress(images_file(20), mtime=0)},
        "expected magic number 0x00000803, found 0x1f8b0800",
    ),
    "empty file": ({TRAIN_LABELS: b""}, "expected magic number 0x00000801, found an empty file"),
    "short header": (
        {TRAIN_IMAGES: images_file(20)[:10]},
        "expected a header of 16 bytes, found 10 bytes; copy the file again",
    ),
    "short body": (
        {TRAIN_IMAGES: images_file(20)[:-1]},
        "expected 120 bytes of values, as its header says, found 119; copy the file again, it is damaged",
    ),
    "long body": (
        {TRAIN_IMAGES: images_file(20) + b"x"},
        "expected 120 bytes of values, as its header says, found more; copy the file again",
    ),
    "no images": (
        {TEST_IMAGES: images_file(0)},
        r"t10k-images-idx3-ubyte: expected at least one value, found an empty set \(0 x 2 x 3\); put a",
    ),
    "no pixels": ({TEST_IMAGES: images_file(4, 0)}, r"found an empty set \(4 x 0 x 3\)"),
    "counts": (
        {TRAIN_LABELS: labels_file([0, 1])},
        "train-labels-idx1-ubyte: expected 20 labels, one for each image of train-images-idx3-ubyte, found 2",
    ),
    "sizes": (
        {TEST_IMAGES: images_file(4, 3, 2)},
        "expected test images of 2 x 3 pixels as in training, found 3 x 2; use files of the same data set",
    ),
    "few": (
        {TRAIN_IMAGES: images_file(9), TRAIN_LABELS: labels_file([0, 1, 2] * 3)},
        "expected at least 10 training samples, found 9",
    ),
    "one class": ({TRAIN_LABELS: labels_file([3] * 20)}, "at least 2 different training labels, found 1"),
    "unseen label": (
        {TEST_LABELS: labels_file([3, 2, 1, 9])},
        "expected only test labels that occur in training, found test label 9, which does not",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_unusable_files_are_one_sentence(tmp_path, case):
    contents, message = DAMAGED[case]
    folder = write(tmp_path, valid_files() | contents)
    with pytest.raises(BadInput, match=message) as raised:
        idx.load(folder)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            gzip.compress(images_file(20), mtime=0)[:-12],
            "expected a readable file, found 'Compressed file ended before",
        ),
        (b"no gzip", "expected a readable file, found 'Not a gzipped file"),
        (gzip.compress(images_file(20), mtime=0)[:-8] + bytes(8), "expected a readable file, found 'CRC check failed"),
        (
            gzip.compress(images_file(20), mtime=0)[:10] + b"\xff" * 50,
            "expected a readable file, found 'Error -3 while",
        ),
    ],
    ids=["truncated", "no gzip", "wrong checksum", "damaged"],
)
def test_damaged_gzip_files_are_one_sentence(tmp_path, content, message):
    contents = gzipped(valid_files()) | {f"{TRAIN_IMAGES}.gz": content}
    with pytest.raises(BadInput, match=message):
        idx.load(write(tmp_path, contents))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    folder = write(tmp_path, {key: content for key, content in valid_files().items() if key != name})
    with pytest.raises(BadInput, match=rf"expected a file {name} or {name}\.gz, found neither; put it there"):
        idx.load(folder)


@pytest.mark.parametrize("folder", ["nowhere", "a\0b", "x" * 5000, "~nobody-of-this-name"])
def test_a_missing_folder_is_named(folder):
    with pytest.raises(BadInput, match="expected a folder of IDX files, found no such folder; name a folder"):
        idx.load(folder)


def test_an_empty_name_is_refused():
    with pytest.raises(BadInput, match="idx: expected a folder, found none; write idx:DIR"):
        idx.load(" ")


@pytest.mark.parametrize(("pack", "found"), [(bytes, "1,000"), (gzip.compress, "at most ")])
def test_a_lying_header_takes_no_memory(tmp_path, pack, found):
    path = tmp_path / ("images.gz" if pack is gzip.compress else "images")
    path.write_bytes(pack(b"\x00\x00\x08\x03" + word(2**32 - 1) + word(28) + word(28) + bytes(1000)))
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=rf"expected 3,367,254,359,280 bytes of values, .*, found {found}"):
            idx.read_header(path, 3)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (59_999, "expected 60000 labels, one for each image of"),
        (60_000, "reading these data takes about 288 MB of memory, 50 MB are free; use fewer samples, a higher limit"),
    ],
)
def test_packed_images_are_not_unpacked_before_all_that_headers_tell(tmp_path, monkeypatch, labels, words):
    monkeypatch.setattr("escapedim.tasks.preparation.process_mb", lambda: 50.0)
    monkeypatch.setattr("escapedim.tasks.idx.read_values", None)
    pixels, numbers = word(60_000) + word(40) + word(40) + bytes(96_000_000), word(labels) + bytes(labels)
    files = {
        TRAIN_IMAGES: b"\x00\x00\x08\x03" + pixels,
        TRAIN_LABELS: b"\x00\x00\x08\x01" + numbers,
        TEST_IMAGES: images_file(2, 40, 40),
        TEST_LABELS: labels_file([0, 1]),
    }
    with pytest.raises(BadInput, match=words):
        idx.load(write(tmp_path, {f"{name}.gz": gzip.compress(data, 1) for name, data in files.items()}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated")


@settings(max_examples=150, deadline=None)
@given(data=st.data(), zipped=st.booleans())
def test_damaged_files_load_or_end_in_a_sentence(folder, data, zipped):
    for path in folder.iterdir():
        path.unlink()
    contents = gzipped(valid_files()) if zipped else valid_files()
    name = data.draw(st.sampled_from(sorted(contents)))
    content = bytearray(contents[name])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    contents[name] = bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    with contextlib.suppress(BadInput):
        task = idx.load(write(folder, contents))
        assert len(task.train) + len(task.validation) == 20
