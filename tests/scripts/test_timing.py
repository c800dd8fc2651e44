import pytest
import torch


@pytest.fixture(scope="module")
def timing(script):
    return script("benchmarking.timing")


def test_threads_are_given_back(timing):
    with timing.threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1


def test_a_ratio_is_of_medians_and_its_range_of_pairs(timing):
    plain, tool = timing.Spread.of([2.0, 9.0, 4.0]), timing.Spread.of([1.0, 3.0, 4.0])
    assert (plain.median, plain.min, plain.max) == (4.0, 2.0, 9.0)
    assert timing.Ratio.of(plain, tool) == timing.Ratio(ratio=4 / 3, min=1.0, max=3.0)
