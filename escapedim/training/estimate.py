"""What a run will roughly take, before it is started: seconds and memory, from shapes alone.

The rates are ours, measured on one core of a 2023 server processor with AVX-512; a machine of its own kind may be
several times slower or faster, so reports say "about".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from escapedim.tasks.base import Task
from escapedim.training.config import TrainingConfig

FLOPS_PER_S = 1.0e11  # of the batched products of one core in float32
PARAMETERS_PER_S = 1.0e9  # of the optimizer, the mask and the copies
STEP_S = 15e-6  # of calls, for each network of a stack of four
START_S = 4.0  # importing torch, in the parent and in the workers
PROCESS_MB = 350.0  # torch itself
ROWS = 8  # copies of the parameters in a stack: gradient, moments, mask, kept points, transport


@dataclass(frozen=True)
class Estimate:
    """Networks trained, their steps in all, seconds, and the memory of all processes in MB.

    With `most` steps and seconds are the most that it can be: members that have landed stop.
    """

    networks: int
    net_steps: int
    seconds: float
    memory_mb: float
    most: bool = False


def parameter_count(task: Task, hidden: Sequence[int]) -> int:
    """Parameters of one network with these hidden widths, biases included where it has some."""
    if task.loss == "relu-teacher":  # outgoing weights are fixed
        return task.inputs * sum(hidden)
    sizes = (task.inputs, *hidden, task.outputs)
    return sum((inputs + task.bias) * units for inputs, units in pairwise(sizes))


def step_multiply_adds(task: Task, hidden: Sequence[int], batch_size: int) -> float:
    """Multiply-adds of the products in one step of one network with these hidden widths.

    A layer of weights takes a product forwards and two backwards (Kaplan et al. 2020, arXiv 2001.08361, section 2.1):
    the gradients of its weights and of its inputs, of which the first layer needs none: batch · (3 · weights - inputs ·
    units of the first layer). Biases, activations and the optimizer are no products, and left out.

    The closed form of n relu students in k dimensions has no batch (`tasks.relu_teacher_forms.gradient`): n²k for their
    angles, n²k + n² for their sums over students. The teacher's units are unit vectors, which take no product.
    """
    if task.loss == "relu-teacher":
        (units,) = hidden
        return units * units * (2 * task.inputs + 1)
    weights = [inputs * units for inputs, units in pairwise((task.inputs, *hidden, task.outputs))]
    return batch_size * (3 * sum(weights) - weights[0])


def estimate(
    config: TrainingConfig, task: Task, hidden: Sequence[int], members: int, networks: int, net_steps: int
) -> Estimate:
    """Estimate a run over networks with these `hidden` widths whose stacks have so many `members`."""
    parameters, recipe = parameter_count(task, hidden), config.recipe(task)
    width = np.dtype(config.dtype).itemsize
    products = step_multiply_adds(task, hidden, recipe.batch_size)
    step_s = 2 * products / FLOPS_PER_S + parameters / PARAMETERS_PER_S + STEP_S
    jobs = 1 if config.device == "cuda" else config.jobs
    inputs = sum(len(part) for part in (task.train, task.validation, task.test)) * task.inputs
    own_inputs = 0 if recipe.batch_size == recipe.samples else task.inputs  # full batches are shared by all members
    activations = recipe.batch_size * (own_inputs + 4 * sum(hidden)) * members
    stack_mb = (ROWS * parameters * members + activations + inputs) * width / 1e6
    seconds = START_S + net_steps * step_s * (width / 4) / jobs
    return Estimate(networks, net_steps, seconds, (jobs + 1) * PROCESS_MB + jobs * stack_mb)


def together(estimates: Sequence[Estimate]) -> Estimate:
    """Estimate runs that are done one after another in one start; none take what starting takes."""
    return Estimate(
        networks=sum(part.networks for part in estimates),
        net_steps=sum(part.net_steps for part in estimates),
        seconds=START_S + sum(part.seconds - START_S for part in estimates),
        memory_mb=max((part.memory_mb for part in estimates), default=0.0),
    )
