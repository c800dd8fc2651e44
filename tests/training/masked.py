"""Jobs whose members are masked, and what they must come to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.training.descent import descend
from escapedim.training.job import Job, State

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
    return Job(made.model, made.task.loss, made.recipe, rows, mask, seeds or range(len(mask)), keep=(0, 7, 30), **more)


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


def unit_masks(model: MLP, counts: Sequence[tuple[int, ...]]) -> torch.Tensor:
    """Masks that leave each member so many units of its hidden layers, at random places; biases survive."""
    layout, rng, rows = Layout(model.shapes), np.random.default_rng(4), []
    for hidden in counts:
        kept = [rng.permutation(size) < count for size, count in zip(model.sizes[1:-1], hidden, strict=True)]
        levels = [np.ones(model.sizes[0], bool), *kept, np.ones(model.sizes[-1], bool)]
        parts = {f"layer{n}.weight": np.outer(levels[n], levels[n - 1]) for n in range(1, model.depth + 1)}
        rows.append(layout.pack({name: parts[name] for name in model.prunable}, True, np.dtype(bool)))
    return torch.from_numpy(np.stack(rows))
