import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.errors import BadInput
from escapedim.tasks import npz


def arrays(**changes):
    rng = np.random.default_rng(1)
    base = {
        "x_train": rng.normal(3, 2, (40, 2, 2)).astype(np.float32),
        "y_train": np.arange(40) % 3,
        "x_test": rng.normal(3, 2, (5, 2, 2)).astype(np.float32),
        "y_test": np.arange(5) % 3,
    }
    return {name: array for name, array in (base | changes).items() if array is not None}


def write(folder, save=np.savez, **changes):
    path = folder / "data.npz"
    save(path, **arrays(**changes))
    return str(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_integer_targets_are_a_classification(tmp_path, save):
    task = npz.load(write(tmp_path, save))
    assert (len(task.train), len(task.validation), len(task.test)) == (36, 4, 5)
    assert (task.inputs, task.outputs, task.loss) == (4, 3, "cross-entropy")
    assert str(task.criterion) == "train_accuracy >= 0.95"
    assert task.train.y.dtype == np.int64
    assert (task.test.x == arrays()["x_test"].reshape(5, 4)).all()
    assert (task.recipe["batch_size"], task.recipe["steps"]) == (36, "1000it")


def test_inputs_are_standardised_over_the_training_part(tmp_path):
    x = arrays()["x_train"]
    x[:, 0, 0] = 0.1
    task = npz.load(write(tmp_path, x_train=x))
    z = (task.train.x - task.shift) * task.scale
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=0), [0, 1, 1, 1], atol=1e-12)


def test_truth_values_and_columns_are_labels_too(tmp_path):
    y = np.arange(40).reshape(-1, 1) % 2 == 0
    task = npz.load(write(tmp_path, y_train=y, y_test=y[:5]))
    assert (task.outputs, sorted(task.test.y)) == (2, [0, 0, 1, 1, 1])


@pytest.mark.parametrize("outputs", [None, 1, 3])
def test_float_targets_are_a_regression_relative_to_their_variance(tmp_path, outputs):
    shape = (40,) if outputs is None else (40, outputs)
    y = np.random.default_rng(2).normal(100, 5, shape)
    task = npz.load(write(tmp_path, y_train=y, y_test=y[:5]))
    assert (task.loss, task.outputs) == ("squared", outputs or 1)
    assert task.train.y.shape == (36, outputs or 1)
    assert (task.criterion.metric, task.criterion.comparison) == ("train_loss", "<=")
    mean_guess = np.mean((task.train.y - task.train.y.mean(axis=0)) ** 2)
    assert task.criterion.threshold == pytest.approx(0.01 * mean_guess)


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("?", "uint8"),
        ("u1", "uint8"),
        ("<f4", "float32"),
        (">f4", "float32"),
        ("f8", "float64"),
        ("f2", "float64"),
        ("i2", "float64"),
        (">u4", "float64"),
        ("u8", "float64"),
    ],
)
def test_inputs_keep_the_types_that_every_tensor_library_computes_with(tmp_path, stored, kept):
    x = (np.arange(160).reshape(40, 4) % 7).astype(stored)
    task = npz.load(write(tmp_path, x_train=x, x_test=x[:5]))
    assert task.test.x.dtype == np.dtype(kept)
    assert task.test.x.dtype.isnative
    assert (task.test.x == x[:5]).all()


def test_the_identity_is_the_content(tmp_path):
    plain = npz.load(write(tmp_path)).identity
    packed = npz.load(write(tmp_path, np.savez_compressed, something_else=np.zeros(3))).identity
    changed = npz.load(write(tmp_path, y_test=np.arange(5)[::-1] % 3)).identity
    assert plain == packed != changed
    assert plain["name"] == "npz"


UNUSABLE = {
    "missing": (
        {"y_test": None, "y_tests": np.zeros(5)},
        "expected the arrays x_train, y_train, x_test, y_test, "
        "found no y_test but 'x_test', 'x_train', 'y_tests', 'y_train'; save the four under these names",
    ),
    "other names": (
        {"x_train": None} | {f"array{i}": np.zeros(1) for i in range(9)},
        "found no x_train but 'array0', .*, 'array7' and 4 more; save the four",
    ),
    "objects": (
        {"x_test": np.array([{}] * 5)},
        "expected real numbers in x_test, found pickled objects, which are never loaded",
    ),
    "text": ({"x_test": np.array(["a"] * 5)}, "expected real numbers in x_test, found type <U1"),
    "complex": ({"y_test": np.zeros(5, complex)}, "expected real numbers in y_test, found type complex128"),
    "scalar": ({"y_test": np.array(3)}, r"expected samples in y_test, found shape \(\); save at least one"),
    "empty": ({"x_test": np.zeros((0, 4))}, r"expected samples in x_test, found shape \(0, 4\)"),
    "counts": (
        {"y_test": np.arange(4)},
        r"as many samples in y_test as in x_test \(5\), found 4; save matching",
    ),
    "inputs": (
        {"x_test": np.zeros((5, 3))},
        "expected 4 numbers a sample in x_test, found 3; save it like x_train",
    ),
    "NaN": (
        {"x_train": np.full((40, 4), np.nan)},
        "finite numbers in x_train, found NaN or infinity; remove",
    ),
    "infinity": ({"x_test": np.full((5, 4), -np.inf)}, "finite numbers in x_test, found NaN or infinity"),
    "huge": (
        {"x_train": np.full((40, 4), 1e300)},
        r"expected numbers in x_train that float32 holds, found 1e\+300; use another unit",
    ),
    "few": (
        {"x_train": np.zeros((9, 4)), "y_train": np.arange(9)},
        "expected at least 10 training samples, found 9; a tenth is held out",
    ),
    "negative": (
        {"y_train": np.arange(40) - 1},
        "labels from 0 on in y_train, found -1; number the classes from 0",
    ),
    "negative test": ({"y_test": np.arange(5) - 2}, "expected labels from 0 on in y_test, found -2"),
    "gap": (
        {"y_train": np.arange(40) % 3 + 1},
        "expected labels 0..C-1 in y_train, all in use, found 3 different labels up to 3; number the classes",
    ),
    "enormous label": (
        {"y_train": np.full(40, 2**64 - 1, np.uint64)},
        "found 1 different labels up to 18446744073709551615",
    ),
    "one class": ({"y_train": np.zeros(40, int)}, "expected at least 2 different training labels, found 1"),
    "unseen": (
        {"y_test": np.arange(5)},
        "only test labels that occur in training, found test label 3, which",
    ),
    "one hot": (
        {"y_train": np.eye(40, 3, dtype=int)},
        r"one label a sample in y_train, found shape \(40, 3\)",
    ),
    "kinds": (
        {"y_test": np.zeros(5)},
        "y_train and y_test of one kind, found int64 and float64; save both as",
    ),
    "outputs": (
        {"y_train": np.eye(40), "y_test": np.eye(5)},
        "expected 40 numbers a sample in y_test, found 5; save it like y_train",
    ),
    "NaN target": (
        {"y_train": np.full(40, np.nan), "y_test": np.zeros(5)},
        "expected finite numbers in y_train, found NaN or infinity",
    ),
    "tiny": (
        {"y_train": np.linspace(0, 1e-200, 40), "y_test": np.zeros(5)},
        "training targets that vary by 1e-15 or more, found 1e-200; use another unit",
    ),
    "tiny inputs": (
        {"x_train": np.linspace(0, 1e-200, 160).reshape(40, 4)},
        "expected inputs x_train that vary by more than 1e-38, found .*e-201; use another unit",
    ),
    "constant": (
        {"y_train": np.full(40, 0.1), "y_test": np.zeros(5)},
        "expected training targets that vary, found constant ones; there is nothing to learn",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_arrays_are_one_sentence(tmp_path, case):
    changes, message = UNUSABLE[case]
    path = write(tmp_path, **changes)
    with pytest.raises(BadInput, match=message) as raised:
        npz.load(path)
    assert str(raised.value).startswith(f"{path}: expected ")
    assert "\n" not in str(raised.value)


def saved(save=np.savez):
    stream = io.BytesIO()
    save(stream, **arrays())
    return stream.getvalue()


def single_array():
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(f"{name}.npy", content)
    return stream.getvalue()


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


LYING = "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846975,), }\n"
UNREADABLE = {
    "empty": (b"", "found no complete zip archive; save the arrays with numpy.savez"),
    "text": (b"x_train = 3", "found no complete zip archive"),
    "one array": (single_array(), "found no complete zip archive"),
    "truncated": (saved()[:-30], "found no complete zip archive"),
    "no members": (archive(), "found no x_train but an empty archive"),
    "other member": (
        archive(**dict.fromkeys(npz.NAMES, b"text")),
        "real numbers in x_train, found other data",
    ),
    "checksum": (saved().replace(saved()[200:240], bytes(40)), "found damaged or unreadable content"),
    "lying header": (
        archive(**dict.fromkeys(npz.NAMES, header(LYING))),
        "expected 1,152,921,504,606,846,975 numbers in x_train, as its header says, found fewer; save it again",
    ),
    "no header": (archive(**dict.fromkeys(npz.NAMES, header("{'('"))), "found damaged or unreadable content"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_files_are_one_sentence(tmp_path, case):
    content, message = UNREADABLE[case]
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as raised:
        npz.load(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("file", ["nowhere.npz", ".", "a\0b", "x" * 5000])
def test_a_missing_file_is_named(file):
    with pytest.raises(BadInput, match=r"expected a file made by numpy.savez, found no such file; name one that"):
        npz.load(file)


LIMITED = """
import resource, sys
from escapedim.errors import BadInput
from escapedim.tasks import npz
resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000, resource.RLIM_INFINITY))
try:
    npz.load(sys.argv[1])
except BadInput as error:
    print(error)
"""


def test_packed_arrays_are_not_unpacked_beyond_the_limit_of_the_shell(tmp_path):
    """With the remedy that helps: it is no damaged file."""
    x, y = np.zeros((10**6, 80), np.uint8), np.arange(10**6) % 2
    np.savez_compressed(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:9], y_test=y[:9])
    assert (tmp_path / "a.npz").stat().st_size < 10**6
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "a.npz")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "reading these data takes about 1,7" in said
    assert "use fewer samples, a higher limit (ulimit -v, sbatch --mem) or a machine with more memory." in said


def test_an_empty_name_is_refused():
    with pytest.raises(BadInput, match="npz: expected a file, found none; write npz:FILE"):
        npz.load("")


@pytest.fixture(scope="module")
def mutated(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated") / "data.npz"


VALID = (saved(), saved(np.savez_compressed))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), valid=st.sampled_from(VALID))
def test_damaged_files_load_or_end_in_a_sentence(mutated, data, valid):
    content = bytearray(valid)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    mutated.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    assert_loads_or_ends_in_a_sentence(mutated)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_members_load_or_end_in_a_sentence(mutated, data):
    members = {}
    for name, array in arrays().items():  # packed after the damage, so that checksums do not catch it
        stream = io.BytesIO()
        np.save(stream, array)
        members[name] = bytearray(stream.getvalue())
    member = members[data.draw(st.sampled_from(npz.NAMES))]
    for _ in range(data.draw(st.integers(1, 4))):
        member[data.draw(st.integers(0, len(member) - 1))] = data.draw(st.integers(0, 255))
    mutated.write_bytes(archive(**{name: bytes(content) for name, content in members.items()}))
    assert_loads_or_ends_in_a_sentence(mutated)


def assert_loads_or_ends_in_a_sentence(path):
    try:
        task = npz.load(str(path))
    except BadInput as error:
        sentence = str(error)
    else:
        sentence = ""
        assert len(task.train) + len(task.validation) >= 10
        assert np.isfinite((task.train.x - task.shift) * task.scale).all()
    assert "\n" not in sentence
