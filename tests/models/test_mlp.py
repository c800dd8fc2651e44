import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from escapedim.models.initialisation import SPREADS
from escapedim.models.mlp import MLP

MODULES = {
    "relu": nn.ReLU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
    "gelu": nn.GELU(),
    "softplus": nn.Softplus(threshold=700),  # the default is linear from 20 on, 2e-9 away
}
widths = st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple)

# Variance of a weight with so many inputs and units (Glorot & Bengio 2010, He et al. 2015).
VARIANCES = {
    "glorot-normal": lambda inputs, units: 2 / (inputs + units),
    "glorot-uniform": lambda inputs, units: 2 / (inputs + units),
    "he-normal": lambda inputs, units: 2 / inputs,
    "lecun-normal": lambda inputs, units: 1 / inputs,
    "normal": lambda inputs, units: 1.0,
    "normal:std=3": lambda inputs, units: 9.0,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_network_says_what_it_consists_of():
    model = MLP((64, 300, 100, 10), "relu")
    assert model.name == "mlp 64-300-100-10 relu"
    assert model.depth == 3
    assert model.prunable == ("layer1.weight", "layer2.weight", "layer3.weight")
    assert list(model.shapes.items()) == [
        ("layer1.weight", (300, 64)),
        ("layer1.bias", (300,)),
        ("layer2.weight", (100, 300)),
        ("layer2.bias", (100,)),
        ("layer3.weight", (10, 100)),
        ("layer3.bias", (10,)),
    ]


@settings(deadline=None, max_examples=20)
@given(sizes=widths, activation=st.sampled_from(sorted(MODULES)), samples=st.integers(1, 4))
def test_apply_is_a_plain_network(sizes, activation, samples):
    params = {
        name: torch.randn(shape, generator=generator(len(name) + sum(sizes)), dtype=torch.float64)
        for name, shape in MLP(sizes, activation).shapes.items()
    }
    layers = []
    for n, (inputs, units) in enumerate(itertools.pairwise(sizes), start=1):
        linear = nn.Linear(inputs, units).double()
        linear.load_state_dict({"weight": params[f"layer{n}.weight"], "bias": params[f"layer{n}.bias"]})
        layers += [linear, MODULES[activation]]
    x = torch.randn(samples, sizes[0], generator=generator(1), dtype=torch.float64)
    expected = nn.Sequential(*layers[:-1])(x)
    torch.testing.assert_close(MLP(sizes, activation).apply(params, x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SPREADS)
def test_init_draws_float64_weights_and_no_biases(name):
    model = MLP((7, 4, 3), "relu", name)
    params = model.init(generator())
    assert {key: tuple(value.shape) for key, value in params.items()} == model.shapes
    assert all(value.dtype == torch.float64 for value in params.values())
    assert not params["layer1.bias"].any()
    assert not params["layer2.bias"].any()
    assert params["layer1.weight"].all()


@pytest.mark.parametrize("name", SPREADS)
def test_a_draw_is_the_generators_alone(name):
    model = MLP((7, 4, 3), "relu", name)
    first, again, other = (model.init(generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["layer1.weight"], other["layer1.weight"])


@pytest.mark.parametrize("name", VARIANCES)
def test_the_variance_converges_to_the_published_one(name):
    inputs, units = 400, 150
    weights = MLP((inputs, units), "relu", name).init(generator())["layer1.weight"]
    expected, kurtosis = VARIANCES[name](inputs, units), 1.8 if "uniform" in name else 3.0
    standard_error = math.sqrt((kurtosis - 1) / weights.numel())
    assert (weights**2).mean().item() / expected == pytest.approx(1, abs=6 * standard_error)
    assert weights.mean().item() / math.sqrt(expected) == pytest.approx(0, abs=6 / math.sqrt(weights.numel()))


def test_glorot_uniform_fills_its_interval():
    weights = MLP((400, 150), "relu", "glorot-uniform").init(generator())["layer1.weight"]
    bound = math.sqrt(6 / 550)
    assert bound * 0.999 < weights.abs().max() <= bound
