"""What a run will roughly take, before it is started: seconds and memory, from shapes alone.

The rates are ours, measured on one core of a 2023 server processor with AVX-512; a machine of its own kind may be
several times slower or faster, so reports say "about".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from escapedim.models.network import Network
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


def estimate(
    config: TrainingConfig, task: Task, network: Network, members: int, networks: int, net_steps: int
) -> Estimate:
    """Estimate a run over members of a network whose stacks have so many `members`."""
    from escapedim.training.problems import problem_of  # imports torch

    parameters, recipe = network.size, config.recipe(task)
    width = np.dtype(config.dtype).itemsize
    products = problem_of(task).multiply_adds(network, recipe.batch_size)
    step_s = 2 * products / FLOPS_PER_S + parameters / PARAMETERS_PER_S + STEP_S
    jobs = 1 if config.device == "cuda" else config.jobs
    inputs = sum(len(part) for part in (task.train, task.validation, task.test)) * task.inputs
    own_inputs = 0 if recipe.batch_size == recipe.samples else task.inputs  # full batches are shared by all members
    activations = recipe.batch_size * (own_inputs + 4 * (network.values - task.outputs)) * members
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
