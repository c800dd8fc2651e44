"""Fully connected nets, written for one network.

Parameters are a mapping `layerN.weight` (units, inputs) and `layerN.bias` (units,), N from 1; the last layer is
the output. Weights of all layers are prunable, biases never (Frankle & Carbin 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from torch import Tensor
from torch.nn import functional as F

from escapedim.models.activations import TABLE
from escapedim.models.initialisation import DrawnByRule
from escapedim.models.network import FullyConnected, Part, UnitGroup

Params = Mapping[str, Tensor]


@dataclass(frozen=True)
class MLP(DrawnByRule):
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
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample `(inputs,)`."""
        return self.sizes[:1]

    @property
    def depth(self) -> int:
        """Number of layers of weights."""
        return len(self.sizes) - 1

    @property
    def prunable(self) -> tuple[str, ...]:
        """Names of the prunable parameters, from the input on."""
        return tuple(_weight(n) for n in range(1, self.depth + 1))

    @property
    def output_layer(self) -> str | None:
        """Name of the prunable parameter that leads to the outputs."""
        return _weight(self.depth)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter, in the order of a flat vector of them all."""
        shapes: dict[str, tuple[int, ...]] = {}
        for n, (inputs, units) in enumerate(pairwise(self.sizes), start=1):
            shapes[_weight(n)] = (units, inputs)
            if self.bias:
                shapes[_bias(n)] = (units,)
        return shapes

    @property
    def groups(self) -> tuple[UnitGroup, ...]:
        """The hidden layers."""
        return tuple(
            UnitGroup(
                name=_weight(n),
                units=self.sizes[n],
                incoming=(Part(_weight(n), 0),),
                own=(Part(_bias(n), 0),) if self.bias else (),
                outgoing=(Part(_weight(n + 1), 1),),
                activation=self.activation,
                absorbing=(_bias(n + 1),) if self.bias else (),
            )
            for n in range(1, self.depth)
        )

    def resized(self, units: Sequence[int]) -> MLP:
        """Return the same network with other hidden widths."""
        return replace(self, sizes=(self.sizes[0], *units, self.sizes[-1]))

    @property
    def input_group(self) -> UnitGroup:
        """The inputs, each with its weights into the first layer."""
        return UnitGroup("inputs", self.sizes[0], incoming=(), outgoing=(Part(_weight(1), 1),))

    def with_inputs(self, inputs: int) -> MLP:
        """Return the same network with fewer inputs."""
        return replace(self, sizes=(inputs, *self.sizes[1:]))

    @property
    def fully_connected(self) -> FullyConnected:
        """Its layers."""
        layers = ((_weight(n), _bias(n) if self.bias else None) for n in range(1, self.depth + 1))
        return FullyConnected(self.sizes, tuple(layers), self.activation)

    @property
    def values(self) -> int:
        """Units of all layers, the outputs included."""
        return sum(self.sizes[1:])

    @property
    def products(self) -> dict[str, int]:
        """One multiply-add a weight."""
        return {_weight(n): inputs * units for n, (inputs, units) in enumerate(pairwise(self.sizes), start=1)}

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Outputs `(samples, outputs)` of one network for inputs `(samples, inputs)`."""
        for values in self._hidden(params, x):
            x = values
        return F.linear(x, params[_weight(self.depth)], params.get(_bias(self.depth)))

    def activations(self, params: Params, x: Tensor) -> list[Tensor]:
        """What the units of each hidden layer put out `(samples, units)`."""
        return list(self._hidden(params, x))

    def _hidden(self, params: Params, x: Tensor) -> Iterator[Tensor]:
        activate = TABLE[self.activation].function
        for n in range(1, self.depth):
            x = activate(F.linear(x, params[_weight(n)], params.get(_bias(n))))
            yield x


def _weight(n: int) -> str:
    return f"layer{n}.weight"


def _bias(n: int) -> str:
    return f"layer{n}.bias"
