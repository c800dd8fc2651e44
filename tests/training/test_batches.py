import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.training.batches import Batches, DataOrder, Orders
from escapedim.training.data import Samples

sizes = st.integers(1, 30).flatmap(lambda samples: st.tuples(st.just(samples), st.integers(1, samples)))
seeds = st.integers(0, 2**63 - 1)


def stream(order: DataOrder, steps: int) -> list[int]:
    return [index for step in range(steps) for index in order.batch(step).tolist()]


@settings(deadline=None)
@given(sizes, seeds, st.integers(1, 60))
def test_every_sample_is_used_equally_often(size, seed, steps):
    samples, batch = size
    used = stream(DataOrder(seed, samples, batch), steps)
    assert len(used) == steps * batch
    counts = [used.count(sample) for sample in range(samples)]
    assert max(counts) - min(counts) <= (1 if len(used) % samples else 0)


@settings(deadline=None)
@given(sizes, seeds)
def test_every_epoch_is_a_permutation(size, seed):
    samples, batch = size
    used = stream(DataOrder(seed, samples, batch), 3 * samples)
    for start in range(0, len(used), samples):
        assert sorted(used[start : start + samples]) == list(range(samples))


@settings(deadline=None)
@given(sizes, seeds, st.lists(st.integers(0, 60), max_size=8))
def test_a_step_is_the_same_whatever_was_asked_before(size, seed, visits):
    order = DataOrder(seed, *size)
    sequential = [order.batch(step).tolist() for step in range(61)]
    jumping = DataOrder(seed, *size)
    assert [jumping.batch(step).tolist() for step in visits] == [sequential[step] for step in visits]


def test_epochs_and_seeds_have_their_own_orders():
    one, other = (stream(DataOrder(seed, 50, 10), 15) for seed in (1, 2))
    epochs = [tuple(used[start : start + 50]) for used in (one, other) for start in (0, 50, 100)]
    assert len(set(epochs)) == 6


def numbered(samples: int) -> Samples:
    """Inputs and targets that name their sample."""
    index = torch.arange(samples)
    return Samples(torch.stack([index, -index], 1), 10 * index[:, None])


@settings(deadline=None)
@given(sizes, st.lists(seeds, min_size=1, max_size=4), st.integers(0, 100))
def test_members_get_the_batches_of_their_seeds(size, seeds, step):
    samples, batch = size
    x, targets = Batches(numbered(samples), seeds, batch).at(step)
    if batch == samples:
        expected = [list(range(samples))] * len(seeds)
    else:
        expected = [DataOrder(seed, samples, batch).batch(step).tolist() for seed in seeds]
    if batch == samples or len(set(seeds)) == 1:
        x, targets = x.expand(len(seeds), -1, -1), targets.expand(len(seeds), -1, -1)
    assert x[..., 0].tolist() == expected
    assert x[..., 1].tolist() == [[-index for index in row] for row in expected]
    assert targets[..., 0].tolist() == [[10 * index for index in row] for row in expected]


@pytest.mark.parametrize("batch", [7, 8, 1000])
def test_a_batch_of_all_samples_is_the_data_as_they_are(batch):
    samples = numbered(7)
    batches = Batches(samples, [1, 2], batch)
    for step in (0, 5):
        assert torch.equal(batches.at(step)[0], samples.x)
        assert torch.equal(batches.at(step)[1], samples.targets)


def test_members_that_share_a_seed_share_one_batch():
    x, _ = Batches(numbered(9), [4, 4, 4], 2).at(3)
    assert x.shape == (2, 2)
    x, _ = Batches(numbered(9), [4, 5, 4], 2).at(3)
    assert x.shape == (3, 2, 2)
    assert torch.equal(x[0], x[2])


class Recorded:
    """A stream whose samples name their seed and step."""

    def __call__(self, seeds, step, batch):
        x = np.array([[[seed, step]] * batch for seed in seeds], np.int64)
        return x, -x[..., :1]


def fresh(seeds, batch):
    samples = Samples(torch.empty(0, 2), torch.empty(0, 1), stream=Recorded())
    return Batches(samples, seeds, batch)


def test_fresh_samples_are_drawn_by_seed_and_step_in_the_type_of_the_data():
    x, targets = fresh([8, 9], 3).at(5)
    assert (x.dtype, targets.dtype, type(x)) == (torch.float32, torch.float32, torch.Tensor)
    assert x.tolist() == [[[8, 5]] * 3, [[9, 5]] * 3]
    assert targets.tolist() == [[[-8]] * 3, [[-9]] * 3]


def test_members_that_share_a_seed_share_their_fresh_samples():
    x, targets = fresh([7, 7, 7], 2).at(1)
    assert (x.tolist(), targets.tolist()) == ([[7, 1]] * 2, [[-7]] * 2)


def test_a_closed_form_has_batches_without_samples():
    x, targets = Batches(Samples(torch.empty(0, 6), torch.empty(0, 1)), [1, 2], 0).at(9)
    assert (x.shape, targets.shape) == ((0, 6), (0, 1))


@given(
    st.integers(1, 12), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.lists(st.integers(0, 60), max_size=6)
)
def test_orders_on_a_device_are_those_of_every_seed(size, seeds, steps):
    orders = [DataOrder(seed, 12, size) for seed in seeds]
    together = Orders(orders, 12, size, torch.device("cpu"))
    for step in steps:
        assert torch.equal(together.at(step), torch.stack([order.batch(step) for order in orders]))
