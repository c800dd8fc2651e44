import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.tasks import relu_teacher_forms
from escapedim.training.data import Samples
from escapedim.training.kernels.autograd import StackedGradient
from escapedim.training.kernels.choice import gradient_of
from escapedim.training.kernels.dense import DenseGradient
from escapedim.training.problems import PROBLEMS
from tests.training.plain import ACTIVATIONS, loss_gradient, network


@st.composite
def problems(draw):
    """Sizes, members, and batches that are shared by the members or their own."""
    sizes = tuple(draw(st.lists(st.integers(1, 5), min_size=2, max_size=4)))
    members, batch, shared = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.booleans())
    seed = draw(st.integers(0, 2**32 - 1))
    return sizes, members, batch, shared, torch.Generator().manual_seed(seed)


def sample(loss, sizes, members, batch, shared, generator, dtype=torch.float64):
    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    lead = () if shared else (members,)
    count = sum((inputs + 1) * units for inputs, units in itertools.pairwise(sizes))
    x = normal(*lead, batch, sizes[0])
    if loss == "squared":
        return normal(members, count), x, normal(*lead, batch, sizes[-1])
    labels = torch.randint(sizes[-1], (*lead, batch), generator=generator)
    return normal(members, count), x, torch.nn.functional.one_hot(labels, sizes[-1]).to(dtype)


def plain_gradient(sizes, activation, loss, flat, x, targets):
    per_member = (x, targets) if x.dim() == 3 else (x.expand(len(flat), *x.shape), targets.expand(len(flat), -1, -1))
    rows = zip(flat, *per_member, strict=True)
    return torch.stack([loss_gradient(network(sizes, activation, row), loss, *batch) for row, *batch in rows])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(deadline=None, max_examples=12)
@given(problem=problems())
def test_both_gradients_are_those_of_plain_networks(activation, loss, problem):
    sizes = problem[0]
    flat, x, targets = sample(loss, *problem)
    expected = plain_gradient(sizes, activation, loss, flat, x, targets)
    for kind in (DenseGradient, StackedGradient):
        out = torch.full_like(flat, torch.nan)
        kind(MLP(sizes, activation), loss)(flat, x, targets, out)
        torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_buffers_are_reused_over_other_shapes_and_leave_no_trace(activation):
    sizes, generator = (3, 4, 2, 3), torch.Generator().manual_seed(3)
    gradient = DenseGradient(MLP(sizes, activation), "cross-entropy")
    for members, batch, shared in [(3, 5, True), (3, 5, False), (2, 5, False), (2, 7, True), (3, 5, True)]:
        flat, x, targets = sample("cross-entropy", sizes, members, batch, shared, generator)
        before = [tensor.clone() for tensor in (flat, x, targets)]
        out = torch.full_like(flat, torch.nan)
        gradient(flat, x, targets, out)
        expected = plain_gradient(sizes, activation, "cross-entropy", flat, x, targets)
        torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)
        assert all(torch.equal(*pair) for pair in zip((flat, x, targets), before, strict=True))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_in_float32_the_gradient_is_the_same_to_rounding(activation, loss):
    sizes, generator = (6, 5, 4), torch.Generator().manual_seed(1)
    flat, x, targets = sample(loss, sizes, 3, 8, True, generator, torch.float32)
    out = torch.empty_like(flat)
    gradient_of(MLP(sizes, activation), PROBLEMS[loss])(flat, x, targets, out)
    expected = plain_gradient(sizes, activation, loss, flat.double(), x.double(), targets.double())
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-5)


def test_confident_logits_neither_overflow_nor_lose_the_gradient():
    model = MLP((1, 2), "relu")
    flat = torch.tensor([[4000.0, -4000.0, 0.0, 0.0]])
    x, wrong = torch.ones(1, 1), torch.tensor([[0.0, 1.0]])
    out = torch.empty_like(flat)
    DenseGradient(model, "cross-entropy")(flat, x, wrong, out)
    assert out.tolist() == [[1.0, -1.0, 1.0, -1.0]]


# Where kernels have given other bits in another stack: a side of 1, one sample, odd sizes, hundreds of inputs.
SHAPES = [
    ((64, 30, 20, 10), 61), ((300, 7, 3), 61), ((4, 16, 1), 61), ((1, 3, 1), 2), ((9, 1, 2), 61), ((3, 5, 2, 4), 1)
]  # fmt: skip
EVERY_SHAPE = [*(sizes for sizes, _ in SHAPES), (2, 2, 1), (2, 2, 2)]
IN_TURN = [(activation, *shape) for activation, shape in zip(ACTIVATIONS, SHAPES, strict=True)]
OTHERS = [case for case in itertools.product(ACTIVATIONS, EVERY_SHAPE, [61, 60, 2, 1]) if case not in IN_TURN]


@pytest.mark.parametrize(
    ("activation", "sizes", "batch"),
    [*IN_TURN, *(pytest.param(*case, marks=pytest.mark.long) for case in OTHERS)],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_member_has_the_same_bits_in_every_stack(dtype, activation, sizes, batch):
    model, generator = MLP(sizes, activation), torch.Generator().manual_seed(5)
    for loss, shared in itertools.product(LOSSES, (True, False)):
        flat, x, targets = sample(loss, sizes, 9, batch, shared, generator, dtype)
        everyone, samples = torch.empty_like(flat), Samples(x, targets)
        gradient_of(model, PROBLEMS[loss])(flat, x, targets, everyone)
        scores = PROBLEMS[loss].evaluate(model, flat, samples).loss if shared else None
        for first, last in itertools.combinations((0, 1, 3, 4, 8, 9), 2):  # of every length, at one to three places
            part, own = flat[first:last].contiguous(), slice(None) if shared else slice(first, last)
            out = torch.empty_like(part)
            gradient_of(model, PROBLEMS[loss])(part, x[own], targets[own], out)
            assert torch.equal(out, everyone[first:last])
            if scores is not None:
                assert torch.equal(PROBLEMS[loss].evaluate(model, part, samples).loss, scores[first:last])


def weighted(x, targets, seed=4):
    weights = torch.rand(x.shape[-2], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Samples(x, targets, (weights / weights.sum()).to(x.dtype))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sizes", [(2, 3, 1), (3, 4, 2, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_weighted_samples_count_by_their_weight(bias, sizes, loss):
    """The gradient of a weighted loss is the weighted sum of the gradients of single samples."""
    _, x, targets = sample(loss, sizes, 4, 6, True, torch.Generator().manual_seed(3))
    model, samples = MLP(sizes, "tanh", bias=bias), weighted(x, targets)
    flat = torch.randn(4, Layout(model.shapes).size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    full = torch.zeros(4, Layout(MLP(sizes, "tanh").shapes).size, dtype=torch.float64)
    for name, view in Layout(MLP(sizes, "tanh").shapes).views(full).items():
        if name in model.shapes:
            view.copy_(Layout(model.shapes).views(flat)[name])
    singles = [plain_gradient(sizes, "tanh", loss, full, x[i : i + 1], targets[i : i + 1]) for i in range(6)]
    expected = sum(weight * single for weight, single in zip(samples.weights, singles, strict=True))
    columns = Layout(MLP(sizes, "tanh").shapes).views(expected)
    for kind in (DenseGradient, StackedGradient):
        out = torch.full_like(flat, torch.nan)
        kind(model, loss, samples.weights)(flat, samples.x, samples.targets, out)
        for name, view in Layout(model.shapes).views(out).items():
            torch.testing.assert_close(view, columns[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_weights_are_none(loss):
    sizes, generator = (3, 4, 2), torch.Generator().manual_seed(3)
    flat, x, targets = sample(loss, sizes, 3, 8, True, generator)
    for kind in (DenseGradient, StackedGradient):
        plain, equal = torch.empty_like(flat), torch.empty_like(flat)
        kind(MLP(sizes, "erf"), loss)(flat, x, targets, plain)
        samples = Samples(x, targets, torch.full((8,), 1 / 8, dtype=torch.float64))
        kind(MLP(sizes, "erf"), loss, samples.weights)(flat, samples.x, samples.targets, equal)
        torch.testing.assert_close(equal, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("sizes", [(4, 16, 1), (1, 2, 1), (1, 3, 1), (9, 1, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_without_biases_and_with_weights_too_a_member_has_the_same_bits_in_every_stack(dtype, sizes):
    model = MLP(sizes, "erf", bias=False)
    _, x, targets = sample("squared", sizes, 1, 61, True, torch.Generator().manual_seed(5), dtype)
    flat = torch.randn(9, Layout(model.shapes).size, generator=torch.Generator().manual_seed(6)).to(dtype)
    check_bits(model, "squared", flat, weighted(x, targets))


@pytest.mark.parametrize(("k", "units"), [(2, 1), (6, 6), (6, 7), (10, 10), (13, 5)])
def test_a_relu_student_has_the_same_bits_in_every_stack(k, units):
    model = ReluStudent(k, units)
    flat = torch.randn(9, k * units, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    check_bits(model, "relu-teacher", flat, Samples(torch.empty(0, k), torch.empty(0, 1)))


def check_bits(model, loss, flat, samples):
    everyone = torch.empty_like(flat)
    gradient_of(model, PROBLEMS[loss], samples.weights)(flat, samples.x, samples.targets, everyone)
    losses = PROBLEMS[loss].evaluate(model, flat, samples).loss
    assert losses.isfinite().all()
    for first, last in itertools.combinations(range(len(flat) + 1), 2):
        part = flat[first:last].contiguous()
        out = torch.empty_like(part)
        gradient_of(model, PROBLEMS[loss], samples.weights)(part, samples.x, samples.targets, out)
        assert torch.equal(out, everyone[first:last])
        assert torch.equal(PROBLEMS[loss].evaluate(model, part, samples).loss, losses[first:last])


def test_the_gradient_of_a_relu_student_is_the_closed_form():
    model = ReluStudent(3, 4)
    flat = torch.randn(5, 12, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    out, nothing = torch.full_like(flat, torch.nan), torch.empty(0, 3)
    gradient_of(model, PROBLEMS["relu-teacher"])(flat, nothing, nothing, out)
    torch.testing.assert_close(out.view(5, 4, 3), relu_teacher_forms.gradient(flat.view(5, 4, 3)), rtol=0, atol=0)


def test_autograd_takes_a_relu_student_on_samples_to_the_closed_form():
    """On many samples of the teacher the gradient of half the squared error converges to the closed form."""
    k, units, count = 3, 4, 200_000
    model, generator = ReluStudent(k, units), torch.Generator().manual_seed(9)
    flat = torch.randn(2, k * units, generator=generator, dtype=torch.float64)
    x = torch.randn(count, k, generator=generator, dtype=torch.float64)
    out, exact = torch.empty_like(flat), relu_teacher_forms.gradient(flat.view(2, units, k)).view(2, -1)
    StackedGradient(model, "squared")(flat, x, torch.relu(x).sum(1, keepdim=True), out)
    torch.testing.assert_close(out / 2, exact, rtol=0, atol=30 / count**0.5)
