import hashlib

import numpy as np
import pytest

from escapedim.tasks import mnist1d
from escapedim.tasks.registry import load_task


@pytest.fixture(scope="module")
def task():
    return mnist1d.load()


def test_it_is_the_standard_set_with_a_tenth_held_out(task):
    assert (len(task.train), len(task.validation), len(task.test)) == (3600, 400, 1000)
    assert (task.inputs, task.outputs, task.train.x.dtype) == (40, 10, np.float32)
    assert load_task("mnist1d").identity == {"name": "mnist1d"}
    content = b"".join(part.x.tobytes() + part.y.astype("<i8").tobytes() for part in (task.train, task.test))
    assert hashlib.sha256(content).hexdigest() == "c7c9e535d2392a03bfecd28428ff4712b544f3bba567f11060694c1fc2f8e1c1"


def test_the_published_generator_makes_the_same_signals(task):
    """PyPI's `mnist1d`, from which the arrays come: once as it was, and once more here."""
    data = pytest.importorskip("mnist1d.data", reason="mnist1d is not installed: the dev extra")
    made = data.make_dataset(data.get_dataset_args())
    np.testing.assert_allclose(task.test.x, made["x_test"], rtol=0, atol=1e-5)
    assert (task.test.y == made["y_test"]).all()
    order = np.lexsort(made["x"].T)
    stored = np.concatenate([task.train.x, task.validation.x])
    np.testing.assert_allclose(stored[np.lexsort(stored.T)], made["x"][order], rtol=0, atol=1e-5)


def test_every_class_is_in_every_part(task):
    for part in (task.train, task.validation, task.test):
        assert np.unique(part.y).tolist() == list(range(10))
