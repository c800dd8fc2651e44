"""Families of networks by name, importable without torch: what `--model` may say.

`mlp` is the default, whose widths are those of `--hidden`. Every other family takes parameters, `width` among them,
with which all its unit groups grow. A family of a package of one's own is an entry point `escapedim.networks` that
names a `Family`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from escapedim.plugins import installed
from escapedim.specs import Value

if TYPE_CHECKING:
    from escapedim.models.network import Network

MLP = "mlp"


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
    """A family of networks: its parameters with their defaults, and what makes the network of them.

    `build(wanted, **parameters)` refuses, by a ValueError in one sentence with its remedy, what it cannot make.
    """

    parameters: Mapping[str, Value]
    build: Callable[..., Network]


def _conv_2(wanted: Wanted, width: int) -> Network:
    from escapedim.models.conv import conv_2

    return conv_2(wanted, width)


BUILT_IN: dict[str, Family] = {"conv-2": Family({"width": 64}, _conv_2)}


def families() -> Mapping[str, Family]:
    """Return all families but `mlp`, by name."""
    return {**BUILT_IN, **installed("escapedim.networks", Family, BUILT_IN)}
