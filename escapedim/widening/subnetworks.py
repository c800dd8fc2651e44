"""Unit subnetworks of one-hidden-layer networks: taken out of a wide network, and put into one.

A draw that is scaled by fan-in spreads the weights of a narrow network otherwise than those of a wide one. So what
changes its width is rescaled, parameter by parameter, to the initial distribution of the width that it comes to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP, initial_std
from escapedim.widening.stack import Setting

UNIT_AXIS = {"layer1.weight": 0, "layer1.bias": 0, "layer2.weight": 1}
"""The axis of each parameter that counts units; the others belong to none."""


def subsets(width: int, units: int, most: int, seed: int) -> list[tuple[int, ...]]:
    """Return all subsets of `units` of `width` units, or where there are more than `most` a seeded sample of those."""
    if math.comb(width, units) <= most:
        return list(combinations(range(width), units))
    generator, found = np.random.default_rng(seed), dict[tuple[int, ...], None]()
    while len(found) < most:
        drawn = generator.choice(width, units, replace=False)
        found[tuple(sorted(drawn.tolist()))] = None
    return list(found)


def taken(model: MLP, rows: Tensor, chosen: Sequence[Sequence[int]]) -> Tensor:
    """Return networks of the chosen units alone `(subsets, parameters)`, one for each row `(subsets, parameters)`."""
    index, members = torch.tensor(chosen), torch.arange(len(rows))[:, None]
    parts = []
    for name, view in Layout(model.shapes).views(rows).items():
        axis = UNIT_AXIS.get(name)
        if axis is None:
            part = view
        elif axis == 0:
            part = view[members, index]
        else:
            part = view.mT[members, index].mT
        parts.append(part.reshape(len(rows), -1))
    return torch.cat(parts, 1)


def placed(narrow: MLP, tickets: Tensor, wide: MLP, rows: Tensor) -> Tensor:
    """Return wide networks `(members, parameters)` whose first units, and output biases, are those of the tickets."""
    result = rows.clone()
    views, parts = Layout(wide.shapes).views(result), Layout(narrow.shapes).views(tickets)
    for name, part in parts.items():
        axis = UNIT_AXIS.get(name)
        if axis is None:
            views[name].copy_(part)
        else:
            views[name].narrow(axis + 1, 0, part.shape[axis + 1]).copy_(part)
    return result


def rescaling(source: Setting, target: Setting) -> dict[str, float]:
    """Return by parameter the spread of initial weights of the target's network over that of the source's."""
    return {
        name: _spread(target, name) / _spread(source, name)
        for name, shape in target.model.shapes.items()
        if len(shape) == 2
    }


def rescaled(model: MLP, rows: Tensor, factors: dict[str, float]) -> Tensor:
    """Multiply the parameters of each row by their factors; what has none stays."""
    result = rows.clone()
    for name, view in Layout(model.shapes).views(result).items():
        view.mul_(factors.get(name, 1.0))
    return result


def _spread(setting: Setting, name: str) -> float:
    outputs, inputs = setting.model.shapes[name]
    spread = initial_std(setting.model.init_name, (outputs, inputs))
    if setting.scales.init is None:
        return spread
    return spread * float(setting.scales.init[Layout(setting.model.shapes).slices[name].start])
