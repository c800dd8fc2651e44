import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.models.losses import LOSSES
from escapedim.models.mlp import MLP
from escapedim.training.data import Samples
from escapedim.training.evaluation import evaluate
from escapedim.training.gradients import AutogradGradient, MLPGradient, make_gradient

from .plain import ACTIVATIONS, loss_gradient, network
from .plain import LOSSES as PLAIN_LOSSES


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
    for kind in (MLPGradient, AutogradGradient):
        out = torch.full_like(flat, torch.nan)
        kind(MLP(sizes, activation), loss)(flat, x, targets, out)
        torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_buffers_are_reused_over_other_shapes_and_leave_no_trace(activation):
    sizes, generator = (3, 4, 2, 3), torch.Generator().manual_seed(3)
    gradient = MLPGradient(MLP(sizes, activation), "cross-entropy")
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
    make_gradient(MLP(sizes, activation), loss)(flat, x, targets, out)
    expected = plain_gradient(sizes, activation, loss, flat.double(), x.double(), targets.double())
    torch.testing.assert_close(out.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_those_of_torch_for_every_member(loss):
    _, outputs, targets = sample(loss, (3, 3), 5, 7, False, torch.Generator().manual_seed(2))
    outputs = 10 * outputs
    expected = [PLAIN_LOSSES[loss](*pair) for pair in zip(outputs, targets, strict=True)]
    torch.testing.assert_close(LOSSES[loss](outputs, targets), torch.stack(expected), rtol=1e-12, atol=1e-12)


def test_confident_logits_neither_overflow_nor_lose_the_gradient():
    model = MLP((1, 2), "relu")
    flat = torch.tensor([[4000.0, -4000.0, 0.0, 0.0]])
    x, wrong = torch.ones(1, 1), torch.tensor([[0.0, 1.0]])
    out = torch.empty_like(flat)
    MLPGradient(model, "cross-entropy")(flat, x, wrong, out)
    assert out.tolist() == [[1.0, -1.0, 1.0, -1.0]]
    outputs = torch.tensor([[[4000.0, -4000.0]]])
    assert LOSSES["cross-entropy"](outputs, wrong).tolist() == [8000.0]


@pytest.mark.parametrize("sizes", [(64, 30, 20, 10), (4, 16, 1), (2, 2, 1), (1, 3, 1), (9, 1, 2)], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_member_has_the_same_bits_in_every_stack(dtype, activation, sizes):
    model, generator = MLP(sizes, activation), torch.Generator().manual_seed(5)
    for loss, shared in itertools.product(LOSSES, (True, False)):
        flat, x, targets = sample(loss, sizes, 9, 61, shared, generator, dtype)
        everyone, samples = torch.empty_like(flat), Samples(x, targets)
        make_gradient(model, loss)(flat, x, targets, everyone)
        scores = evaluate(model, loss, flat, samples).loss if shared else None
        for first, last in itertools.combinations(range(len(flat) + 1), 2):
            part, own = flat[first:last].contiguous(), slice(None) if shared else slice(first, last)
            out = torch.empty_like(part)
            make_gradient(model, loss)(part, x[own], targets[own], out)
            assert torch.equal(out, everyone[first:last])
            if scores is not None:
                assert torch.equal(evaluate(model, loss, part, samples).loss, scores[first:last])
