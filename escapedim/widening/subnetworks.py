"""Unit subnetworks: the subsets of units that are taken out of a wide network, and the spread of their weights.

A subnetwork of width r has as many units in each group as the network of width r. A draw that is scaled by fan-in
spreads the weights of a narrow network otherwise than those of a wide one. So what changes its width is rescaled,
parameter by parameter, to the initial distribution of the width that it comes to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import torch
from torch import Tensor

from escapedim.errors import BadInput
from escapedim.models import units
from escapedim.models.layout import Layout
from escapedim.models.network import Network
from escapedim.widening.stack import Setting

Subset = tuple[tuple[int, ...], ...]
"""Units of a subnetwork, by group."""


def number_of_subsets(wide: Network, narrow: Network) -> int:
    """Return how many subsets of a wide network's units make a narrow network."""
    return math.prod(map(math.comb, wide.units, narrow.units))


def subsets(wide: Network, narrow: Network, most: int, seed: int) -> list[Subset]:
    """Return all subsets of the right sizes, or where there are more than `most` a seeded sample of those."""
    if number_of_subsets(wide, narrow) <= most:
        of_groups = zip(wide.units, narrow.units, strict=True)
        return list(product(*(combinations(range(there), wanted) for there, wanted in of_groups)))
    generator, found = np.random.default_rng(seed), dict[Subset, None]()
    while len(found) < most:
        drawn = [
            generator.choice(there, wanted, replace=False)
            for there, wanted in zip(wide.units, narrow.units, strict=True)
        ]
        found[tuple(tuple(sorted(one.tolist())) for one in drawn)] = None
    return list(found)


def taken(wide: Network, rows: Tensor, chosen: Sequence[Subset]) -> Tensor:
    """Return networks of the chosen units alone `(subsets, parameters)`, one for each row `(subsets, parameters)`."""
    by_group = zip(wide.groups, zip(*chosen, strict=True), strict=True)
    return units.taken(wide, rows, {group.name: torch.tensor(of_group) for group, of_group in by_group})


def rescaling(source: Setting, target: Setting) -> dict[str, float]:
    """Return by parameter the spread of initial weights of the target's network over that of the source's."""
    return {name: _spread(target, name) / _spread(source, name) for name in target.model.prunable}


def rescaled(model: Network, rows: Tensor, factors: dict[str, float]) -> Tensor:
    """Multiply the parameters of each row by their factors; what has none stays."""
    result = rows.clone()
    for name, view in Layout(model.shapes).views(result).items():
        view.mul_(factors.get(name, 1.0))
    return result


def _spread(setting: Setting, name: str) -> float:
    spread = setting.model.initial_std(name)
    if spread is None:
        raise BadInput(
            f"{setting.model.name}: expected a network whose initial spread by width is known, found none; "
            "leave out --isolate and --complement."
        )
    if setting.scales.init is None:
        return spread
    return spread * float(setting.scales.init[Layout(setting.model.shapes).slices[name].start])
