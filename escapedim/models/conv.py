"""Plain convolutional nets for images: `conv-2` of Frankle & Carbin 2019 (arXiv 1803.03635), at any width.

Convolutions of 3×3 that keep the size of the image, a maximum over 2×2 after each stage of them, two dense layers and
the outputs. Parameters are a mapping `convN.weight` (channels, channels before, 3, 3), `denseN.weight` (units, inputs),
`output.weight`, and biases of the same names, which are 0 at the start and never pruned. Behind the flattening a
channel owns a block of neighbouring inputs of the first dense layer: its places, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from torch import Tensor
from torch.nn import functional as F

from escapedim.models.activations import TABLE
from escapedim.models.families import Wanted
from escapedim.models.initialisation import DrawnByRule
from escapedim.models.network import Part, UnitGroup

KERNEL = 3
POOL = 2


def conv_2(wanted: Wanted, width: int) -> ConvNet:
    """Return one stage of two convolutions of `width` channels, and two dense layers of four times as many units.

    Raises
    ------
    ValueError
        A width below 1, or samples that are no images of 2×2 at least.
    """
    if width < 1:
        raise ValueError(f"expected a width of at least 1, found {width}; write conv-2:width=8")
    if len(wanted.input_shape) != 3:
        raise ValueError("expected a task whose samples are images, found rows of numbers; write --model mlp")
    if min(wanted.input_shape[1:]) < POOL:
        size = "x".join(map(str, wanted.input_shape[1:]))
        raise ValueError(f"expected images of {POOL}x{POOL} at least, found {size}; write --model mlp")
    return ConvNet(
        image=wanted.input_shape,
        stages=((width, width),),
        dense=(4 * width, 4 * width),
        outputs=wanted.outputs,
        activation=wanted.activation,
        init_name=wanted.init,
    )


@dataclass(frozen=True)
class ConvNet(DrawnByRule):
    """Reads an `image` (channels, height, width).

    `stages` are channels of the convolutions between two maxima, `dense` units of the layers behind them.
    """

    image: tuple[int, ...]
    stages: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]
    outputs: int
    activation: str
    init_name: str = "glorot-normal"

    @property
    def name(self) -> str:
        """Architecture as text, such as `conv 1x8x8 8-8-pool-32-32-10 relu`; enters the seeds of every draw."""
        parts = [*(f"{'-'.join(map(str, stage))}-pool" for stage in self.stages), *map(str, self.dense)]
        return f"conv {'x'.join(map(str, self.image))} {'-'.join(parts)}-{self.outputs} {self.activation}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample: channels, height, width."""
        return self.image

    @property
    def _channels(self) -> tuple[int, ...]:
        return tuple(channels for stage in self.stages for channels in stage)

    @property
    def _images(self) -> list[tuple[int, int]]:
        """Height and width of the images that each convolution reads."""
        height, width = self.image[1:]
        return [(height // POOL**n, width // POOL**n) for n, stage in enumerate(self.stages) for _ in stage]

    @property
    def _places(self) -> int:
        """Places of a channel behind the last maximum."""
        return math.prod(size // POOL ** len(self.stages) for size in self.image[1:])

    @property
    def _layers(self) -> list[str]:
        """Names of the layers, from the input on."""
        convolutions = [f"conv{n}" for n in range(1, len(self._channels) + 1)]
        return [*convolutions, *(f"dense{n}" for n in range(1, len(self.dense) + 1)), "output"]

    @property
    def prunable(self) -> tuple[str, ...]:
        """All weights."""
        return tuple(f"{layer}.weight" for layer in self._layers)

    @property
    def output_layer(self) -> str:
        """The weights that lead to the outputs."""
        return "output.weight"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter, in the order of a flat vector of them all."""
        convolutions = [(after, before, KERNEL, KERNEL) for before, after in pairwise((self.image[0], *self._channels))]
        flattened = self._channels[-1] * self._places
        matrices = [(after, before) for before, after in pairwise((flattened, *self.dense, self.outputs))]
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, shape in zip(self._layers, [*convolutions, *matrices], strict=True):
            shapes[f"{layer}.weight"] = shape
            shapes[f"{layer}.bias"] = shape[:1]
        return shapes

    @property
    def groups(self) -> tuple[UnitGroup, ...]:
        """The channels of each convolution, and the units of each dense layer."""
        convolutions = len(self._channels)
        return tuple(
            UnitGroup(
                name=f"{layer}.weight",
                units=units,
                incoming=(Part(f"{layer}.weight", 0),),
                own=(Part(f"{layer}.bias", 0),),
                outgoing=(Part(f"{after}.weight", 1, block=self._places if n == convolutions else 1),),
                activation=self.activation,
                absorbing=(f"{after}.bias",) if n >= convolutions else (),  # a constant ends at the padding
            )
            for n, (units, (layer, after)) in enumerate(
                zip((*self._channels, *self.dense), pairwise(self._layers), strict=True), start=1
            )
        )

    def resized(self, units: Sequence[int]) -> ConvNet:
        """Return the same network with other numbers of channels and units."""
        ends = [0, *accumulate(map(len, self.stages))]
        stages = tuple(tuple(units[first:last]) for first, last in pairwise(ends))
        return replace(self, stages=stages, dense=tuple(units[ends[-1] :]))

    @property
    def values(self) -> int:
        """What convolutions put out before and behind the maxima, units and outputs."""
        convolved = sum(
            channels * math.prod(image) for channels, image in zip(self._channels, self._images, strict=True)
        )
        behind: list[int] = [
            stage[-1] * math.prod(size // POOL**n for size in self.image[1:])
            for n, stage in enumerate(self.stages, start=1)
        ]
        return convolved + sum(behind) + sum(self.dense) + self.outputs

    @property
    def products(self) -> dict[str, int]:
        """One multiply-add a weight, of a convolution at every place of the image."""
        places = [*map(math.prod, self._images), *[1] * (len(self.dense) + 1)]
        return {name: math.prod(self.shapes[name]) * count for name, count in zip(self.prunable, places, strict=True)}

    def apply(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Outputs `(samples, outputs)` of one network for inputs `(samples, inputs)`."""
        for values in self._hidden(params, x):
            x = values
        return F.linear(x, params["output.weight"], params["output.bias"])

    def activations(self, params: Mapping[str, Tensor], x: Tensor) -> list[Tensor]:
        """What channels put out before maxima `(samples, channels, height, width)`, and units `(samples, units)`."""
        return list(self._hidden(params, x))

    def _hidden(self, params: Mapping[str, Tensor], x: Tensor) -> Iterator[Tensor]:
        activate, layers = TABLE[self.activation].function, iter(self._layers)
        x = x.reshape(-1, *self.image)
        for stage in self.stages:
            for layer in (next(layers) for _ in stage):
                x = activate(F.conv2d(x, params[f"{layer}.weight"], params[f"{layer}.bias"], padding=KERNEL // 2))
                yield x
            x = F.max_pool2d(x, POOL)
        x = x.flatten(1)
        for layer in (next(layers) for _ in self.dense):
            x = activate(F.linear(x, params[f"{layer}.weight"], params[f"{layer}.bias"]))
            yield x
