"""The teacher is a network that the engine could train: its own weights, put into one, have no loss."""

import numpy as np
import pytest
import torch

from escapedim.errors import BadInput
from escapedim.models.activations import TABLE
from escapedim.models.mlp import MLP
from escapedim.tasks import teacher
from escapedim.tasks.registry import load_task


@pytest.mark.parametrize("activation", TABLE)
def test_the_functions_are_those_of_the_networks(activation):
    z = np.linspace(-8, 8, 101)
    expected = TABLE[activation].function(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(teacher.FUNCTIONS[activation](z), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("activation", TABLE)
def test_a_student_with_the_teachers_weights_is_right_everywhere(activation):
    task = load_task(f"teacher:inputs=3,width=5,activation={activation},samples=40,seed=8")
    random = np.random.default_rng(8)
    weights, biases = random.standard_normal((3, 5)), random.standard_normal(5)
    params = {
        "layer1.weight": torch.from_numpy(weights.T.copy()),
        "layer1.bias": torch.from_numpy(biases),
        "layer2.weight": torch.from_numpy(random.choice([-1.0, 1.0], (5, 1)).T.copy()),
        "layer2.bias": torch.zeros(1, dtype=torch.float64),
    }
    student = MLP((3, 5, 1), activation)
    for part in (task.train, task.test):
        outputs = student.apply(params, torch.from_numpy(part.x)).numpy()
        np.testing.assert_allclose(outputs, part.y, rtol=1e-12, atol=1e-12)
    assert (task.recipe["activation"], task.architecture["hidden"]) == (activation, [5])


def test_success_is_relative_to_the_targets_variance():
    task = load_task("teacher")
    assert task.criterion.threshold == task.global_below == pytest.approx(1e-6 * np.var(task.train.y), rel=1e-12)
    assert task.measured == ("train_loss", "test_loss")


def test_inputs_are_standard_normal_and_parts_differ():
    task = load_task("teacher:samples=20000")
    assert task.train.x.shape == (20000, 4)
    assert np.abs(task.train.x.mean(0)).max() < 5 / np.sqrt(20000)
    assert np.abs(task.train.x.var(0) - 1).max() < 5 * np.sqrt(2 / 20000)
    assert not np.isin(task.test.x[:, 0], task.train.x[:, 0]).any()


def test_the_identity_holds_every_parameter():
    assert load_task("teacher").identity == {
        "name": "teacher",
        "inputs": 4,
        "width": 4,
        "activation": "tanh",
        "samples": 500,
        "seed": 0,
    }
    assert not np.array_equal(load_task("teacher:seed=1").train.y, load_task("teacher").train.y)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("width=0", "teacher: expected width from 1 to 1,000, found width=0; write teacher:width=1."),
        ("samples=9", "expected samples from 10 to 100,000, found samples=9"),
        ("activation=reul", "teacher: expected an activation, found 'reul'; did you mean 'relu'?"),
        ("activation=3", "expected text for 'activation', found 3"),
    ],
)
def test_other_parameters_are_one_sentence(text, message):
    with pytest.raises(BadInput) as raised:
        load_task(f"teacher:{text}")
    assert message in str(raised.value)
