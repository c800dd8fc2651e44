"""Convolutional nets against the same ones of `torch.nn` modules: outputs, gradients, and a descent by Adam."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.utils.flop_counter import FlopCounterMode

from escapedim.models.conv import ConvNet, conv_2
from escapedim.models.families import Wanted
from escapedim.models.layout import Layout
from escapedim.training.batches import DataOrder
from escapedim.training.data import Data, Samples
from escapedim.training.descent import descend
from escapedim.training.job import Job
from escapedim.training.kernels.choice import gradient_of
from escapedim.training.problems import PROBLEMS, problem_of
from escapedim.training.problems.outputs import stack_outputs
from tests.training.plain import LOSSES, loss_gradient, toy, toy_task, trajectory

IMAGES = [(1, 4, 4), (2, 5, 5), (3, 2, 7), (1, 8, 8), (1, 17, 17)]  # of the largest, members are taken one by one
DEEPER = ConvNet((2, 9, 10), ((2, 3), (4,)), (5,), 3, "tanh")


def wanted(image: tuple[int, ...], **changes) -> Wanted:
    return replace(Wanted(image, 3, "relu", "glorot-normal", True), **changes)


NETWORKS = [*(conv_2(wanted(image), 2) for image in IMAGES), DEEPER]
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)


def plain(network: ConvNet, row: Tensor) -> nn.Sequential:
    """The same network as one writes it; its parameters are in the order of a row."""
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[network.activation]
    layers: list[nn.Module] = [nn.Unflatten(1, network.input_shape)]
    before, *size = network.input_shape
    for stage in network.stages:
        for channels in stage:
            layers += [nn.Conv2d(before, channels, 3, padding=1), activation()]
            before = channels
        layers.append(nn.MaxPool2d(2))
        size = [length // 2 for length in size]
    layers.append(nn.Flatten())
    widths = [before * math.prod(size), *network.dense, network.outputs]
    for inputs, units in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, units), activation()]
    net = nn.Sequential(*layers[:-1]).to(row.dtype)
    vector_to_parameters(row.clone(), net.parameters())
    return net


def rows_of(network: ConvNet, members: int, seed: int = 1) -> Tensor:
    size = Layout(network.shapes).size
    return 0.5 * torch.randn(members, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def samples_of(network: ConvNet, loss: str, *lead: int, samples: int = 5) -> Samples:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(*lead, samples, network.inputs, generator=generator, dtype=torch.float64)
    if loss == "squared":
        return Samples(x, torch.randn(*lead, samples, network.outputs, generator=generator, dtype=torch.float64))
    labels = torch.randint(network.outputs, (*lead, samples), generator=generator)
    return Samples(x, nn.functional.one_hot(labels, network.outputs).double())


@every_network
def test_outputs_and_activations_are_those_of_plain_modules(network):
    flat, x = rows_of(network, 3), samples_of(network, "squared").x
    outputs = stack_outputs(network, flat, x)
    for row, own in zip(flat, outputs, strict=True):
        net, seen = plain(network, row), []
        for module in net:
            if isinstance(module, nn.ReLU | nn.Tanh):
                module.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output))
        expected = net(x)
        torch.testing.assert_close(own, expected, rtol=1e-12, atol=1e-12)
        params = {name: view[0] for name, view in Layout(network.shapes).views(row[None]).items()}
        torch.testing.assert_close(network.apply(params, x), expected, rtol=1e-12, atol=1e-12)
        for values, of_units in zip(network.activations(params, x), seen, strict=True):
            torch.testing.assert_close(values, of_units, rtol=1e-12, atol=1e-12)


@every_network
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_plain_modules(network, loss):
    flat = rows_of(network, 3)
    shared, own = samples_of(network, loss), samples_of(network, loss, 3)
    for members in (1, 3):
        for samples, part in ((shared, slice(None)), (own, slice(members))):
            x, targets = samples.x[part], samples.targets[part]
            found = torch.full_like(flat[:members], torch.nan)
            gradient_of(network, PROBLEMS[loss])(flat[:members], x, targets, found)
            for member in range(members):
                batch = (x[member], targets[member]) if x.dim() == 3 else (x, targets)
                expected = loss_gradient(plain(network, flat[member]), loss, *batch)
                torch.testing.assert_close(found[member], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("image", [(1, 4, 4), (2, 5, 5)], ids=str)
def test_a_descent_by_adam_is_that_of_a_plain_loop(image):
    task = replace(toy_task(inputs=math.prod(image)), image_shape=image)
    network, recipe = conv_2(wanted(image), 2), replace(toy(optimizer="adam", lr=0.01, batch_size=6).recipe, steps=20)
    data, rows, seeds = Data.of(task, "float64", "cpu"), rows_of(network, 3), (7, 8, 9)
    job = Job(network, problem_of(task), recipe, rows, None, seeds, keep=(0, 5))
    state = descend(job, data, job.begin(), lambda members: False)
    x, labels = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    for member, seed in enumerate(seeds):
        order = DataOrder(seed, len(task.train), 6)
        batches = [(x[order.batch(step)], labels[order.batch(step)]) for step in range(20)]
        net = plain(network, rows[member])
        path = list(trajectory(net, "cross-entropy", batches, torch.optim.Adam, [0.01] * 20))
        torch.testing.assert_close(state.params[member], path[-1], rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(state.kept[5][member], path[5], rtol=1e-8, atol=1e-8)
        assert not torch.allclose(path[-1], path[0], atol=0.01)


def count(image: tuple[int, int, int], width: int, outputs: int) -> int:
    """Weights and biases of conv-2, layer by layer."""
    channels, height, across = image
    convolutions = (9 * channels + 1) * width + (9 * width + 1) * width
    flattened, units = width * (height // 2) * (across // 2), 4 * width
    return convolutions + (flattened + 1) * units + (units + 1) * units + (units + 1) * outputs


@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize("width", [1, 2, 8])
def test_conv_2_has_the_numbers_of_its_layers(image, width):
    network = conv_2(wanted(image), width)
    assert network.size == Layout(network.shapes).size == count(image, width, 3)
    assert network.size == len(parameters_to_vector(plain(network, rows_of(network, 1)[0]).parameters()))
    assert network.units == (width, width, 4 * width, 4 * width)
    assert network.name == f"conv {'x'.join(map(str, image))} {width}-{width}-pool-{4 * width}-{4 * width}-3 relu"


def test_conv_2_has_as_many_weights_as_published():
    """Frankle & Carbin 2019, figure 2, on images of 3x32x32: 4.3 million, 38 thousand of them in convolutions."""
    network = conv_2(wanted((3, 32, 32), outputs=10), 64)
    weights = {name: math.prod(network.shapes[name]) for name in network.prunable}
    assert sum(weights.values()) == 4_300_992
    assert weights["conv1.weight"] + weights["conv2.weight"] == 38_592
    assert network.size - sum(weights.values()) == 64 + 64 + 256 + 256 + 10


@every_network
def test_values_and_products_are_what_the_modules_make_of_one_sample(network):
    net, made = plain(network, rows_of(network, 1)[0]), []
    for module in net:
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.Linear):
            module.register_forward_hook(lambda module, inputs, output: made.append(output.numel()))
    with FlopCounterMode(display=False) as counter:
        net(samples_of(network, "squared", samples=1).x)
    assert network.values == sum(made)
    assert list(network.products) == list(network.prunable)
    assert 2 * sum(network.products.values()) == counter.get_total_flops()


@every_network
def test_a_network_of_other_widths_is_the_same_family(network):
    units = [count + 1 + n for n, count in enumerate(network.units)]
    wide = network.resized(units)
    assert wide.units == tuple(units)
    same = ("input_shape", "outputs", "activation", "init_name", "prunable", "output_layer")
    assert all(getattr(wide, name) == getattr(network, name) for name in same)
    assert wide.resized(network.units) == network


SPREADS = {
    "glorot-normal": lambda inputs, units: 2 / (inputs + units),
    "glorot-uniform": lambda inputs, units: 2 / (inputs + units),
    "he-normal": lambda inputs, units: 2 / inputs,
    "lecun-normal": lambda inputs, units: 1 / inputs,
    "normal:std=3": lambda inputs, units: 9.0,
}


@pytest.mark.parametrize("name", SPREADS)
def test_every_place_of_a_kernel_counts_in_the_spread_of_its_weights(name):
    """As torch's own initialisations count inputs and units: a kernel of 9 places has 9 times as many of both."""
    network = ConvNet((6, 2, 2), ((40, 50),), (8,), 2, "relu", name)
    params = network.init(torch.Generator().manual_seed(3))
    assert {key: tuple(value.shape) for key, value in params.items()} == network.shapes
    assert all(value.dtype == torch.float64 for value in params.values())
    fans = {"conv1.weight": (54, 360), "conv2.weight": (360, 450), "dense1.weight": (50, 8), "output.weight": (8, 2)}
    for layer, (inputs, units) in fans.items():
        variance, weights = SPREADS[name](inputs, units), params[layer]
        assert network.initial_std(layer) ** 2 == pytest.approx(variance, rel=1e-12)
        assert (weights**2).mean().item() == pytest.approx(variance, rel=6 * math.sqrt(2 / weights.numel()))
        assert not params[layer.replace("weight", "bias")].any()


@pytest.mark.parametrize(
    ("image", "width", "message"),
    [
        ((1, 8, 8), 0, "expected a width of at least 1, found 0; write conv-2:width=8"),
        ((1, 8, 8), -3, "expected a width of at least 1, found -3; write conv-2:width=8"),
        ((64,), 8, "expected a task whose samples are images, found rows of numbers; write --model mlp"),
        ((1, 1, 8), 8, "expected images of 2x2 at least, found 1x8; write --model mlp"),
        ((3, 9, 1), 8, "expected images of 2x2 at least, found 9x1; write --model mlp"),
    ],
)
def test_what_it_cannot_be_made_for_is_refused(image, width, message):
    with pytest.raises(ValueError, match="expected") as raised:
        conv_2(wanted(image), width)
    assert str(raised.value) == message
