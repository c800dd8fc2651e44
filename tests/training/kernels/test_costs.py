"""What a step takes decides how it is trained: as it was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.training.job import Job
from escapedim.training.kernels import packed
from escapedim.training.kernels.choice import kernel_of
from escapedim.training.problems import PROBLEMS
from tests.training.masked import problem


@pytest.mark.parametrize(
    ("sizes", "batch", "dtype", "packed_from"),
    [
        ((784, 300, 100, 10), 60, torch.float32, 0.30),
        ((64, 300, 100, 10), 60, torch.float32, 0.12),
        ((64, 300, 100, 10), 60, torch.float64, 0.15),
        ((784, 300, 100, 10), 2000, torch.float32, 0.20),
        ((64, 300, 10), 10, torch.float32, 0.0),
        ((784, 20, 10), 60, torch.float32, 0.0),
        ((64, *[32] * 9, 10), 60, torch.float32, 0.0),
    ],
)
def test_packing_pays_where_it_was_measured_to(sizes, batch, dtype, packed_from):
    """The densities below which a packed step was the quicker one; 0 where it never was."""
    model = MLP(sizes, "relu")
    size = Layout(model.shapes).size
    rows = torch.zeros(1, size, dtype=dtype)
    made = problem()
    own = Job(model, PROBLEMS["squared"], replace(made.recipe, batch_size=batch), rows, None, (0,))
    for density in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0):
        mask = torch.arange(size)[None] < density * size
        if abs(density - packed_from) > 0.06 and (density > 0.02 or packed_from == 0):
            assert bool(packed.pays(own, mask)) == (density < packed_from), density


@pytest.mark.parametrize(
    ("model", "loss", "batch", "dtype", "measured_us"),
    [
        (MLP((784, 300, 100, 10), "relu"), "cross-entropy", 60, torch.float32, 1170),
        (MLP((784, 150, 50, 10), "relu"), "cross-entropy", 60, torch.float32, 590),
        (MLP((64, 300, 100, 10), "relu"), "cross-entropy", 60, torch.float32, 280),
        (MLP((64, 300, 10), "relu"), "cross-entropy", 60, torch.float32, 125),
        (ReluStudent(16, 64), "relu-teacher", 1, torch.float64, 47),
        (ReluStudent(16, 16), "relu-teacher", 1, torch.float64, 7),
    ],
)
def test_a_step_takes_about_what_was_measured(model, loss, batch, dtype, measured_us):
    assert 0.5 < 1e6 * kernel_of(model, PROBLEMS[loss]).step_s(model, batch, dtype) / measured_us < 1.5
