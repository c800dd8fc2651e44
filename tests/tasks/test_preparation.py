import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from escapedim.errors import BadInput
from escapedim.tasks.base import Split
from escapedim.tasks.preparation import check_enough, check_labels, hold_out, standardisation


@pytest.mark.parametrize(("samples", "held"), [(10, 1), (14, 1), (16, 2), (1437, 144)])
def test_a_tenth_is_held_out_and_nothing_is_lost(samples, held):
    data = Split(np.arange(samples).reshape(-1, 1), np.arange(samples))
    train, validation = hold_out(data, "purpose")
    assert len(validation) == held
    assert sorted([*train.y, *validation.y]) == list(range(samples))
    assert (train.x[:, 0] == train.y).all()


def test_the_held_out_samples_depend_on_the_purpose_only():
    data = Split(np.zeros((100, 1)), np.arange(100))
    other = Split(np.ones((100, 1)), np.arange(100))
    assert (hold_out(data, "a")[1].y == hold_out(other, "a")[1].y).all()
    assert (hold_out(data, "a")[1].y != hold_out(data, "b")[1].y).any()


@given(hnp.arrays(np.float64, (7, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_standardised_inputs_are_finite_and_constant_ones_vanish(x):
    shift, scale = standardisation(x)
    z = (x - shift) * scale
    assert np.isfinite(z).all()
    assert np.abs(z).max() < 7  # a z-score of n samples is at most (n - 1) / sqrt(n)
    assert (scale[(x == x[0]).all(axis=0)] == 0).all()


def test_the_rounding_error_of_a_constant_is_not_scaled_up():
    x = np.full((13, 1), 0.1)
    assert x.std(axis=0) > 0  # the trap
    assert standardisation(x)[1].tolist() == [0.0]


def test_too_few_samples_are_refused():
    check_enough(10, "here")
    with pytest.raises(BadInput, match="here: expected at least 10 training samples, found 9; a tenth"):
        check_enough(9, "here")


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([1, 1], [1], "expected at least 2 different training labels, found 1; there is nothing to learn"),
        (
            [0, 1, 2],
            [2, 0],
            "expected test samples of every training label, found training label 1, of which there are none; add",
        ),
        ([0, 1], [1, 7], "expected only test labels that occur in training, found test label 7, which"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(train, test, message):
    with pytest.raises(BadInput, match=message):
        check_labels(np.array(train), np.array(test), "here")
