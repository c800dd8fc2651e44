"""Losses against those of torch.nn.functional, one member and one sample at a time."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from escapedim.models.losses import LOSSES

SHAPES = [(7, 3), (5, 7, 3), (2, 3, 4, 3), (2, 1, 3), (4, 6, 1)]
"""Of the outputs: (..., samples, outputs)."""


def problem(loss: str, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Outputs of any size, and targets that all members share."""
    generator = torch.Generator().manual_seed(2)
    outputs = 10 * torch.randn(shape, generator=generator, dtype=torch.float64)
    samples, classes = shape[-2:]
    if loss == "squared":
        return outputs, torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    return outputs, F.one_hot(torch.randint(classes, (samples,), generator=generator), classes).double()


def of_a_sample(loss: str, output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, target) if loss == "squared" else F.cross_entropy(output, target.argmax())


def by_hand(loss: str, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    members = outputs.reshape(-1, *outputs.shape[-2:])
    values = [
        sum(w * of_a_sample(loss, f, y) for w, f, y in zip(weights, member, targets, strict=True)) for member in members
    ]
    return torch.stack(values).reshape(outputs.shape[:-2])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_without_weights_every_sample_counts_alike(loss, shape):
    outputs, targets = problem(loss, shape)
    expected = by_hand(loss, outputs, targets, torch.ones(shape[-2]).double() / shape[-2])
    torch.testing.assert_close(LOSSES[loss](outputs, targets), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_say_how_much_a_sample_counts(loss, shape):
    outputs, targets = problem(loss, shape)
    weights = torch.softmax(torch.arange(shape[-2]).double(), 0)
    expected = by_hand(loss, outputs, targets, weights)
    torch.testing.assert_close(LOSSES[loss](outputs, targets, weights), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sample_that_comes_twice_has_twice_the_weight(loss):
    outputs, targets = problem(loss, (2, 3, 4))
    times = torch.tensor([1, 2, 0])
    found = LOSSES[loss](outputs, targets, times.double() / 3)
    repeated = outputs.repeat_interleave(times, 1), targets.repeat_interleave(times, 0)
    torch.testing.assert_close(found, LOSSES[loss](*repeated), rtol=1e-12, atol=0)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0])], ids=["mean", "weights"])
def test_confident_logits_do_not_overflow(weights):
    outputs, wrong = torch.tensor([[[4000.0, -4000.0]], [[-4000.0, 4000.0]]]), torch.tensor([[0.0, 1.0]])
    assert LOSSES["cross-entropy"](outputs, wrong, weights).tolist() == [8000.0, 0.0]
