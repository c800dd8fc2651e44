"""Criteria: what makes a weight or a unit worth keeping. The lowest scores are removed.

Weights: `magnitude` |θT|, `movement` |θT - θ0|, `magnitude-increase` |θT| - |θ0|, `magnitude-init` |θ0| (Zhou et al.
2019), `snip` |∂L/∂θ · θ| at the masked initial weights (Lee et al. 2019), `random`.

Units: the same quantities, a unit's score being the product of the norms of its incoming and outgoing entries; the norm
of the incoming ones alone where outgoing weights are fixed.

A criterion of a package of one's own is an entry point `escapedim.criteria` that names a `Criterion`. Nothing here
imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from escapedim import plugins

if TYPE_CHECKING:
    from escapedim.models.network import Network
    from escapedim.tasks.base import Task

GROUP = "escapedim.criteria"
Layers = Mapping[str, np.ndarray]
Scores = dict[str, np.ndarray]
Size = Callable[[Layers], Scores]
"""From a quantity of every weight, by layer, to its size in float64: by weight, or by unit of each group."""


@dataclass(frozen=True)
class Weights:
    """What a criterion sees of one network under the masks that are to be pruned; everything is 0 where it is masked.

    `initial` and `final` are weights by prunable layer, at step 0 and at the end of the last training. `parameters` are
    all parameters at step 0, those that are never pruned too. `gradient()` is that of the loss on the whole training
    part at step 0.
    """

    network: Network
    initial: Layers
    final: Layers
    parameters: Layers
    gradient: Callable[[], Layers]


def _never(task: Task, network: Network) -> str:
    return ""


@dataclass(frozen=True)
class Criterion:
    """How weights are scored.

    score
        Returns `size(...)` of a quantity, or a combination of sizes; the generator is the criterion's own.
    scorings
        How often a round is scored: with n of them, survivors fall by equal factors in n steps, and each scoring sees
        what the one before has left (Tanaka et al. 2020).
    refusal
        Says in one sentence, remedy included, why a task or a network cannot be scored; "" where it can.
    """

    score: Callable[[Weights, Size, np.random.Generator], Scores]
    scorings: int = 1
    refusal: Callable[[Task, Network], str] = _never

    def __post_init__(self) -> None:
        if self.scorings < 1:
            raise ValueError(f"expected at least one scoring a round, found {self.scorings}")


def _combine(left: Layers, right: Layers, rule: Callable[..., np.ndarray]) -> Scores:
    return {name: rule(values, right[name]) for name, values in left.items()}


def _magnitude(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    return size(weights.final)


def _random(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    return {name: random.random(scores.shape) for name, scores in size(weights.initial).items()}


def _movement(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    return size(_combine(weights.final, weights.initial, np.subtract))


def _magnitude_increase(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    return _combine(size(weights.final), size(weights.initial), np.subtract)


def _magnitude_init(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    return size(weights.initial)


def _snip(weights: Weights, size: Size, random: np.random.Generator) -> Scores:
    return size(_combine(weights.gradient(), weights.initial, np.multiply))


def _no_samples(task: Task, network: Network) -> str:
    if task.stream is None:
        return ""
    return (
        f"criterion snip takes the gradient on the training samples, and {task.name} draws new ones at every step; "
        f"use another criterion, or a training set as in {task.name}:samples=1000."
    )


CRITERIA: dict[str, Criterion] = {
    "magnitude": Criterion(_magnitude),
    "random": Criterion(_random),
    "movement": Criterion(_movement),
    "magnitude-increase": Criterion(_magnitude_increase),
    "magnitude-init": Criterion(_magnitude_init),
    "snip": Criterion(_snip, refusal=_no_samples),
}


def names() -> tuple[str, ...]:
    """Return the names of all criteria."""
    return plugins.names(GROUP, CRITERIA)


def criterion(name: str) -> Criterion:
    """Return the criterion of that name; errors as in `plugins.load`."""
    return plugins.load(GROUP, name, CRITERIA, Criterion)
