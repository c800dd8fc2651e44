import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.tasks import relu_teacher
from escapedim.training.config import TrainConfig
from escapedim.training.estimate import estimate, together
from escapedim.training.kernels.choice import gradient_of
from escapedim.training.kernels.dense import DenseGradient
from escapedim.training.networks import network_of
from escapedim.training.problems import problem_of

from .plain import VALUES, toy_task

TASK = toy_task()


def of(members: int = 4, networks: int = 20, net_steps: int = 10**6, **changes):
    config = TrainConfig(**{**VALUES, **changes})
    return estimate(config, TASK, network_of(config, TASK), members, networks, net_steps)


@pytest.mark.parametrize("hidden", [(3,), (30, 20), (2, 3, 4)])
def test_parameters_are_those_of_the_network(hidden):
    config = TrainConfig(**{**VALUES, "hidden": hidden})
    network, sizes = network_of(config, TASK), (TASK.inputs, *hidden, TASK.outputs)
    assert network.size == sum((inputs + 1) * units for inputs, units in itertools.pairwise(sizes))
    assert network.size == Layout(network.shapes).size


def test_counts_are_handed_through():
    assert (of().networks, of().net_steps) == (20, 10**6)


@pytest.mark.parametrize("larger", [{"net_steps": 2 * 10**6}, {"hidden": (300,)}, {"dtype": "float64"}, {"jobs": 1}])
def test_more_work_or_fewer_processes_take_longer(larger):
    assert of(jobs=2).seconds < of(**{"jobs": 2, **larger}).seconds


@pytest.mark.parametrize("larger", [{"members": 400}, {"hidden": (3000,)}, {"dtype": "float64"}, {"jobs": 3}])
def test_larger_stacks_and_more_processes_take_more_memory(larger):
    assert of(jobs=2).memory_mb < of(**{"jobs": 2, **larger}).memory_mb


def test_a_stack_holds_at_least_its_parameters_gradient_and_moments():
    config = TrainConfig(**{**VALUES, "hidden": (1000, 1000), "dtype": "float32", "jobs": 1})
    network = network_of(config, TASK)
    assert estimate(config, TASK, network, 50, 50, 1).memory_mb > 4 * 4 * 50 * network.size / 1e6


def test_runs_one_after_another_take_the_sum_of_the_times_and_the_largest_memory():
    parts = [of(members=4, net_steps=10**6), of(members=400, net_steps=10**7)]
    both = together(parts)
    assert (both.networks, both.net_steps) == (40, 11 * 10**6)
    assert both.memory_mb == parts[1].memory_mb
    assert max(part.seconds for part in parts) < both.seconds < sum(part.seconds for part in parts)


def test_a_gpu_is_worked_on_by_one_process():
    assert of(device="cuda", jobs=8) == of(device="cuda", jobs=1)


def products_of(gradient, flat: torch.Tensor, *samples: torch.Tensor) -> float:
    """Multiply-adds of the products for one member, as torch itself counts them."""
    with FlopCounterMode(display=False) as counter:
        gradient(flat, *samples, torch.empty_like(flat))
    return counter.get_total_flops() / 2 / len(flat)


@pytest.mark.parametrize("hidden", [(5,), (1,), (6, 4), (2, 3, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_of_a_step_are_those_of_the_gradient(hidden, bias):
    task = replace(TASK, bias=bias)
    model = MLP((task.inputs, *hidden, task.outputs), "tanh", bias=bias)
    flat, x = torch.randn(2, Layout(model.shapes).size), torch.randn(2, 7, task.inputs)
    counted = products_of(DenseGradient(model, "squared"), flat, x, torch.randn(2, 7, task.outputs))
    assert problem_of(task).multiply_adds(model, 7) == counted


@pytest.mark.parametrize(("k", "units"), [(2, 1), (6, 4), (3, 8)])
def test_products_of_a_step_of_the_closed_form_are_those_of_the_gradient(k, units):
    student, nothing = ReluStudent(k, units), torch.empty(0, k)
    problem = problem_of(relu_teacher.load(k))
    counted = products_of(gradient_of(student, problem), torch.randn(3, units * k), nothing, nothing)
    assert problem.multiply_adds(student, 0) == counted


def by_loops(sizes: tuple[int, ...], batch: int) -> int:
    """Count backpropagation one multiplication at a time."""
    count = 0
    for _ in range(batch):
        for layer, (inputs, units) in enumerate(itertools.pairwise(sizes)):
            for _unit, _input in itertools.product(range(units), range(inputs)):
                count += 1  # forwards
                count += 1  # gradient of the weight
                count += layer > 0  # gradient of the input
    return count


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(1, 4))
def test_products_of_a_step_are_those_of_backpropagation(hidden, batch):
    sizes = (TASK.inputs, *hidden, TASK.outputs)
    assert problem_of(TASK).multiply_adds(MLP(sizes, "relu"), batch) == by_loops(sizes, batch)
