from dataclasses import replace

import numpy as np
import pytest
import torch

from escapedim.tasks.base import Split
from escapedim.tasks.digits import load
from escapedim.tasks.registry import load_task
from escapedim.training.data import Data

from .plain import toy_task


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_are_shifted_and_scaled_in_float64(dtype):
    task = load()
    data = Data.of(task, dtype, "cpu")
    for samples, split in [(data.train, task.train), (data.validation, task.validation), (data.test, task.test)]:
        expected = ((split.x.astype(np.float64) - task.shift) * task.scale).astype(dtype)
        assert samples.x.dtype == samples.targets.dtype == getattr(torch, dtype)
        assert np.array_equal(samples.x.numpy(), expected)


def test_labels_become_one_hot_rows():
    task = load()
    targets = Data.of(task, "float32", "cpu").test.targets
    assert targets.shape == (len(task.test), 10)
    assert np.array_equal(targets.numpy(), np.eye(10)[task.test.y])


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_values_become_a_matrix(shape):
    task = toy_task("squared", outputs=1)
    values = task.train.y.reshape(shape)
    targets = Data.of(replace(task, train=Split(task.train.x, values)), "float64", "cpu").train.targets
    assert targets.shape == (len(task.train), 1)
    assert np.array_equal(targets.numpy()[:, 0], values.ravel())


def test_blocks_leave_no_seam():
    count = 20_000
    x = np.arange(2 * count, dtype=np.uint16).reshape(count, 2)
    task = replace(
        toy_task(inputs=2),
        train=Split(x, np.arange(count) % 3),
        shift=np.array([1.5, -2]),
        scale=np.array([0.25, 3.0]),
    )
    data = Data.of(task, "float64", "cpu")
    assert np.array_equal(data.train.x.numpy(), (x - np.array([1.5, -2])) * np.array([0.25, 3.0]))


def test_the_tasks_own_arrays_are_not_touched():
    task = toy_task("squared")
    data = Data.of(task, "float64", "cpu")
    before = task.train.x.copy()
    data.train.x.mul_(0)
    assert np.array_equal(task.train.x, before)


def test_weights_belong_to_the_training_part():
    task = replace(toy_task("squared"), weights=np.linspace(0.5, 1.5, 23) / 23)
    data = Data.of(task, "float32", "cpu")
    assert data.train.weights.dtype == torch.float32
    assert data.validation.weights is data.test.weights is None
    assert type(data.train.targets + 0) is torch.Tensor
    assert np.array_equal(data.train.targets.numpy(), task.train.y.astype(np.float32))


def test_signs_are_values():
    task = load_task("life")
    targets = Data.of(task, "float64", "cpu").train.targets
    assert targets.dtype == torch.float64
    assert np.array_equal(targets.numpy(), task.train.y)


@pytest.mark.parametrize("name", ["relu-teacher", "parity"])
def test_empty_parts_have_the_tasks_shapes(name):
    task = load_task(name)
    train = Data.of(task, "float64", "cpu").train
    assert (tuple(train.x.shape), tuple(train.targets.shape)) == ((0, task.inputs), (0, 1))
    assert train.stream is task.stream
