"""Treatments: how a subnetwork is trained anew, a point of the cube mask × weights × schedule, and what is around it.

Every retraining mode of the literature is one choice of where the mask, the weights and the learning-rate clock come
from (Renda, Frankle & Carbin 2020, arXiv 2003.02389). Masks are those of a round of the prune run; `reinit` is the
ticket's mask with fresh weights, `dense` the whole network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.rewinding.mode_names import END, FRESH
from escapedim.rewinding.source import Left
from escapedim.training.initial import drawn_row, fresh_row, order_seed
from escapedim.training.seeds import derive_seed

Rest = Literal["masked", "original", "redraw", "frozen"]


@dataclass(frozen=True)
class Treatment:
    """How one network is trained.

    Parameters
    ----------
    subnetwork
        `ticket`, `reinit`, `shuffle`, `random` or `dense`: it says which mask.
    weights
        Where the subnetwork's weights come from: a step of round 0, `end` (of the training that made the mask) or
        `fresh`.
    start
        The step from which data order and schedule go on. Weights around a subnetwork are those of this step too.
    at_last_rate
        The learning rate stays that of the last step, as in fine-tuning.
    rest
        The complement: 0 (`masked`), the `original`, drawn anew, or the original without being trained (`frozen`).
    draw, scale
        Which of the draws, and the factor of its weights.
    second_order
        Another order of the data than that of the prune run's round.
    """

    subnetwork: str
    weights: int | str
    start: int
    at_last_rate: bool = False
    rest: Rest = "masked"
    draw: int = 0
    scale: float = 1.0
    second_order: bool = False

    @property
    def mask_of(self) -> str:
        """The arm whose mask it is."""
        return "ticket" if self.subnetwork == "reinit" else self.subnetwork

    @property
    def training(self) -> Treatment:
        """The treatment that is trained: a kept subnetwork in its own surroundings is the dense network, whichever."""
        if self.rest == "original" and self.weights == self.start:
            return Treatment("dense", self.start, self.start, self.at_last_rate, second_order=self.second_order)
        return self

    @property
    def alone(self) -> Treatment:
        """The same subnetwork in isolation."""
        return Treatment(self.subnetwork, self.weights, self.start, self.at_last_rate, second_order=self.second_order)


@dataclass(frozen=True)
class Begun:
    """Rows `(parameters,)` of one network before its first step.

    What is in the subnetwork, where weights may be anything but 0, and which stay as they are.
    """

    row: np.ndarray
    subnetwork: np.ndarray
    there: np.ndarray
    frozen: np.ndarray


@dataclass(frozen=True)
class PrunedRound:
    """One round of a prune run as treatments start from it: `root` is the run's root seed."""

    model: Network
    dtype: str
    root: int
    number: int

    def begin(self, left: Left, points: Mapping[int, np.ndarray], treatment: Treatment) -> Begun:
        """Return where a replicate's network begins; `points` are weights of round 0 by step."""
        mask = self.mask(left, treatment)
        own = self.weights(left, points, treatment)
        everything = np.ones_like(mask)
        if treatment.rest == "masked":
            return Begun(np.where(mask, own, own.dtype.type(0)), mask, mask, ~everything)
        rest = self._redrawn(left, treatment) if treatment.rest == "redraw" else points[treatment.start]
        frozen = ~mask if treatment.rest == "frozen" else ~everything
        return Begun(np.where(mask, own, rest), mask, everything, frozen)

    def mask(self, left: Left, treatment: Treatment) -> np.ndarray:
        """Return which parameters are in the subnetwork; those that are never pruned always are."""
        dense = treatment.subnetwork == "dense"
        return np.ones_like(left.masks["ticket"]) if dense else left.masks[treatment.mask_of]

    def order(self, replicate: int, treatment: Treatment) -> int:
        """Return the seed of the data order: the round's own, or a second one."""
        if treatment.second_order:
            return derive_seed(self.root, "second data order", self.model.name, replicate, self.number)
        return order_seed(self.model, self.root, replicate, self.number)

    def prunable(self) -> np.ndarray:
        """Return which parameters can be pruned at all `(parameters,)`."""
        layout = Layout(self.model.shapes)
        ones = {name: np.ones(self.model.shapes[name], bool) for name in self.model.prunable}
        return layout.pack(ones, False, np.dtype(bool))

    def weights(self, left: Left, points: Mapping[int, np.ndarray], treatment: Treatment) -> np.ndarray:
        """Return the row `(parameters,)` that the subnetwork's weights come from."""
        if treatment.weights == FRESH:
            return fresh_row(self.model, self.dtype, self.root, left.replicate, self.number).numpy()
        return left.end if treatment.weights == END else points[int(treatment.weights)]

    def _redrawn(self, left: Left, treatment: Treatment) -> np.ndarray:
        """Draws are shared by subnetworks and scales, so that these are compared in pairs."""
        seed = derive_seed(self.root, "complement", self.model.name, left.replicate, self.number, treatment.draw)
        drawn = drawn_row(self.model, self.dtype, seed).numpy()
        scaled: np.ndarray = drawn * drawn.dtype.type(treatment.scale)
        return scaled
