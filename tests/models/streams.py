"""A network that the package does not have: blocks that read and write one residual stream, one unit group of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from escapedim.models.network import Network, Part, UnitGroup


@dataclass(frozen=True)
class Stream(Network):
    """An input matrix, a block that reads and writes a stream, and an output matrix.

    A unit of the stream has two incoming parts and two outgoing ones. With `gated` the block reads by one matrix of
    twice as many rows: values of its hidden units, and behind them their gates. With `mixing` one more matrix reads and
    writes the stream.
    """

    features: int
    channels: int
    hidden: int
    outputs: int
    gated: bool = False
    mixing: bool = False

    @property
    def name(self) -> str:
        kind = "-gated" * self.gated + "-mixing" * self.mixing
        return f"stream{kind} {self.features}-{self.channels}-{self.hidden}-{self.outputs}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.features,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        rows = self.hidden * (1 + self.gated)
        return {
            "input.weight": (self.channels, self.features),
            "input.bias": (self.channels,),
            "read.weight": (rows, self.channels),
            "read.bias": (rows,),
            "write.weight": (self.channels, self.hidden),
            **({"mix.weight": (self.channels, self.channels)} if self.mixing else {}),
            "output.weight": (self.outputs, self.channels),
        }

    @property
    def prunable(self) -> tuple[str, ...]:
        return tuple(name for name in self.shapes if name.endswith("weight"))

    @property
    def output_layer(self) -> str:
        return "output.weight"

    @property
    def groups(self) -> tuple[UnitGroup, ...]:
        mixed = ("mix.weight",) * self.mixing
        halves = range(0, self.hidden * (1 + self.gated), self.hidden)
        stream = UnitGroup(
            name="stream",
            units=self.channels,
            incoming=tuple(Part(name, 0) for name in ("input.weight", "write.weight", *mixed)),
            own=(Part("input.bias", 0),),
            outgoing=tuple(Part(name, 1) for name in ("read.weight", *mixed, "output.weight")),
        )
        hidden = UnitGroup(
            name="hidden",
            units=self.hidden,
            incoming=tuple(Part("read.weight", 0, first=first) for first in halves),
            own=tuple(Part("read.bias", 0, first=first) for first in halves),
            outgoing=(Part("write.weight", 1),),
            activation=None if self.gated else "tanh",
        )
        return (stream, hidden)

    def resized(self, units: Sequence[int]) -> Stream:
        channels, hidden = units
        return replace(self, channels=channels, hidden=hidden)

    def draw(self, name: str, generator: Generator) -> Tensor:
        shape = self.shapes[name]
        return torch.randn(shape, generator=generator, dtype=torch.float64) / shape[-1] ** 0.5

    def apply(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return self._stages(params, x)[-1] @ params["output.weight"].mT

    def activations(self, params: Mapping[str, Tensor], x: Tensor) -> list[Tensor]:
        _, hidden, stream = self._stages(params, x)
        return [stream, hidden]

    def _stages(self, params: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stream = x @ params["input.weight"].mT + params["input.bias"]
        read = stream @ params["read.weight"].mT + params["read.bias"]
        hidden = torch.tanh(read[..., : self.hidden])
        if self.gated:
            hidden = hidden * torch.sigmoid(read[..., self.hidden :])
        after = stream + hidden @ params["write.weight"].mT
        return stream, hidden, after + after @ params["mix.weight"].mT if self.mixing else after

    @property
    def values(self) -> int:
        return self.channels * (2 + self.mixing) + self.hidden * (1 + self.gated) + self.outputs

    @property
    def products(self) -> dict[str, int]:
        return {name: torch.Size(self.shapes[name]).numel() for name in self.prunable}
