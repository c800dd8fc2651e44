"""Parametrizations against networks that are written in them: forward multipliers and one learning rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.specs import parse_spec
from escapedim.training.batches import DataOrder
from escapedim.training.initial import order_seed
from escapedim.training.seeds import derive_seed, torch_generator
from escapedim.training.work import Context
from escapedim.widening.parametrization import scales
from escapedim.widening.stack import Setting, Starts
from tests.training.plain import LOSSES, toy

from .runs import trained

BASE, WIDTH, STEPS, LR = 4, 9, 12, 0.02
ADAM = "adam:eps=1e-30"  # steps of Adam do not scale with the gradient, but for its epsilon


@dataclass(frozen=True)
class Written:
    """f = outgoing · V σ(incoming · (W x + β)) + γ, trained at the rate `lr`, and γ at `bias_lr`."""

    incoming: float
    outgoing: float
    lr: float
    bias_lr: float


ROOT = math.sqrt(BASE / WIDTH)
WRITTEN = {
    # Jacot et al. 2018, relative to the base width
    ("ntk", "sgd"): Written(1.0, ROOT, LR, LR),
    ("ntk", "sgd:momentum=0.9"): Written(1.0, ROOT, LR, LR),
    ("ntk", ADAM): Written(1.0, ROOT, LR, LR),
    # Yang & Hu 2021, table 1: gradient descent has one rate; Adam's goes by the root of the width
    ("mup", "sgd"): Written(1 / ROOT, ROOT, LR, LR),
    ("mup", "sgd:momentum=0.9"): Written(1 / ROOT, ROOT, LR, LR),
    ("mup", ADAM): Written(1 / ROOT, ROOT, LR * ROOT, LR),
}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "sgd:momentum=0.9": lambda params, lr: torch.optim.SGD(params, lr, momentum=0.9),
    ADAM: lambda params, lr: torch.optim.Adam(params, lr, eps=1e-30),
}


def spreads(width: int, inputs: int, outputs: int) -> tuple[float, float]:
    """Glorot's, of the incoming and the outgoing weights."""
    return math.sqrt(2 / (inputs + width)), math.sqrt(2 / (width + outputs))


def effective(written: Written, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the engine's one matrix holds of that network."""
    return {
        "layer1.weight": written.incoming * weights["W"],
        "layer1.bias": written.incoming * weights["β"],
        "layer2.weight": written.outgoing * weights["V"],
        "layer2.bias": weights["γ"],
    }


def plain(written: Written, weights: dict[str, Tensor], optimizer: str, batches: Iterator) -> dict[str, Tensor]:
    weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
    groups = [{"params": [weights[name] for name in "WVβ"]}, {"params": [weights["γ"]], "lr": written.bias_lr}]
    stepper = OPTIMIZERS[optimizer](groups, lr=written.lr)
    for x, targets in batches:
        units = torch.tanh(written.incoming * (x @ weights["W"].T + weights["β"]))
        outputs = written.outgoing * (units @ weights["V"].T) + weights["γ"]
        stepper.zero_grad()
        LOSSES["cross-entropy"](outputs, targets).backward()
        stepper.step()
    return {name: value.detach() for name, value in effective(written, weights).items()}


@pytest.mark.parametrize(("name", "optimizer"), WRITTEN)
def test_a_parametrization_is_the_network_that_is_written_in_it(name, optimizer):
    written = WRITTEN[name, optimizer]
    problem = toy("cross-entropy", optimizer, lr=LR, steps=STEPS)
    inputs, outputs = problem.task.inputs, problem.task.outputs
    model = MLP((inputs, WIDTH, outputs), "tanh")
    scaled = scales(model, problem.recipe.optimizer, parse_spec(f"{name}:base={BASE}"), lazy=False)
    setting = Setting(model, problem.recipe, scaled, problem.task.criterion, 3)
    context = Context(problem.task, problem.data, "cpu", lambda members: False)
    _, state = trained(setting, context, Starts(setting.drawn((5, 6)), setting.orders((5, 6))), LR)

    generator = torch_generator(derive_seed(3, "initial weights", model.name, 6))
    incoming, outgoing = spreads(BASE, inputs, outputs)
    outgoing *= ROOT if name == "ntk" else ROOT**2
    drawn = {"W": incoming / written.incoming * torch.randn(WIDTH, inputs, generator=generator, dtype=torch.float64)}
    drawn["V"] = outgoing / written.outgoing * torch.randn(outputs, WIDTH, generator=generator, dtype=torch.float64)
    drawn |= {"β": torch.zeros(WIDTH, dtype=torch.float64), "γ": torch.zeros(outputs, dtype=torch.float64)}

    order = DataOrder(order_seed(model, 3, 6, 0), len(problem.task.train), 6)
    x, labels = torch.from_numpy(problem.task.train.x), torch.from_numpy(problem.task.train.y)
    batches = ((x[order.batch(step)], labels[order.batch(step)]) for step in range(STEPS))
    expected = plain(written, drawn, optimizer, batches)
    found = Layout(model.shapes).views(state.params)
    for key, value in expected.items():
        torch.testing.assert_close(found[key][1], value, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("init", ["glorot-normal", "glorot-uniform", "he-normal", "lecun-normal", "normal:std=3"])
@pytest.mark.parametrize("name", ["ntk", "mup"])
def test_at_its_base_width_a_parametrization_is_the_standard_one(name, init):
    model = MLP((4, 7, 3), "relu", init)
    for optimizer, lazy in itertools.product(("sgd", "adam"), (False,)):
        found = scales(model, parse_spec(optimizer), parse_spec(f"{name}:base=7"), lazy)
        assert found.init is None
        assert found.lr is None


def test_the_standard_parametrization_has_no_factors():
    found = scales(MLP((4, 7, 3), "relu"), parse_spec("adam"), parse_spec("standard"), lazy=False)
    assert (found.init, found.lr) == (None, None)


@pytest.mark.parametrize("parametrization", ["standard", "ntk:base=4", "mup:base=4"])
def test_lazy_freezes_all_but_the_outgoing_weights(parametrization):
    model = MLP((4, 7, 3), "relu")
    plain_scales = scales(model, parse_spec("sgd"), parse_spec(parametrization), lazy=False)
    found = scales(model, parse_spec("sgd"), parse_spec(parametrization), lazy=True)
    assert found.lr is not None
    columns = Layout(model.shapes).slices["layer2.weight"]
    frozen = np.ones(Layout(model.shapes).size, dtype=bool)
    frozen[columns] = False
    assert not found.lr[frozen].any()
    expected = torch.ones(1) if plain_scales.lr is None else plain_scales.lr[columns]
    assert (found.lr[columns] == expected).all()


@pytest.mark.parametrize(("name", "power"), [("ntk", 0.5), ("mup", 1.0)])
def test_outgoing_weights_shrink_with_the_width_as_published(name, power):
    """Whatever the rule of the initialisation: its own dependence on the width is taken out."""
    for init in ("glorot-normal", "he-normal", "normal:std=3"):
        model = MLP((4, 32, 3), "relu", init)
        layout = Layout(model.shapes)
        factors = scales(model, parse_spec("sgd"), parse_spec(f"{name}:base=8"), lazy=False).init
        found = (
            torch.ones(layout.size, dtype=torch.float64) if factors is None else factors
        )  # He's rule is that of ntk by itself
        std = {"glorot-normal": lambda s: (2 / sum(s)) ** 0.5, "he-normal": lambda s: (2 / s[1]) ** 0.5}
        rule = std.get(init, lambda s: 3.0)
        drawn = {"layer1.weight": rule((32, 4)), "layer2.weight": rule((3, 32))}
        wanted = {"layer1.weight": rule((8, 4)), "layer2.weight": rule((3, 8)) * (8 / 32) ** power}
        for key, value in wanted.items():
            np.testing.assert_allclose(found[layout.slices[key]] * drawn[key], value, rtol=1e-12)
        assert (found[layout.slices["layer1.bias"]] == 1).all()
