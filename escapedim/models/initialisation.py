"""Distributions of initial weights, written `he-normal` or, with a parameter, `normal:std=3`.

A weight tensor is `(units, inputs, ...)`: what follows the second axis are the places of a convolution's kernel, and
counts in both fans.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from escapedim.models.layer_names import INITIALISATIONS
from escapedim.models.network import Network
from escapedim.specs import parse_spec, take_params

SPREADS: dict[str, Callable[..., float]] = {
    "glorot-normal": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),  # Glorot & Bengio 2010
    "glorot-uniform": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
    "he-normal": lambda fan_in, fan_out: math.sqrt(2 / fan_in),  # He et al. 2015
    "lecun-normal": lambda fan_in, fan_out: math.sqrt(1 / fan_in),  # LeCun et al. 1998
    "normal": lambda fan_in, fan_out, std: std,  # the same spread in every layer, whatever its size
}
"""Standard deviations of the weights of a layer."""


def initial_std(text: str, shape: tuple[int, ...]) -> float:
    """Return the standard deviation of a layer's weights under an initialisation such as `normal:std=3`."""
    spec = parse_spec(text)
    places = math.prod(shape[2:])
    return SPREADS[spec.name](shape[1] * places, shape[0] * places, **take_params(spec, INITIALISATIONS[spec.name]))


def draw_weights(text: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Draw the weights of one layer in float64 under an initialisation such as `normal:std=3`."""
    std = initial_std(text, shape)
    if parse_spec(text).name.endswith("-uniform"):
        return (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) * (math.sqrt(3) * std)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * std


class DrawnByRule(Network):
    """A network whose weights are drawn by an initialisation, and whose biases are 0 at the start."""

    init_name: str

    def draw(self, name: str, generator: Generator) -> Tensor:
        """Draw one parameter in float64 on the CPU."""
        shape = self.shapes[name]
        if len(shape) == 1:
            return torch.zeros(shape, dtype=torch.float64)
        return draw_weights(self.init_name, shape, generator)

    def initial_std(self, name: str) -> float:
        """Standard deviation of a parameter's draw."""
        shape = self.shapes[name]
        return 0.0 if len(shape) == 1 else initial_std(self.init_name, shape)
