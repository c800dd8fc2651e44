import itertools

import pytest
import torch

from escapedim.models.layout import Layout
from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP
from escapedim.models.relu_student import ReluStudent
from escapedim.training.data import Samples
from escapedim.training.kernels.autograd import StackedGradient
from escapedim.training.kernels.choice import gradient_of
from escapedim.training.problems import PROBLEMS
from tests.training.plain import ACTIVATIONS

SIZES = [(4, 16, 1), (2, 2, 1), (1, 3, 1), (9, 1, 2), (3, 5, 4)]


def problem(sizes, activation, loss, bias, weighted, dtype=torch.float64, members=9):
    model, generator = MLP(sizes, activation, bias=bias), torch.Generator().manual_seed(5)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    flat, x = normal(members, Layout(model.shapes).size), normal(61, sizes[0])
    labels = torch.randint(sizes[-1], (61,), generator=generator)
    targets = normal(61, sizes[-1]) if loss == "squared" else torch.nn.functional.one_hot(labels, sizes[-1]).to(dtype)
    weights = torch.rand(61, generator=generator, dtype=torch.float64).to(dtype) if weighted else None
    return model, flat, Samples(x, targets, weights)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_the_gradient_of_autograd(activation, loss):
    for sizes, bias, weighted in itertools.product(SIZES, (True, False), (True, False)):
        model, flat, samples = problem(sizes, activation, loss, bias, weighted)
        out, expected = torch.full_like(flat, torch.nan), torch.empty_like(flat)
        gradient = gradient_of(model, PROBLEMS[loss], samples.weights, whole=True)
        StackedGradient(model, loss, samples.weights)(flat, samples.x, samples.targets, expected)
        for _ in range(2):  # buffers are reused
            gradient(flat, samples.x, samples.targets, out)
            torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-11)


IN_TURN = [*zip(ACTIVATIONS, [*SIZES, (300, 7, 3)], strict=True)]
OTHERS = [case for case in itertools.product(ACTIVATIONS, SIZES) if case not in IN_TURN]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("activation", "sizes"), [*IN_TURN, *(pytest.param(*case, marks=pytest.mark.long) for case in OTHERS)], ids=str
)
def test_a_member_has_the_same_bits_in_every_stack(activation, sizes, dtype):
    for loss, bias in itertools.product(LOSSES, (True, False)):
        model, flat, samples = problem(sizes, activation, loss, bias, loss == "squared", dtype)
        everyone = torch.empty_like(flat)
        gradient_of(model, PROBLEMS[loss], samples.weights, whole=True)(flat, samples.x, samples.targets, everyone)
        for first, last in itertools.combinations(range(len(flat) + 1), 2):
            part = flat[first:last].contiguous()
            out = torch.empty_like(part)
            gradient_of(model, PROBLEMS[loss], samples.weights, whole=True)(part, samples.x, samples.targets, out)
            assert torch.equal(out, everyone[first:last])


def test_other_models_have_their_usual_gradient():
    model = ReluStudent(3, 4)
    flat = torch.randn(5, 12, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    nothing, found, expected = torch.empty(0, 3), torch.empty_like(flat), torch.empty_like(flat)
    gradient_of(model, PROBLEMS["relu-teacher"], whole=True)(flat, nothing, nothing, found)
    gradient_of(model, PROBLEMS["relu-teacher"])(flat, nothing, nothing, expected)
    assert torch.equal(found, expected)
    deep, flat, samples = problem((3, 4, 2, 1), "tanh", "squared", True, False)
    found, expected = torch.empty_like(flat), torch.empty_like(flat)
    gradient_of(deep, PROBLEMS["squared"], whole=True)(flat, samples.x, samples.targets, found)
    gradient_of(deep, PROBLEMS["squared"])(flat, samples.x, samples.targets, expected)
    assert torch.equal(found, expected)
