import pytest
import torch


@pytest.fixture(scope="module")
def plain_loop(script):
    return script("benchmarking.plain_loop")


def test_a_network_has_the_weights_of_its_row(plain_loop, setting):
    given = setting.of()
    network = plain_loop.plain_network(given.model, given.initial(0))
    assert torch.equal(plain_loop.as_row(network), given.initial(0))
    assert [tuple(weight.shape) for weight in plain_loop.weights(network)] == [(100, 64), (10, 100)]


def test_masks_remove_the_smallest_survivors_of_every_layer(plain_loop, setting):
    plan = setting.of(hidden="300,100", fraction=0.5, output_fraction=0.25).plan
    masks = [torch.tensor([[1.0, 1, 0], [1, 1, 0]]), torch.ones(1, 2), torch.ones(1, 4)]
    scores = [torch.tensor([[4.0, 3, 0], [2, 1, 0]]), torch.tensor([[1.0, 2]]), torch.tensor([[3.0, 1, 2, 4]])]
    kept = plain_loop.plain_masks(plan, masks, scores)
    assert [mask.tolist() for mask in kept] == [[[1, 1, 0], [0, 0, 0]], [[0, 1]], [[1, 0, 1, 1]]]


def test_every_network_of_the_experiment_is_timed(plain_loop, setting):
    given = setting.of(rounds=2, replicates=2, steps="2it")
    ticket, spent = plain_loop.PlainPrune(given).run()
    assert (len(spent.dense_s), len(spent.pruned_s)) == (2, 2 * 2 * 4)
    assert int((ticket == 0).sum()) >= 0.3 * 100 * 64
