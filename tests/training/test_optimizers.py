import itertools

import pytest
import torch

from escapedim.errors import BadInput
from escapedim.specs import parse_spec
from escapedim.training.optimizers import Optimizer, padded

from .optimizers import CASES


def quadratic_gradient(row: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    curvature = torch.linspace(0.1, 3, row.shape[-1], dtype=row.dtype)
    return curvature * (row - target)


def start() -> torch.Tensor:
    return padded(torch.randn(3, 6, generator=torch.Generator().manual_seed(8), dtype=torch.float64))


def advance(optimizer: Optimizer, flat: torch.Tensor, steps: range) -> None:
    for step in steps:
        optimizer.step(padded(quadratic_gradient(flat, torch.ones(6))), 0.1 / (1 + step))


def stacked(text: str) -> tuple[Optimizer, torch.Tensor]:
    flat = start()
    return Optimizer(parse_spec(text), flat), flat


@pytest.mark.parametrize("text", CASES)
def test_a_stacked_step_is_each_members_own_step_of_torch(text):
    optimizer, flat = stacked(text)
    advance(optimizer, flat, range(25))
    for row, expected in zip(flat, start(), strict=True):
        own = expected.clone().requires_grad_()
        plain = CASES[text]([own], lr=1.0)
        for step in range(25):
            plain.param_groups[0]["lr"] = 0.1 / (1 + step)
            own.grad = quadratic_gradient(own.detach(), torch.ones(6))
            plain.step()
        torch.testing.assert_close(row, own.detach(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("pause", [0, 1, 7])
def test_a_state_continues_to_the_last_bit(pause, text):
    optimizer, flat = stacked(text)
    advance(optimizer, flat, range(pause))
    state, params = optimizer.state(), padded(flat)
    advance(optimizer, flat, range(pause, 20))
    advance(Optimizer(parse_spec(text), params, state), params, range(pause, 20))
    assert torch.equal(params, flat)


@pytest.mark.parametrize("text", CASES)
def test_states_are_copies(text):
    optimizer, flat = stacked(text)
    advance(optimizer, flat, range(2))
    state = optimizer.state()
    copies = {name: value.clone() for name, value in state.items()}
    assert all(value.shape in {(), flat.shape} for value in state.values())
    advance(optimizer, flat, range(2, 4))
    advance(Optimizer(parse_spec(text), flat, state), flat, range(2, 4))
    assert all(torch.equal(state[name], copies[name]) for name in copies)


def test_an_unknown_parameter_is_refused():
    with pytest.raises(BadInput, match="did you mean 'momentum'"):
        Optimizer(parse_spec("sgd:momentun=0.9"), start())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("text", CASES)
def test_a_member_has_the_same_bits_in_every_stack(text, dtype):
    everyone = torch.randn(9, 37, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype)

    def trained(rows: torch.Tensor) -> torch.Tensor:
        flat = padded(rows)
        optimizer = Optimizer(parse_spec(text), flat)
        for step in range(1, 6):
            optimizer.step(padded(step * flat * flat), 0.01)
        return flat

    together = trained(everyone)
    for first, last in itertools.combinations(range(10), 2):
        assert torch.equal(trained(everyone[first:last]), together[first:last])


@pytest.mark.parametrize("matrix", [torch.zeros(3, 6), torch.zeros(4, 16)[:1], torch.zeros(4, 16)[1:]])
def test_a_matrix_in_other_storage_is_refused(matrix):
    with pytest.raises(ValueError, match="padded"):
        Optimizer(parse_spec("sgd"), matrix).step(matrix, 0.1)
