"""The contract of a network: its parameters, how they are drawn, what it computes, and what belongs to its units.

A network is written for one network; the engine makes it a thousand. Parameters are a mapping of names to tensors, in
the order of a row `(parameters,)` of a member (`models.layout`). A unit is one hidden neuron, or one channel of a
convolution. Units that are removed, added or permuted together form a group: the neurons of a layer, or the channels
that a residual stream ties together. A group lists in which parameters the numbers of its units lie; everything that is
done to units reads that (`models.units`). A network without groups does whatever needs none.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Part:
    """Where one parameter holds numbers of a group's units: along `axis`, `block` neighbours a unit, from `first` on.

    A block of more than one number is what a channel owns of the inputs of a dense layer behind a flattening.
    """

    parameter: str
    axis: int
    block: int = 1
    first: int = 0


@dataclass(frozen=True)
class UnitGroup:
    """Units that are removed, added and permuted together, and the parts of parameters that belong to them.

    incoming, own, outgoing
        Weights that lead to the units, their biases and norms, and weights that lead away from them. Without outgoing
        parts what leads away is fixed.
    activation
        The function from the sum of a unit's inputs to what it puts out; None where it is more than that.
    absorbing
        For each outgoing weight the bias that can make up for a unit which puts out a constant; none where a constant
        is no constant further on, as behind the zero padding of a convolution.
    """

    name: str
    units: int
    incoming: tuple[Part, ...]
    own: tuple[Part, ...] = ()
    outgoing: tuple[Part, ...] = ()
    activation: str | None = None
    absorbing: tuple[str, ...] = ()


@dataclass(frozen=True)
class FullyConnected:
    """The layers of a network that is fully connected: what the kernels and the surface of such nets read.

    `sizes` are inputs, hidden widths and outputs, `layers` the names of each layer's weights and biases (None without).
    """

    sizes: tuple[int, ...]
    layers: tuple[tuple[str, str | None], ...]
    activation: str


class Network(ABC):
    """What is trained; implementations are immutable, comparable and can be pickled, such as frozen dataclasses.

    Their fields have other names than the properties of this contract, which a dataclass would take for defaults.
    """

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        hidden = sorted(name for name in cls.__annotations__ if hasattr(Network, name))
        if hidden:
            raise TypeError(f"{cls.__name__}: expected fields of other names than {', '.join(hidden)}; rename them")

    @property
    @abstractmethod
    def name(self) -> str:
        """Architecture as text, such as `mlp 64-100-10 relu`; it enters the seeds of every draw."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, such as `(64,)`, or `(1, 8, 8)`: channels, height, width."""

    @property
    @abstractmethod
    def shapes(self) -> Shapes:
        """Shape of every parameter, in the order of a row of them all."""

    @property
    @abstractmethod
    def prunable(self) -> tuple[str, ...]:
        """Names of the prunable parameters, from the input on."""

    @property
    @abstractmethod
    def output_layer(self) -> str | None:
        """Name of the prunable parameter that leads to the outputs; None where it is fixed."""

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Draw one network in float64 on the CPU, so that every dtype and device starts from the same draw."""
        return {name: self.draw(name, generator) for name in self.shapes}

    @abstractmethod
    def draw(self, name: str, generator: Generator) -> Tensor:
        """Draw one parameter in float64 on the CPU."""

    @abstractmethod
    def apply(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs `(samples, outputs)` of one network for inputs `(samples, inputs)`, each sample as one row."""

    @property
    @abstractmethod
    def values(self) -> int:
        """Numbers that one sample makes on its way: what all layers put out, the outputs included."""

    @property
    @abstractmethod
    def products(self) -> Mapping[str, int]:
        """Multiply-adds that one sample takes forwards, by prunable parameter."""

    @property
    def groups(self) -> tuple[UnitGroup, ...]:
        """The groups of its hidden units, from the input on."""
        return ()

    def resized(self, units: Sequence[int]) -> Network:
        """Return the same network with so many units in each group."""
        raise NotImplementedError(f"{self.name} has no unit groups")

    def activations(self, params: Mapping[str, Tensor], x: Tensor) -> list[Tensor]:
        """What the units of each group put out `(samples, units, ...)` for inputs `(samples, inputs)`."""
        raise NotImplementedError(f"{self.name} has no unit groups")

    @property
    def input_group(self) -> UnitGroup | None:
        """Its inputs as if they were units, where it can do without some of them."""
        return None

    def with_inputs(self, inputs: int) -> Network:
        """Return the same network with fewer inputs."""
        raise NotImplementedError(f"{self.name} cannot do without inputs")

    def initial_std(self, name: str) -> float | None:
        """Standard deviation of a parameter's draw; None where the distribution is not known."""
        return None

    @property
    def fully_connected(self) -> FullyConnected | None:
        """Its layers, where it is a fully connected net of which all weights are trained."""
        return None

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def inputs(self) -> int:
        """Numbers of one sample."""
        return math.prod(self.input_shape)

    @property
    def width(self) -> int:
        """Units of the first group."""
        return self.groups[0].units

    @property
    def units(self) -> tuple[int, ...]:
        """Number of units in each group."""
        return tuple(group.units for group in self.groups)
