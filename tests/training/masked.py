"""Jobs whose members are masked, and what they must come to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.training.descent import descend
from escapedim.training.job import Job, State
from escapedim.training.problems import problem_of

from .plain import Toy, toy

DENSITIES = (0.1, 0.22, 0.6)  # of members: two are packed, one is not


def problem(loss: str = "cross-entropy", optimizer: str = "adam", **more) -> Toy:
    return toy(loss, optimizer, lr=0.03, hidden=(12, 8), batch_size=23 if optimizer == "gd" else 6, **more)


def masks(made: Toy, densities=DENSITIES, emptied: str = "") -> torch.Tensor:
    """Random weights survive and all biases; a layer can be emptied."""
    layout, rng = Layout(made.model.shapes), np.random.default_rng(3)
    rows = []
    for density in densities:
        parts = {
            name: rng.random(shape) < density * (name != emptied) if name.endswith("weight") else np.ones(shape, bool)
            for name, shape in made.model.shapes.items()
        }
        rows.append(layout.pack(parts, True, np.dtype(bool)))
    return torch.from_numpy(np.stack(rows))


def job(made: Toy, mask: torch.Tensor, seeds=None, **more) -> Job:
    rows = made.rows(len(mask))
    seeds = seeds or range(len(mask))
    return Job(made.model, problem_of(made.task), made.recipe, rows, mask, seeds, keep=(0, 7, 30), **more)


def trained(made: Toy, own: Job, data=None) -> State:
    return descend(own, data or made.data, own.begin(), lambda members: False)


def nobody(job: Job, mask: torch.Tensor) -> torch.Tensor:
    """Pack no member."""
    return torch.zeros(len(mask), dtype=torch.bool)


def assert_close(found: State, expected: State, **tolerance) -> None:
    tolerance = tolerance or {"rtol": 1e-9, "atol": 1e-11}
    torch.testing.assert_close(found.params, expected.params, **tolerance)
    for step, rows in expected.kept.items():
        torch.testing.assert_close(found.kept[step], rows, **tolerance)


def assert_goes_on(made: Toy, own: Job) -> None:
    """A job that is left in the middle ends with the same bits."""
    whole, ticks = trained(made, own), itertools.count(1)
    middle = descend(own, made.data, own.begin(), lambda members: next(ticks) == 11)
    assert middle.step == 11
    again = descend(own, made.data, State.from_arrays(middle.arrays(), "cpu"), lambda members: False)
    for name, values in whole.arrays().items():
        assert again.arrays()[name].tobytes() == values.tobytes(), name


def unit_masks(model: MLP | ReluStudent, counts: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """Masks that leave each member so many units of its hidden layers, at random places; biases survive."""
    layout, rng, rows = Layout(model.shapes), np.random.default_rng(4), []
    outputs = [] if model.output_layer is None else [np.ones(model.shapes[model.output_layer][0], bool)]
    for hidden in counts:
        kept = [rng.permutation(size) < count for size, count in zip(model.units, hidden, strict=True)]
        levels = [np.ones(model.inputs, bool), *kept, *outputs]
        layers = zip(model.prunable, itertools.pairwise(levels), strict=True)
        parts = {name: np.outer(after, before) for name, (before, after) in layers}
        rows.append(layout.pack(parts, True, np.dtype(bool)))
    return torch.from_numpy(np.stack(rows))
