"""Fully connected nets, written for one network.

Parameters are a mapping `layerN.weight` (units, inputs) and `layerN.bias` (units,), N from 1; the last layer is
the output. Weights of all layers are prunable, biases never (Frankle & Carbin 2019).

Initialisations are written `he-normal` or, with a parameter, `normal:std=3`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from escapedim.models.activations import TABLE
from escapedim.models.names import INITIALISATIONS
from escapedim.specs import parse_spec, take_params

Params = Mapping[str, Tensor]
Draw = Callable[[tuple[int, int], Generator], Tensor]


def _normal(std: float, shape: tuple[int, int], generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64) * std


def _glorot_normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    return _normal(math.sqrt(2 / sum(shape)), shape, generator)


def _glorot_uniform(shape: tuple[int, int], generator: Generator) -> Tensor:
    bound = math.sqrt(6 / sum(shape))
    return (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) * bound


def _he_normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    return _normal(math.sqrt(2 / shape[1]), shape, generator)


def _lecun_normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    return _normal(math.sqrt(1 / shape[1]), shape, generator)


def _plain_normal(shape: tuple[int, int], generator: Generator, std: float) -> Tensor:
    return _normal(std, shape, generator)


DRAWS: dict[str, Callable[..., Tensor]] = {
    "glorot-normal": _glorot_normal,  # Glorot & Bengio 2010, as in Frankle & Carbin 2019
    "glorot-uniform": _glorot_uniform,
    "he-normal": _he_normal,  # He et al. 2015
    "lecun-normal": _lecun_normal,  # variance 1 / fan-in, LeCun et al. 1998
    "normal": _plain_normal,  # the same spread in every layer, whatever its size
}


def make_draw(text: str) -> Draw:
    """Return the draw that an initialisation such as `he-normal` or `normal:std=3` names."""
    spec = parse_spec(text)
    return partial(DRAWS[spec.name], **take_params(spec, INITIALISATIONS[spec.name]))


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
        draw = make_draw(self.init_name)
        return {
            name: draw((shape[0], shape[1]), generator) if len(shape) == 2 else torch.zeros(shape, dtype=torch.float64)
            for name, shape in self.shapes.items()
        }

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Outputs `(samples, outputs)` of one network for inputs `(samples, inputs)`."""
        activate = TABLE[self.activation].function
        for n in range(1, self.depth):
            x = activate(F.linear(x, params[f"layer{n}.weight"], params.get(f"layer{n}.bias")))
        return F.linear(x, params[f"layer{self.depth}.weight"], params.get(f"layer{self.depth}.bias"))
