"""Families of networks by name, importable without torch: what `--model` may say.

`mlp` is the default, whose widths are those of `--hidden`. Every other family takes parameters, `width` among them,
with which all its unit groups grow. A family of a package of one's own is an entry point `escapedim.networks` that
names a `Family`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escapedim import plugins
from escapedim.specs import Value

if TYPE_CHECKING:
    from escapedim.models.network import Network

DEFAULT = "mlp"
GROUP = "escapedim.networks"


@dataclass(frozen=True)
class Wanted:
    """What a task and a recipe ask of a network, whatever its family: shapes of a sample and of outputs, and draws."""

    input_shape: tuple[int, ...]
    outputs: int
    activation: str
    init: str
    bias: bool

    @property
    def inputs(self) -> int:
        """Numbers of one sample."""
        return math.prod(self.input_shape)


@dataclass(frozen=True)
class Family:
    """A family of networks: its parameters with their defaults, what makes the network of them, and widths to scale.

    `build(wanted, **parameters)` refuses, by a ValueError in one sentence with its remedy, what it cannot make.
    """

    parameters: Mapping[str, Value]
    build: Callable[..., Network]
    widths: str = "1:8"

    @property
    def architecture(self) -> dict[str, object]:
        """Return its default values of configuration keys, in place of those that a task has for an mlp."""
        return {"hidden": [], "widths": self.widths, "layer": 0}


def _conv_2(wanted: Wanted, width: int) -> Network:
    from escapedim.models.conv import conv_2

    return conv_2(wanted, width)


BUILT_IN: dict[str, Family] = {"conv-2": Family({"width": 64}, _conv_2)}


def fully_connected(wanted: Wanted, hidden: Sequence[int]) -> Network:
    """Return the fully connected net with these hidden widths."""
    from escapedim.models.mlp import MLP

    return MLP((wanted.inputs, *hidden, wanted.outputs), wanted.activation, wanted.init, wanted.bias)


def names() -> tuple[str, ...]:
    """Return the names of all families but `mlp`."""
    return plugins.names(GROUP, BUILT_IN)


def family(name: str) -> Family:
    """Return the family of that name; errors as in `plugins.load`."""
    return plugins.load(GROUP, name, BUILT_IN, Family)
