"""Derivatives against finite differences; symmetries as directions that leave the loss alone."""

from __future__ import annotations

import pytest
import torch

from escapedim.landscape import surface as surface_module
from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.spectrum import spectrum
from escapedim.models.activations import TABLE
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.units import split
from tests.landscape.networks import critical_point, draw, surface, targets, unbiased

ONE_HIDDEN = [MLP((3, 4, 2), name) for name in TABLE] + [unbiased((3, 4, 1), "tanh"), unbiased((2, 3, 2), "relu")]
DEEP = [MLP((3, 4, 3, 2), "tanh"), unbiased((3, 4, 3, 2), "relu")]


def size(model: MLP) -> int:
    return sum(torch.Size(shape).numel() for shape in model.shapes.values())


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize("model", [*ONE_HIDDEN, *DEEP], ids=lambda model: model.name)
def test_derivatives_by_finite_differences(model, loss):
    on, flat, step = surface(model, loss), draw(2, size(model), seed=6), 1e-6
    for column in range(flat.shape[1]):
        shift = torch.zeros_like(flat)
        shift[:, column] = step
        slope = (on.loss(flat + shift) - on.loss(flat - shift)) / (2 * step)
        torch.testing.assert_close(on.gradient(flat)[:, column], slope, rtol=1e-6, atol=1e-8)
        curvature = (on.gradient(flat + shift) - on.gradient(flat - shift)) / (2 * step)
        torch.testing.assert_close(on.hessian(flat)[:, column], curvature, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("model", "loss", "count"),
    [
        (MLP((3, 4, 2), "relu"), "squared", 4),
        (unbiased((3, 4, 3, 2), "relu"), "squared", 7),
        (MLP((3, 4, 2), "tanh"), "cross-entropy", 5),
        (MLP((3, 4, 2), "relu"), "cross-entropy", 9),
        (MLP((3, 4, 2), "tanh"), "squared", 0),
    ],
)
def test_symmetries_change_the_loss_in_no_order_but_the_second(model, loss, count):
    """First order: ∇L along them is 0; and a whole step along them is a curve of equal loss to first order anywhere."""
    on, flat = surface(model, loss), draw(3, size(model), seed=7)
    directions = on.symmetries(flat)
    assert directions.shape == (3, size(model), count)
    along = (directions.mT @ on.gradient(flat).unsqueeze(2)).abs()
    assert (along <= 1e-14 * on.gradient(flat).norm(dim=1).amax()).all() or along.max() < 1e-14
    assert count == 0 or (torch.linalg.matrix_rank(directions) == count).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("model", [MLP((3, 4, 2), "tanh"), unbiased((3, 4, 3, 5), "relu")], ids=lambda one: one.name)
def test_below_the_loss_of_one_wrong_sample_no_point_is_critical(model, weighted):
    """Just below it there are points; all samples are right there, and the loss falls as the last layer grows."""
    on, flat = surface(model, "cross-entropy", samples=3, weighted=weighted), draw(2000, size(model), seed=8) * 3
    layout, bound, loss = Layout(model.shapes), on.no_critical_below, on.loss(flat)
    x = draw(3, model.sizes[0], seed=1)
    outputs = torch.func.vmap(lambda row: model.apply({k: v[0] for k, v in layout.views(row[None]).items()}, x))(flat)
    right = (outputs.argmax(-1) == targets("cross-entropy", 3, model.sizes[-1]).argmax(-1)).all(1)
    below = loss < bound
    assert 0 < below.sum() < right.sum() < len(flat)
    assert right[below].all()
    assert loss[~right].min() < 3 * bound
    layers = {name: value if name.startswith(f"layer{model.depth}") else 0 * value
              for name, value in layout.views(flat).items()}  # fmt: skip
    outward = torch.cat([value.flatten(1) for value in layers.values()], 1)
    assert ((on.gradient(flat) * outward).sum(1)[below] < 0).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_line_of_equal_or_mirrored_units_is_flat(sign):
    model = MLP((3, 4, 2), "tanh")
    on, flat = surface(model, "squared"), draw(2, size(model), seed=8)
    flat[1, 9:12], flat[1, 15] = sign * flat[1, 3:6], sign * flat[1, 13]
    directions = on.symmetries(flat)
    assert directions.shape[2] == 2
    assert (directions[0] == 0).all()
    for direction in directions[1].T:
        torch.testing.assert_close(on.loss(flat[1:] + 3 * direction), on.loss(flat[1:]), rtol=1e-13, atol=0)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_at_a_critical_point_the_line_of_equal_units_has_no_curvature_and_hides_none(sign, outputs):
    """Shared in other proportions output by output, the loss stays as it is and the point is critical no more."""
    model, wide = MLP((3, 2, outputs), "tanh"), MLP((3, 3, outputs), "tanh")
    point = critical_point(model, seed=5)
    _, row = split(model, point.flat, model.groups[0], torch.tensor([1]), 0.3)
    views = Layout(wide.shapes).views(row)
    for name, index in {"layer1.weight": (0, 2), "layer1.bias": (0, 2), "layer2.weight": (0, slice(None), 2)}.items():
        views[name][index] *= sign
    on = DenseSurface(wide, "squared", point.x, point.targets)
    assert on.gradient(row).norm() < 1e-10
    hessian, directions = on.hessian(row), on.symmetries(row)
    assert (hessian @ directions).abs().max() < 1e-10
    found, values = spectrum(hessian, directions, on.norm(on.gradient(row))), torch.linalg.eigvalsh(hessian[0])
    assert (found.explained.item(), found.zero.item()) == (1, 0)
    assert found.negative.item() == (values < -1e-9).sum()
    assert found.smallest.item() == pytest.approx(values[0].item(), rel=1e-9)


def test_a_sample_on_the_kink_of_a_unit_is_found():
    model = unbiased((2, 2, 1), "relu")
    on, flat = surface(model, "squared"), draw(2, 6, seed=9)
    x = draw(12, 2, seed=1)[3]
    flat[1, :2] = torch.stack([-x[1], x[0]])
    assert on.kinks(flat).tolist() == [False, True]


def test_a_unit_that_is_off_everywhere_is_dead():
    model = MLP((2, 3, 1), "relu")
    on, flat = surface(model, "squared"), draw(2, 13, seed=10)
    flat[:, 6:9] = 100
    flat[1, 7] = -100
    assert on.dead(flat).tolist() == [[False] * 3, [False, True, False]]


def test_a_unit_without_any_weights_is_dead():
    model = unbiased((2, 3, 1), "tanh")
    on, flat = surface(model, "squared"), draw(1, 9, seed=11)
    assert not on.dead(flat).any()
    flat[0, 2:4] = 0
    assert on.dead(flat).tolist() == [[False, True, False]]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "erf", "gelu", "softplus", "relu"])
def test_a_unit_that_responds_to_no_sample_is_dead(activation):
    model = MLP((2, 3, 1), activation)
    on, flat = surface(model, "squared"), 0.5 * draw(1, Layout(model.shapes).size, seed=11).abs()
    bias = Layout(model.shapes).views(flat)["layer1.bias"]
    assert not on.dead(flat).any()
    bias[0, 2] = -60  # saturated, or off
    assert on.dead(flat).tolist() == [[False, False, True]]


def test_a_members_values_do_not_depend_on_its_batch_mates_nor_on_the_chunks(monkeypatch):
    model = MLP((3, 4, 2), "tanh")
    on, flat = surface(model, "squared"), draw(9, size(model), seed=12)
    whole = on.loss(flat), on.gradient(flat), on.hessian(flat)
    monkeypatch.setattr(surface_module, "BUDGET", 1)
    for stacked, alone in zip(whole, (on.loss(flat), on.gradient(flat), on.hessian(flat)), strict=True):
        torch.testing.assert_close(stacked, alone, rtol=1e-13, atol=1e-15)
