"""Matrices of splits against automatic differentiation, wide Hessians and split losses; and the embedding principle."""

from __future__ import annotations

import functools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from escapedim.landscape.dense import DenseSurface
from escapedim.landscape.endings import certify
from escapedim.landscape.polish import polish
from escapedim.landscape.relu_teacher import ReluTeacherSurface
from escapedim.landscape.split_curvature import split_matrices, split_sectors
from escapedim.landscape.surface import Surface
from escapedim.landscape.vocabulary import Ending
from escapedim.models.activations import TABLE
from escapedim.models.layer_names import ACTIVATIONS
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import Network
from escapedim.models.relu_student import ReluStudent
from escapedim.models.units import split
from escapedim.specs import Spec
from escapedim.widening.embeddings import embed, widened
from tests.landscape import test_plateaus as plateaus
from tests.landscape.networks import ErfBed, critical_point, draw, minimum, relu_students, surface, targets, unbiased

SMOOTH = [name for name in ACTIVATIONS if name != "relu"]
LOSSES = [("squared", 1), ("squared", 2), ("cross-entropy", 3)]
UNITS, INPUTS = 3, 2
both_biases = pytest.mark.parametrize("bias", [True, False], ids=["biases", "no biases"])


def student(k: int, n: int) -> ReluStudent:
    return ReluStudent(k, n)


def network(activation: str, outputs: int, bias: bool) -> MLP:
    return MLP((INPUTS, UNITS, outputs), activation, bias=bias)


def members(model: MLP, count: int = 3) -> Tensor:
    return draw(count, Layout(model.shapes).size, seed=5)


def split_unit(model: Network, flat: Tensor, unit: int, share: float) -> Tensor:
    """The same unit of the first layer split in all members; it keeps the share, and its copy is the last unit."""
    return split(model, flat, model.groups[0], torch.full((len(flat),), unit), share)[1]


def matrices(on: Surface, flat: Tensor) -> Tensor:
    found = split_matrices(on, flat)
    assert found is not None
    return found


def sectors(on: Surface, flat: Tensor) -> Tensor:
    found = split_sectors(on, flat)
    assert found is not None
    return found


def apart(model: MLP, unit: int, own: float = math.sqrt(0.5), copy: float = -math.sqrt(0.5)) -> Tensor:
    """Columns (own · u, copy · u) `(parameters, s)` for a unit and the last one: incoming weights, bias, outgoing."""
    places = {name: view[0] for name, view in Layout(model.shapes).views(torch.arange(size(model))[None]).items()}
    by_unit = [places["layer1.weight"]]
    by_unit += [places["layer1.bias"][:, None]] if "layer1.bias" in places else []
    by_unit += [places["layer2.weight"].T] if "layer2.weight" in places else []
    columns = torch.cat(by_unit, 1)
    directions = torch.zeros(size(model), columns.shape[1], dtype=torch.float64)
    count = torch.arange(columns.shape[1])
    directions[columns[unit], count], directions[columns[-1], count] = own, copy
    return directions


def size(model: MLP) -> int:
    return Layout(model.shapes).size


def by_torch(on: DenseSurface, model: MLP, loss: str, row: Tensor, unit: int) -> Tensor:
    """Second derivatives by (w, a) of one unit in E[∂ℓ/∂f · a σ(w·x)], with ∂ℓ/∂f held fixed."""
    tensors = {name: view[0] for name, view in Layout(model.shapes).views(row[None]).items()}
    x = draw(12, INPUTS, seed=1)
    expected = targets(loss, 12, model.sizes[-1])
    f = model.apply(tensors, x).requires_grad_()
    value = F.mse_loss(f, expected) if loss == "squared" else F.cross_entropy(f, expected.argmax(1))
    (pull,) = torch.autograd.grad(value, f)
    w, a = tensors["layer1.weight"][unit], tensors["layer2.weight"][:, unit]
    if model.bias:
        x, w = torch.cat([x, torch.ones(12, 1)], 1), torch.cat([w, tensors["layer1.bias"][unit : unit + 1]])

    def linear(point: Tensor) -> Tensor:
        w, a = torch.split(point, [x.shape[1], len(point) - x.shape[1]])
        return (pull * TABLE[model.activation].function(x @ w)[:, None] * a).sum()

    return torch.func.jacrev(torch.func.grad(linear))(torch.cat([w, a]))


@both_biases
@pytest.mark.parametrize(("loss", "outputs"), LOSSES)
@pytest.mark.parametrize("activation", SMOOTH)
def test_matrices_and_sectors_are_those_of_automatic_differentiation(activation, loss, outputs, bias):
    model = network(activation, outputs, bias)
    on, flat, inputs = surface(model, loss), members(model), INPUTS + bias
    assert matrices(on, flat).shape == (3, UNITS, inputs, inputs)
    for row, by_unit, whole in zip(flat, matrices(on, flat), sectors(on, flat), strict=True):
        for unit in range(UNITS):
            expected = by_torch(on, model, loss, row, unit)
            torch.testing.assert_close(by_unit[unit], expected[:inputs, :inputs], rtol=1e-10, atol=1e-12)
            expected[:inputs, :inputs] /= 2
            torch.testing.assert_close(whole[unit], expected, rtol=1e-10, atol=1e-12)


@both_biases
@pytest.mark.parametrize(("loss", "outputs"), LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_at_any_weights_the_sector_is_invariant_under_the_wide_hessian(activation, loss, outputs, bias):
    model = network(activation, outputs, bias)
    flat, wide = members(model), widened(model, 1, 1)
    expected = sectors(surface(model, loss), flat)
    for unit in range(UNITS):
        hessian = surface(wide, loss).hessian(split_unit(model, flat, unit, 0.5))
        directions = apart(wide, unit)
        torch.testing.assert_close(hessian @ directions, directions @ expected[:, unit], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("k", "n"), [(2, 1), (3, 3), (4, 5), (5, 2)])
def test_at_any_weights_the_sector_of_a_student_is_invariant_and_twice_its_matrix(k, n):
    flat, on = draw(3, n * k, seed=k) / math.sqrt(k), ReluTeacherSurface(k)
    assert torch.equal(sectors(on, flat), 2 * matrices(on, flat))
    for unit in range(n):
        hessian = on.hessian(split_unit(student(k, n), flat, unit, 0.5))
        directions = apart(student(k, n + 1), unit)
        torch.testing.assert_close(hessian @ directions, directions @ sectors(on, flat)[:, unit], rtol=1e-8, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(k=st.integers(2, 5), n=st.integers(1, 6), seed=st.integers(0, 1000))
def test_a_students_matrix_has_no_curvature_along_its_own_vector(k, n, seed):
    w = draw(2, n, k, seed=seed)
    found = matrices(ReluTeacherSurface(k), w.flatten(1)) @ w.unsqueeze(-1)
    torch.testing.assert_close(found, torch.zeros_like(found), rtol=0, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(alpha=st.floats(0.05, 0.95), unit=st.integers(0, 3))
def test_at_other_shares_a_students_curvature_along_the_split_is_that_over_2_α_1_minus_α(alpha, unit):
    flat, on = draw(1, 12, seed=2), ReluTeacherSurface(3)
    hessian = on.hessian(split_unit(student(3, 4), flat, unit, alpha))[0]
    directions = apart(student(3, 5), unit)
    expected = matrices(on, flat)[0, unit] / (2 * alpha * (1 - alpha))
    torch.testing.assert_close(directions.T @ hessian @ directions, expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("activation", SMOOTH)
def test_with_one_output_a_critical_points_sector_has_half_the_eigenvalues_and_a_zero(activation):
    model = network(activation, 1, bias=True)
    point = critical_point(model, seed=1)
    on = point.on(model)
    halves = torch.linalg.eigvalsh(matrices(on, point.flat)[0]) / 2
    expected = torch.cat([halves, torch.zeros(UNITS, 1, dtype=torch.float64)], 1).sort(1).values
    torch.testing.assert_close(torch.linalg.eigvalsh(sectors(on, point.flat)[0]), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", SMOOTH)
def test_with_several_outputs_a_split_opens_negative_directions_whatever_the_matrix_is(activation):
    model = network(activation, 2, bias=False)
    point = critical_point(model, seed=1)
    on = point.on(model)
    crossed = sectors(on, point.flat)[0, :, :INPUTS, INPUTS:]
    outgoing = Layout(model.shapes).views(point.flat)["layer2.weight"][0].T
    torch.testing.assert_close((crossed @ outgoing[:, :, None]).abs().max().item(), 0.0, rtol=0, atol=1e-12)
    assert (crossed.flatten(1).norm(dim=1) > 1e-3).all()
    assert (torch.linalg.eigvalsh(sectors(on, point.flat)[0])[:, 0] < -1e-6).all()


@pytest.mark.parametrize("share", [0.5, 0.2, 1.4])
def test_the_line_of_a_split_has_the_curvature_of_fukumizu_and_amari(share):
    """Along ((1-α) u, -α u), of length 1: α (1-α) / (α² + (1-α)²) · uᵀ B u, at any weights."""
    model = network("tanh", 1, bias=True)
    flat, wide, unit = members(model), widened(model, 1, 1), 1
    hessian = surface(wide, "squared").hessian(split_unit(model, flat, unit, share))
    length = math.hypot(share, 1 - share)
    away = apart(wide, unit, (1 - share) / length, -share / length)[:, : INPUTS + 1]
    found = away.T @ hessian @ away
    expected = share * (1 - share) / length**2 * matrices(surface(model, "squared"), flat)[:, unit]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", SMOOTH)
def test_halves_that_move_apart_change_the_loss_by_half_the_curvature(activation):
    """Liu et al. 2019: ΔL = ε² vᵀBv / 2 for halves at w ± ε v; at any weights, with an error that falls as ε²."""
    model = network(activation, 2, bias=True)
    flat, wide = members(model), widened(model, 1, 1)
    on, narrow = surface(wide, "squared"), surface(model, "squared")
    values, vectors = torch.linalg.eigh(matrices(narrow, flat)[:, 0])
    direction = apart(wide, 0, 1, -1)[:, : INPUTS + 1] @ vectors[:, :, :1]
    halves = split_unit(model, flat, 0, 0.5)

    def error(step: float) -> Tensor:
        change = on.loss(halves + step * direction[:, :, 0]) - narrow.loss(flat)
        return (2 * change / step**2 - values[:, 0]).abs() / values[:, 0].abs()

    assert (error(2e-3) < 1e-3).all()
    assert (error(2e-2) / error(4e-2) < 0.3).all()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_halves_of_a_student_that_move_apart_change_the_loss_by_twice_the_curvature(which):
    """W/2 ± ε v with outgoing weights 1 are halves at W ± 2 ε v; |θ|³ in the loss makes the error fall as ε."""
    flat, on = draw(3, 12, seed=2), ReluTeacherSurface(3)
    values, vectors = torch.linalg.eigh(matrices(on, flat)[:, 0])
    halves = split_unit(student(3, 4), flat, 0, 0.5)
    direction = apart(student(3, 5), 0, 1, -1) @ vectors[:, :, which, None]

    def error(step: float) -> Tensor:
        change = on.loss(halves + step * direction[:, :, 0]) - on.loss(flat)
        return (change / (2 * step**2) - values[:, which]).abs()

    assert (error(1e-4) < 1e-3 * values.abs().amax(1)).all()
    assert (error(1e-3) < 0.6 * error(2e-3) + 1e-8).all()


def test_relu_on_a_finite_sample_has_no_matrix():
    model = network("relu", 1, bias=True)
    assert not matrices(surface(model, "squared"), members(model)).any()


def test_deeper_networks_have_none():
    model = MLP((2, 3, 3, 1), "tanh")
    assert split_matrices(surface(model, "squared"), members(model)) is None
    assert split_sectors(surface(model, "squared"), members(model)) is None


def counts(hessian: Tensor, zero: float) -> tuple[int, int, int]:
    """Negative, zero and positive eigenvalues; `zero` is relative to the largest."""
    values = torch.linalg.eigvalsh(hessian)
    inside = zero * values.abs().max()
    return int((values < -inside).sum()), int((values.abs() <= inside).sum()), int((values > inside).sum())


def never_decrease(narrow: Tensor, wide: Tensor) -> bool:
    before, after = counts(narrow, 1e-9), counts(wide, 1e-9)
    return all(more >= less for more, less in zip(after, before, strict=True))


def clear(hessian: Tensor) -> bool:
    """No eigenvalue that could be taken for 0, or come to look like it in a network whose largest one is larger."""
    return counts(hessian, 1e-11) == counts(hessian, 1e-6)


shares = st.sampled_from([0.5, 0.3, 1.5, -0.5]) | st.floats(-2, 3)
embeddings = st.builds(lambda share: Spec("split", {"alpha": share}), shares) | st.just(Spec("null"))


@settings(max_examples=80, deadline=None)
@given(
    hidden=st.sampled_from([(1,), (2,), (3,), (2, 2), (1, 2, 2)]),
    activation=st.sampled_from(ACTIVATIONS),
    outputs=st.integers(1, 2),
    seed=st.integers(0, 10**6),
    residual=st.floats(0.1, 10),
    spec=embeddings,
    data=st.data(),
)
def test_embedding_principle_at_critical_points_with_curvature_of_both_signs(
    hidden, activation, outputs, seed, residual, spec, data
):
    """Zhang et al. 2021 (arXiv 2111.15527): the numbers of eigenvalues of each sign never decrease."""
    if spec.name == "null" and activation == "relu":
        return
    model, layer = MLP((2, *hidden, outputs), activation), data.draw(st.integers(1, len(hidden)))
    point = critical_point(model, seed, residual)
    embedded = embed(model, widened(model, layer, 1), point.flat, spec, [seed]).flat
    narrow = point.on(model).hessian(point.flat)[0]
    assume(clear(narrow))
    assert never_decrease(narrow, point.on(widened(model, layer, 1)).hessian(embedded)[0])


@functools.cache
def descents_ends() -> list[tuple[MLP, Surface, Surface, Tensor]]:
    """Minima that descents reach: relu students of width 10, one erf unit, the saddle of xor, noise."""
    found: list[tuple[MLP, Surface, Surface, Tensor]] = []
    teacher = ReluTeacherSurface(10)
    ends = certify(teacher, relu_students(), 1e-3)
    bad = [row for row, ending in zip(ends.flat, ends.ending, strict=True) if ending is Ending.BAD_MINIMUM]
    found += [(student(10, 10), teacher, teacher, row) for row in bad[:2]]

    bed, erf = ErfBed(), MLP((1, 1, 1), "erf", bias=False)
    narrow, wide = (DenseSurface(m, "squared", bed.x, bed.target, bed.weights) for m in (erf, widened(erf, 1, 1)))
    row = polish(narrow, minimum(narrow, torch.tensor([1.0, 1.0], dtype=torch.float64))[None]).flat[0]
    found.append((erf, narrow, wide, row))

    points = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]], dtype=torch.float64)
    net = MLP((2, 2, 1), "tanh")
    narrow, wide = (
        DenseSurface(m, "squared", points, -points.prod(1, keepdim=True)) for m in (net, widened(net, 1, 1))
    )
    saddle = torch.zeros(1, size(net), dtype=torch.float64)
    found.append((net, narrow, wide, saddle[0]))

    noisy = unbiased((2, 2, 1), "tanh")
    return [*found, *((noisy, plateaus.on(2, 2), plateaus.on(2, 3), row) for row in plateaus.strict(2))]


@settings(max_examples=30, deadline=None)
@given(which=st.integers(0, 20), spec=embeddings, seed=st.integers(0, 100))
def test_embedding_principle_where_descents_end(which, spec, seed):
    ends = descents_ends()
    model, narrow, wide, row = ends[which % len(ends)]
    if isinstance(model, ReluStudent):
        spec = Spec("split", {"alpha": 0.05 + 0.9 * (seed / 100)})
    embedded = embed(model, widened(model, 1, 1), row[None], spec, [seed]).flat
    assert narrow.gradient(row[None]).norm() < 1e-8
    assert wide.gradient(embedded).norm() < 1e-7
    hessian = narrow.hessian(row[None])[0]
    assert clear(hessian)
    assert never_decrease(hessian, wide.hessian(embedded)[0])
