import hashlib
from dataclasses import replace

import numpy as np
import pytest

from escapedim.tasks.base import Criterion, digest, hashed_order
from tests.training.plain import toy_task


@pytest.mark.parametrize(
    ("comparison", "value", "met"),
    [
        (">=", 0.95, True),
        (">=", 0.9499, False),
        ("<=", 0.95, True),
        (">", 0.95, False),
        ("<", 0.95, False),
        (">=", float("inf"), False),
        ("<=", float("nan"), False),
    ],
)
def test_a_criterion_is_a_comparison_that_needs_a_finite_value(comparison, value, met):
    assert Criterion("train_accuracy", comparison, 0.95).met({"train_accuracy": value}) is met


def test_a_criterion_reads_as_a_sentence():
    assert str(Criterion("train_loss", "<=", 1e-6)) == "train_loss <= 1e-06"


def test_a_sample_is_one_row_of_inputs_unless_it_is_an_image():
    assert toy_task(inputs=6).input_shape == (6,)
    assert replace(toy_task(inputs=6), image_shape=(1, 2, 3)).input_shape == (1, 2, 3)
    assert (toy_task("cross-entropy").classifies, toy_task("squared").classifies) == (True, False)


def test_the_hashed_order_is_a_permutation_fixed_by_sha256():
    keys = {i: hashlib.sha256(f"purpose {i}".encode()).hexdigest() for i in range(50)}
    order = hashed_order(50, "purpose")
    assert order.tolist() == sorted(keys, key=keys.get)
    assert sorted(order) == list(range(50))
    assert order.tolist() != hashed_order(50, "another purpose").tolist()


def test_the_digest_sees_values_shape_and_type_but_not_the_memory_layout():
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    different = [x, x + 1, x.reshape(3, 2), x.astype(np.int8), x.T]
    assert len({digest(array) for array in different}) == len(different)
    assert digest(np.asfortranarray(x)) == digest(x)
