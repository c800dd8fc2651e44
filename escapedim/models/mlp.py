"""Fully connected nets, written for one network.

Parameters are a mapping `layerN.weight` (units, inputs) and `layerN.bias` (units,), N from 1; the last layer is
the output. Weights of all layers are prunable, biases never (Frankle & Carbin 2019).

Initialisations are written `he-normal` or, with a parameter, `normal:std=3`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from escapedim.models.activations import TABLE
from escapedim.models.layer_names import INITIALISATIONS
from escapedim.specs import parse_spec, take_params

Params = Mapping[str, Tensor]


SPREADS: dict[str, Callable[..., float]] = {
    "glorot-normal": lambda shape: math.sqrt(2 / sum(shape)),  # Glorot & Bengio 2010, as in Frankle & Carbin 2019
    "glorot-uniform": lambda shape: math.sqrt(2 / sum(shape)),
    "he-normal": lambda shape: math.sqrt(2 / shape[1]),  # He et al. 2015
    "lecun-normal": lambda shape: math.sqrt(1 / shape[1]),  # variance 1 / fan-in, LeCun et al. 1998
    "normal": lambda shape, std: std,  # the same spread in every layer, whatever its size
}
"""Standard deviations of the weights of a layer (units, inputs)."""


def initial_std(text: str, shape: tuple[int, int]) -> float:
    """Return the standard deviation of a layer's weights under an initialisation such as `normal:std=3`."""
    spec = parse_spec(text)
    return SPREADS[spec.name](shape, **take_params(spec, INITIALISATIONS[spec.name]))


def draw_weights(text: str, shape: tuple[int, int], generator: Generator) -> Tensor:
    """Draw the weights (units, inputs) of one layer in float64 under an initialisation such as `normal:std=3`."""
    std = initial_std(text, shape)
    if parse_spec(text).name.endswith("-uniform"):
        return (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) * (math.sqrt(3) * std)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * std


@dataclass(frozen=True)
class MLP:
    """A fully connected net: `sizes` = (inputs, hidden widths..., outputs), biases (if any) 0 at the start."""

    sizes: tuple[int, ...]
    activation: str
    init_name: str = "glorot-normal"
    bias: bool = True

    @property
    def name(self) -> str:
        """Architecture as text, such as `mlp 64-300-100-10 relu`; enters the seeds of every draw."""
        ending = "" if self.bias else " without biases"
        return f"mlp {'-'.join(map(str, self.sizes))} {self.activation}{ending}"

    @property
    def depth(self) -> int:
        """Number of layers of weights."""
        return len(self.sizes) - 1

    @property
    def prunable(self) -> tuple[str, ...]:
        """Names of the prunable parameters, from the input on."""
        return tuple(f"layer{n}.weight" for n in range(1, self.depth + 1))

    @property
    def output_layer(self) -> str | None:
        """Name of the prunable parameter that leads to the outputs; None where it is fixed."""
        return f"layer{self.depth}.weight"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter, in the order of a flat vector of them all."""
        shapes: dict[str, tuple[int, ...]] = {}
        for n, (inputs, units) in enumerate(pairwise(self.sizes), start=1):
            shapes[f"layer{n}.weight"] = (units, inputs)
            if self.bias:
                shapes[f"layer{n}.bias"] = (units,)
        return shapes

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Draw one network in float64 on the CPU, so that every dtype and device starts from the same draw."""
        return {
            name: draw_weights(self.init_name, (shape[0], shape[1]), generator)
            if len(shape) == 2
            else torch.zeros(shape, dtype=torch.float64)
            for name, shape in self.shapes.items()
        }

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Outputs `(samples, outputs)` of one network for inputs `(samples, inputs)`."""
        activate = TABLE[self.activation].function
        for n in range(1, self.depth):
            x = activate(F.linear(x, params[f"layer{n}.weight"], params.get(f"layer{n}.bias")))
        return F.linear(x, params[f"layer{self.depth}.weight"], params.get(f"layer{self.depth}.bias"))
