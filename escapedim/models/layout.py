"""Members as one matrix: every network is a row `(members, parameters)`, its tensors are views into it.

One flat matrix makes leaving the stack an indexing, a snapshot a copy, and an optimizer step one kernel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where each named tensor lies in a network's row."""

    shapes: Mapping[str, tuple[int, ...]]

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Columns of each tensor."""
        slices, start = {}, 0
        for name, shape in self.shapes.items():
            slices[name] = slice(start, start + math.prod(shape))
            start = slices[name].stop
        return slices

    @property
    def size(self) -> int:
        """Parameters of one network."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Named views `(members, *shape)` into a matrix `(members, parameters)`."""
        return {name: flat[:, self.slices[name]].view(len(flat), *shape) for name, shape in self.shapes.items()}

    def split(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """Named arrays of one network's row `(parameters,)`, as views."""
        return {name: row[self.slices[name]].reshape(shape) for name, shape in self.shapes.items()}

    def flatten(self, params: Mapping[str, Tensor]) -> Tensor:
        """One network's row from its tensors."""
        return torch.cat([params[name].reshape(-1) for name in self.shapes])

    def pack(self, arrays: Mapping[str, np.ndarray], default: float, dtype: np.dtype) -> np.ndarray:
        """One row from named arrays; tensors that are not named are filled with `default`."""
        row = np.full(self.size, default, dtype)
        for name, array in arrays.items():
            row[self.slices[name]] = array.reshape(-1)
        return row
