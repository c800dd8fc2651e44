"""The resolved training recipe: plain numbers, no unit left to interpret."""

from __future__ import annotations

import math
from dataclasses import dataclass

from escapedim.specs import Spec


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    `batch_size` equal to the number of samples means full batch; there are 0 samples where every step draws its own,
    and where the loss is a closed form. `device` is where: results agree to rounding.
    """

    optimizer: Spec
    lr: float
    schedule: Spec
    steps: int
    batch_size: int
    samples: int
    dtype: str
    device: str = "cpu"

    @property
    def steps_per_epoch(self) -> float:
        """Steps in which as many samples are seen as there are; 0 where there are no epochs."""
        return self.samples / self.batch_size if self.samples else 0.0

    def checkpoints(self, parts: int) -> tuple[int, ...]:
        """Steps that cut the run into equal parts, the last one being its end."""
        return tuple(sorted({math.ceil(self.steps * part / parts) for part in range(1, parts + 1)}))
