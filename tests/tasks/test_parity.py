"""Samples against their definition, fresh ones against the published generator and the uniform distribution."""

import pickle

import numpy as np
import pytest

from escapedim.errors import BadInput
from escapedim.tasks.parity import FreshParity, splitmix64
from escapedim.tasks.registry import load_task

MASK = 2**64 - 1


def published(seed: int):
    """SplitMix64 as Steele, Lea & Flood print it: a state that grows by the golden gamma, and a mixer."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


@pytest.mark.parametrize("seed", [0, 1234567, 2**63 - 1])
def test_any_number_of_the_published_generator(seed):
    numbers = [number for number, _ in zip(published(seed), range(300), strict=False)]
    index = np.array([299, 0, 7, 150], np.uint64)
    assert splitmix64(np.array([seed], np.uint64), index).tolist() == [numbers[i] for i in index.tolist()]


def test_the_generators_first_number_is_the_known_one():
    assert next(published(1234567)) == 6457827717110365317


def test_a_target_is_the_product_of_the_first_bits():
    task = load_task("parity:n=7,k=4,samples=500,seed=2")
    fresh = FreshParity(7, 4)([5, 6], 3, 50)
    for x, y in [(task.train.x, task.train.y), (task.test.x, task.test.y), (fresh[0][0], fresh[1][0])]:
        assert set(x.ravel().tolist()) == {-1, 1}
        negative = (x[:, :4] < 0).sum(1)
        assert y[:, 0].tolist() == np.where(negative % 2, -1, 1).tolist()


def test_fresh_samples_depend_on_seed_and_step_only():
    stream = FreshParity(30, 3)
    together = stream([3, 9, 4], 17, 32)
    alone = stream([9], 17, 32)
    assert all(np.array_equal(all_[1], one[0]) for all_, one in zip(together, alone, strict=True))
    assert not np.array_equal(together[0][0], together[0][2])
    assert not np.array_equal(stream([9], 18, 32)[0], alone[0])


def test_fresh_samples_are_uniform_and_never_repeated():
    stream = FreshParity(30, 3)
    x = np.concatenate([stream([11, 12], step, 500)[0] for step in range(20)], 1).astype(float)
    count = x.shape[0] * x.shape[1]
    rows = x.reshape(count, 30)
    assert len(np.unique(rows, axis=0)) >= count - 3
    assert np.abs(rows.mean(0)).max() < 5 / np.sqrt(count)
    correlations = rows.T @ rows / count - np.eye(30)
    assert np.abs(correlations).max() < 6 / np.sqrt(count)


def test_online_is_the_default_and_has_no_training_set():
    task = load_task("parity")
    assert task.identity == {"name": "parity", "n": 30, "k": 3, "samples": 0, "seed": 0}
    assert task.train.x.shape == (0, 30)
    assert pickle.loads(pickle.dumps(task)).stream == task.stream == FreshParity(30, 3)
    assert task.measured == ("train_loss", "test_loss", "test_accuracy")


def test_a_finite_sample_is_fixed_by_its_seed():
    one, again, other = (load_task(f"parity:samples=200,seed={seed}") for seed in (1, 1, 2))
    assert one.stream is None
    assert np.array_equal(one.train.x, again.train.x)
    assert not np.array_equal(one.train.x, other.train.x)
    assert not np.array_equal(one.train.x[:200], one.test.x[:200])
    assert one.measured == ("train_loss", "test_loss", "train_accuracy", "test_accuracy")


def test_success_is_a_test_error_of_at_most_a_tenth():
    criterion = load_task("parity").criterion
    assert [criterion.met({"test_accuracy": share}) for share in (0.8999, 0.9)] == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n=65", "expected n from 2 to 64, found n=65"),
        ("n=5,k=6", "expected k from 1 to 5, found k=6; write parity:k=5."),
        ("samples=-1", "expected samples from 0 to 1,000,000, found samples=-1"),
        ("seed=-1", "expected seed from 0 to 4,294,967,295, found seed=-1"),
    ],
)
def test_other_parameters_are_one_sentence(text, message):
    with pytest.raises(BadInput) as raised:
        load_task(f"parity:{text}")
    assert message in str(raised.value)
