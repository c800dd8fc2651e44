import hashlib
from importlib.resources import files

import numpy as np
import pytest

from escapedim.tasks import digits


@pytest.fixture(scope="module")
def task():
    return digits.load()


@pytest.fixture(scope="module")
def stored():
    with np.load(str(files("escapedim") / "tasks" / "data" / "digits.npz")) as arrays:
        return arrays["images"].reshape(1797, 64), arrays["labels"]


ARCHITECTURE = {
    "hidden": [100],
    "widths": "2:12,14,16,24,32,48,80",
    "isolate": 7,
    "complement": 7,
    "restarts": 7,
    "at": 8,
}


def test_the_split_never_changes(task):
    parts = (task.test, task.validation, task.train)
    content = b"".join(part.x.tobytes() + part.y.astype("<i8").tobytes() for part in parts)
    assert hashlib.sha256(content).hexdigest() == "be4f80e21366818c8cc1b494c46e19726df69ea2584f03c203ef8a362753b9ca"


def test_the_split_is_the_stated_order(task, stored):
    images, labels = stored
    keys = [hashlib.sha256(f"escapedim digits split 1 {i}".encode()).hexdigest() for i in range(1797)]
    order = sorted(range(1797), key=keys.__getitem__)
    x = np.concatenate([task.test.x, task.validation.x, task.train.x])
    y = np.concatenate([task.test.y, task.validation.y, task.train.y])
    assert (len(task.test), len(task.validation), len(task.train)) == (360, 144, 1293)
    assert (x == images[order]).all()
    assert (y == labels[order]).all()


def test_every_image_is_in_exactly_one_part(task, stored):
    parts = [{row.tobytes() for row in part.x} for part in (task.train, task.validation, task.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len({row.tobytes() for row in stored[0]})
    assert sum(map(len, parts)) == 1797


def test_every_class_is_in_every_part(task):
    for part in (task.train, task.validation, task.test):
        assert np.unique(part.y).tolist() == list(range(10))


def test_pixels_are_standardised_over_the_training_part(task):
    assert task.train.x.dtype == np.uint8
    z = (task.train.x - task.shift) * task.scale
    constant = np.ptp(task.train.x, axis=0) == 0
    assert constant.any()
    assert (z[:, constant] == 0).all()
    np.testing.assert_allclose(z[:, ~constant].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z[:, ~constant].std(axis=0), 1, atol=1e-12)


def test_the_default_recipe_is_the_documented_one(task):
    assert task.recipe == {
        "optimizer": "adam",
        "lr": 1.2e-3,
        "batch_size": 60,
        "steps": "1000it",
        "schedule": "constant",
        "dtype": "float32",
        "activation": "relu",
        "init": "glorot-normal",
    }
    assert task.architecture == ARCHITECTURE
    assert (task.inputs, task.outputs, task.loss) == (64, 10, "cross-entropy")
    assert task.input_shape == (1, 8, 8)
    assert str(task.criterion) == "train_accuracy >= 0.95"
    assert task.identity == {"name": "digits"}


def test_one_caller_cannot_change_the_recipe_of_the_next():
    digits.load().recipe["lr"] = 1.0
    digits.load().architecture["hidden"].append(5)
    assert digits.load().recipe["lr"] == 1.2e-3
    assert digits.load().architecture == ARCHITECTURE
