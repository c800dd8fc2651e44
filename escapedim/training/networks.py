"""From a configuration and a task to the network that is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escapedim.errors import BadInput
from escapedim.models.families import MLP, Wanted, family
from escapedim.models.network import Network
from escapedim.specs import Spec, parse_spec, take_params
from escapedim.tasks.base import Task
from escapedim.training.config import NetworkConfig, TrainingConfig
from escapedim.training.problems import problem_of


def network_of(config: NetworkConfig, task: Task) -> Network:
    """Return the network that a configuration asks for on a task.

    Raises
    ------
    BadInput
        The family cannot be made for the task.
    """
    spec = parse_spec(config.model)
    if spec.name == MLP:
        return problem_of(task).fully_connected(_wanted(config, task), config.hidden)
    return _of_family(spec, config, task, {})


def network_of_width(config: TrainingConfig, task: Task, width: int) -> Network:
    """Return the network of one width: one hidden layer, or a family at that width; errors as in `network_of`."""
    spec = parse_spec(config.model)
    if spec.name == MLP:
        return problem_of(task).fully_connected(_wanted(config, task), (width,))
    return _of_family(spec, config, task, {"width": width})


def _wanted(config: TrainingConfig, task: Task) -> Wanted:
    return Wanted(task.input_shape, task.outputs, config.activation, config.init, task.bias)


def _of_family(spec: Spec, config: TrainingConfig, task: Task, more: Mapping[str, Any]) -> Network:
    found = family(spec.name)
    params = {**take_params(spec, found.parameters), **more}
    try:
        return found.build(_wanted(config, task), **params)
    except ValueError as error:
        raise BadInput(f"--model {spec} on {task.name}: {error}.") from None
