import math

import pytest
import torch

from escapedim.models.activations import TABLE

IN_PLACE = [name for name, activation in TABLE.items() if activation.in_place]
SMOOTH = [name for name in TABLE if name != "relu"]

# Values of the definitions: erf(1/√2) is the mass of a normal within one standard deviation, gelu(z) = z Φ(z).
KNOWN = {
    "relu": {-3.0: 0.0, 0.0: 0.0, 2.5: 2.5},
    "tanh": {0.0: 0.0, math.log(2): 0.6},
    "sigmoid": {0.0: 0.5, math.log(3): 0.75},
    "gelu": {0.0: 0.0, 1.0: 0.5 * (1 + math.erf(math.sqrt(0.5))), -1.0: -0.5 * (1 - math.erf(math.sqrt(0.5)))},
    "softplus": {0.0: math.log(2), 1.0: math.log1p(math.e)},
    "erf": {0.0: 0.0, 1.0: math.erf(math.sqrt(0.5)), -2.0: -math.erf(math.sqrt(2))},
}


def points() -> torch.Tensor:
    """Generic points, far ones and the neighbourhood of softplus's threshold; none at relu's kink."""
    return torch.cat([torch.linspace(-6, 6, 60), torch.tensor([-300.0, -19.9, 19.9, 20.1, 300.0])]).double()


def by_autograd(name: str, z: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    z = z.clone().requires_grad_()
    return torch.autograd.grad(TABLE[name].function(z), z, grad)[0]


def backward(name: str, grad: torch.Tensor, z: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The product with the derivative; `grad` stays as it is."""
    return TABLE[name].backward(grad, z, a, torch.empty_like(z))


@pytest.mark.parametrize("name", TABLE)
def test_known_values(name):
    for z, value in KNOWN[name].items():
        assert TABLE[name].function(torch.tensor(z, dtype=torch.float64)).item() == pytest.approx(value, abs=1e-14)


@pytest.mark.parametrize("name", TABLE)
def test_backward_is_autograd(name):
    z = points()
    grad = torch.linspace(-2, 3, len(z), dtype=torch.float64)
    a = TABLE[name].function(z)
    torch.testing.assert_close(backward(name, grad, z, a), by_autograd(name, z, grad), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", TABLE)
def test_backward_is_a_finite_difference(name):
    function, h = TABLE[name].function, 1e-5
    z = points()[:60]
    slope = (function(z + h) - function(z - h)) / (2 * h)
    torch.testing.assert_close(backward(name, torch.ones_like(z), z, function(z)), slope, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", SMOOTH)
def test_backward_at_zero_is_autograd(name):
    z, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    torch.testing.assert_close(backward(name, one, z, TABLE[name].function(z)), by_autograd(name, z, one))


def test_the_slope_of_relu_at_its_kink_is_zero_as_in_autograd():
    z, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert by_autograd("relu", z, one).item() == 0
    assert backward("relu", one, z, z).item() == 0


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_overwrites_its_argument_with_the_same_values(name):
    z = points()
    buffer = z.clone()
    result = TABLE[name].in_place(buffer)
    assert result.data_ptr() == buffer.data_ptr()
    assert torch.equal(buffer, TABLE[name].function(z))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_derivatives_need_only_the_value(name):
    z = points()
    grad, a = torch.linspace(-2, 3, len(z), dtype=torch.float64), TABLE[name].function(z)
    expected = by_autograd(name, z, grad)
    torch.testing.assert_close(backward(name, grad, a, a), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("written", ["grad", "z", "a", "another"])
@pytest.mark.parametrize("name", TABLE)
def test_backward_may_overwrite_what_it_is_given(name, written):
    tensors = {"grad": torch.linspace(-2, 3, len(points())).double(), "z": points()}
    tensors["a"] = TABLE[name].function(points())
    tensors["another"] = torch.empty_like(points())
    before = {key: tensor.clone() for key, tensor in tensors.items()}
    expected = backward(name, before["grad"], before["z"], before["a"])
    result = TABLE[name].backward(tensors["grad"], tensors["z"], tensors["a"], tensors[written])
    assert result is tensors[written]
    assert torch.equal(result, expected)
    for key in {"grad", "z", "a"} - {written}:
        assert torch.equal(tensors[key], before[key])


@pytest.mark.parametrize("name", TABLE)
def test_backward_takes_a_broadcast_gradient(name):
    z = points().expand(3, -1).contiguous()
    grad, a = torch.linspace(-2, 3, z.shape[1], dtype=torch.float64).expand_as(z), TABLE[name].function(z)
    assert torch.equal(backward(name, grad, z, a), backward(name, grad.contiguous(), z, a))


@pytest.mark.parametrize("name", SMOOTH)
def test_first_and_second_derivatives_are_autograd(name):
    z = points().requires_grad_()
    first = torch.autograd.grad(TABLE[name].function(z).sum(), z, create_graph=True)[0]
    second = torch.autograd.grad(first.sum(), z)[0]
    torch.testing.assert_close(TABLE[name].first(z), first, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(TABLE[name].second(z), second, rtol=1e-10, atol=1e-13)


def test_derivatives_of_relu():
    z = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert TABLE["relu"].first(z).tolist() == [0, 0, 0, 1, 1]
    assert TABLE["relu"].second(z).tolist() == [0] * 5


@pytest.mark.parametrize("name", TABLE)
def test_odd_functions_are_marked(name):
    z, function = points(), TABLE[name].function
    assert TABLE[name].odd == torch.allclose(function(-z), -function(z))
