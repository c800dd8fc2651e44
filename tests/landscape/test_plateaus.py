"""What a split does to a strict minimum, along the whole line: Fukumizu & Amari 2000 (Neural Networks 13)."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.endings import certify
from escapedim.landscape.vocabulary import Ending
from escapedim.models.activations import TABLE
from tests.landscape.networks import draw, minimum, split, unbiased

UNITS, SAMPLES = 2, 30
SIZES = [1, 2]  # inputs: with one, B is a number and so definite; with two it is indefinite at most minima


def on(inputs: int, units: int, activation: str = "tanh") -> DenseSurface:
    x = draw(SAMPLES, inputs, seed=21)
    # Noise that two units cannot fit, so that residuals and with them B are not 0.
    targets = torch.tanh(x @ draw(inputs, 1, seed=22)) + 0.5 * draw(SAMPLES, 1, seed=23)
    return DenseSurface(unbiased((inputs, units, 1), activation), "squared", x, targets)


def block(row: torch.Tensor, inputs: int, unit: int) -> torch.Tensor:
    """B = E[a σ''(w·x) x xᵀ ∂ℓ/∂f] of a unit, written out."""
    x = draw(SAMPLES, inputs, seed=21)
    targets = torch.tanh(x @ draw(inputs, 1, seed=22)) + 0.5 * draw(SAMPLES, 1, seed=23)
    incoming, outgoing = row[: UNITS * inputs].view(UNITS, inputs), row[UNITS * inputs :]
    z = x @ incoming.T
    slope = 2 * (torch.tanh(z) @ outgoing - targets[:, 0])
    weights = outgoing[unit] * TABLE["tanh"].second(z[:, unit]) * slope / SAMPLES
    return x.T @ (weights.unsqueeze(1) * x)


@functools.cache
def strict(inputs: int) -> list[torch.Tensor]:
    """Strict minima of the narrow net, from drawn starts; saturated units, whose B is next to 0, are left out."""
    surface = on(inputs, UNITS)
    starts = draw(8, UNITS * (inputs + 1), seed=24)
    found = certify(surface, torch.stack([minimum(surface, start) for start in starts]), None)
    rows = [found.flat[i] for i in range(len(found)) if found.ending[i] is Ending.BAD_MINIMUM and not found.marginal[i]]
    rows = [row for row in rows if all(torch.linalg.eigvalsh(block(row, inputs, u)).abs().min() > 1e-4 for u in (0, 1))]
    assert len(rows) >= 2
    return rows


@pytest.mark.parametrize("inputs", SIZES)
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.5, 1.5, -0.5])
def test_the_line_of_a_split_is_named_as_the_theorem_says(inputs, share, mirror):
    for row, unit in itertools.product(strict(inputs), range(UNITS)):
        values = torch.linalg.eigvalsh(block(row, inputs, unit))
        negative = int((values < 0).sum()) if 0 < share < 1 else int((values > 0).sum())
        found = certify(on(inputs, UNITS + 1), split(row, UNITS, inputs, unit, share, mirror)[None], None)
        assert found.negative_directions.tolist() == [negative]
        assert found.ending.tolist() == [Ending.SADDLE if negative else Ending.PLATEAU_SADDLE]
        assert found.flat_directions.tolist() == [1]
        assert not found.marginal[0]


@pytest.mark.parametrize("inputs", SIZES)
def test_at_one_half_the_copy_adds_half_the_blocks_eigenvalues(inputs):
    for row in strict(inputs):
        hessian = on(inputs, UNITS + 1).hessian(split(row, UNITS, inputs, 0, 0.5)[None])[0]
        blocks = hessian[: 3 * inputs, : 3 * inputs].view(3, inputs, 3, inputs)
        apart = (blocks[0, :, 0] + blocks[2, :, 2] - blocks[0, :, 2] - blocks[2, :, 0]) / 2
        torch.testing.assert_close(apart, block(row, inputs, 0) / 2, rtol=1e-7, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    inputs=st.sampled_from(SIZES),
    share=st.floats(-2, 3),
    unit=st.integers(0, UNITS - 1),
    mirror=st.booleans(),
    which=st.integers(0, 100),
)
def test_a_split_never_has_fewer_negative_or_positive_directions(inputs, share, unit, mirror, which):
    """The embedding principle: Zhang et al. 2021."""
    row = strict(inputs)[which % len(strict(inputs))]
    wide = split(row, UNITS, inputs, unit, share, mirror)
    values = torch.linalg.eigvalsh(on(inputs, UNITS).hessian(row[None])[0])
    wider = torch.linalg.eigvalsh(on(inputs, UNITS + 1).hessian(wide[None])[0])
    assert (wider > 1e-9).sum() >= (values > 1e-6).sum()
    assert (wider < -1e-9).sum() >= (values < -1e-6).sum()


def test_equal_relu_units_are_undecided():
    narrow, wide = on(2, 1, "relu"), on(2, 2, "relu")
    row = minimum(narrow, torch.tensor([0.3, 0.8, 1.0], dtype=torch.float64))
    assert certify(narrow, row[None], None).ending.tolist() == [Ending.BAD_MINIMUM]
    found = certify(wide, split(row, 1, 2, 0, 0.5)[None], None)
    assert found.ending.tolist() == [Ending.UNDECIDED]
    assert "equal relu units" in found.reason[0]
