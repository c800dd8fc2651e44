"""From a configuration and a task to the network that is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escapedim.errors import BadInput
from escapedim.models.families import BUILT_IN, DEFAULT, Wanted, family
from escapedim.models.network import Network
from escapedim.specs import parse_spec, take_params
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
    return _network(config, task, config.hidden, {})


def network_of_width(config: TrainingConfig, task: Task, width: int) -> Network:
    """Return the network of one width: one hidden layer, or a family at that width.

    Raises
    ------
    BadInput
        As in `network_of`, or the family has no width, or another number of units at that width.
    """
    spec = parse_spec(config.model)
    if spec.name != DEFAULT and "width" not in family(spec.name).parameters:
        raise BadInput(f"--model {spec}: expected a family with a width, found none; use train or prune.")
    network = _network(config, task, (width,), {"width": width})
    if network.units[:1] != (width,):
        raise BadInput(
            f"--model {spec}: expected {width} units in the first group at width {width}, found "
            f"{network.units[0] if network.units else 'no group'}; mend that family."
        )
    return network


def _network(config: TrainingConfig, task: Task, hidden: Sequence[int], more: Mapping[str, Any]) -> Network:
    spec = parse_spec(config.model)
    wanted = Wanted(task.input_shape, task.outputs, config.activation, config.init, task.bias)
    if spec.name == DEFAULT:
        return problem_of(task).fully_connected(wanted, hidden)
    of_name, where = family(spec.name), f"--model {spec} on {task.name}"
    params = {**take_params(spec, of_name.parameters), **more}
    try:
        network = of_name.build(wanted, **params)
    except ValueError as error:
        raise BadInput(f"{where}: {error}.") from None
    if spec.name not in BUILT_IN:
        _check(network, wanted, where)
    return network


def _check(network: Network, wanted: Wanted, where: str) -> None:
    """Refuse a network of other people that does not keep to the contract, before anything is trained."""
    import torch

    try:
        zeros = {name: torch.zeros(shape) for name, shape in network.shapes.items()}
        found = tuple(network.apply(zeros, torch.zeros(2, network.inputs)).shape)
        wider = network.resized([units + 1 for units in network.units]) if network.groups else network
        fits = all(
            part.first + group.units * part.block <= network.shapes[part.parameter][part.axis]
            for group in network.groups
            for part in (*group.incoming, *group.own, *group.outgoing)
        )
        grows = not network.groups or (
            network.resized(network.units) == network
            and wider.units == tuple(units + 1 for units in network.units)
            and wider.name != network.name
        )
    except Exception as error:  # whatever code of other people raises
        raise BadInput(f"{where}: {type(error).__name__}: {error}; mend that family.") from None
    if found != (2, wanted.outputs):
        raise BadInput(f"{where}: expected outputs (samples, {wanted.outputs}), found {found}; mend its apply.")
    if not fits:
        raise BadInput(f"{where}: expected parts of units that lie in their parameters, found others; mend its groups.")
    if not grows:
        raise BadInput(
            f"{where}: expected resized to give the asked units under another name; mend its resized or name."
        )
