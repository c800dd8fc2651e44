"""Oracles: the same networks and training loops in plain torch, one network at a time, in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from escapedim.models.mlp import MLP
from escapedim.specs import Spec, parse_spec
from escapedim.tasks.base import Criterion, Split, Task
from escapedim.training.data import Data
from escapedim.training.recipe import Recipe

VALUES = {
    "task": "digits",
    "hidden": (20, 10),
    "activation": "relu",
    "init": "glorot-normal",
    "optimizer": "adam",
    "lr": 1.2e-3,
    "schedule": "constant",
    "steps": "100it",
    "batch_size": 6,
    "dtype": "float32",
    "jobs": 1,
}
"""A complete configuration, as settings resolve to it."""


class Erf(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return 2 * torch.special.ndtr(z) - 1


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
    "erf": Erf,
}
LOSSES: dict[str, nn.Module] = {"cross-entropy": nn.CrossEntropyLoss(), "squared": nn.MSELoss()}


def network(sizes: tuple[int, ...], activation: str, row: Tensor) -> nn.Sequential:
    """A plain network that holds a copy of one row of parameters."""
    layers: list[nn.Module] = []
    for inputs, units in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, units), ACTIVATIONS[activation]()]
    net = nn.Sequential(*layers[:-1]).to(row.dtype)
    vector_to_parameters(row.clone(), net.parameters())
    return net


def loss_gradient(net: nn.Module, loss: str, x: Tensor, targets: Tensor) -> Tensor:
    """The gradient by autograd, as one row."""
    value = LOSSES[loss](net(x), targets)
    return parameters_to_vector(torch.autograd.grad(value, list(net.parameters())))


def accuracy(net: nn.Module, x: Tensor, labels: np.ndarray) -> float:
    with torch.no_grad():
        return float(np.mean(net(x).argmax(1).numpy() == labels))


def trajectory(
    net: nn.Module,
    loss: str,
    batches: Iterable[tuple[Tensor, Tensor]],
    make_optimizer: Callable[..., torch.optim.Optimizer],
    rates: Iterable[float],
    mask: Tensor | None = None,
) -> Iterator[Tensor]:
    """Rows of parameters: at the start and after every step; masked weights are multiplied by 0 after each step."""

    def apply_mask() -> None:
        if mask is not None:
            vector_to_parameters(parameters_to_vector(net.parameters()).detach() * mask, net.parameters())

    apply_mask()
    optimizer = make_optimizer(net.parameters(), lr=1.0)
    yield parameters_to_vector(net.parameters()).detach().clone()
    for (x, targets), rate in zip(batches, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        LOSSES[loss](net(x), targets).backward()
        optimizer.step()
        apply_mask()
        yield parameters_to_vector(net.parameters()).detach().clone()


def toy_task(loss: str = "cross-entropy", samples: int = 23, inputs: int = 4, outputs: int = 3) -> Task:
    """Three noisy clusters (or their coordinates under a smooth map), fixed by a seed."""
    random = np.random.default_rng(5)

    def part(count: int) -> Split:
        labels = random.integers(outputs, size=count)
        x = random.normal(size=(count, inputs)) + 1.5 * np.eye(outputs, inputs)[labels]
        return Split(x, labels if loss == "cross-entropy" else np.sin(x[:, :outputs]))

    accurate = Criterion("train_accuracy", ">=", 0.5)
    return Task(
        name="toy",
        source="made up",
        train=part(samples),
        validation=part(11),
        test=part(13),
        outputs=outputs,
        loss=loss,  # type: ignore[arg-type]
        criterion=accurate if loss == "cross-entropy" else Criterion("train_loss", "<=", 1.0),
        recipe={},
        architecture={},
        identity={"name": "toy"},
    )


@dataclass(frozen=True)
class Toy:
    """A small problem: task, data, model and recipe that fit together."""

    task: Task
    data: Data
    model: MLP
    recipe: Recipe

    def rows(self, members: int, scale: float = 1.0) -> Tensor:
        """Initial rows with biases that are not 0."""
        generator = torch.Generator().manual_seed(11)
        size = sum(int(np.prod(shape)) for shape in self.model.shapes.values())
        rows = scale * torch.randn(members, size, generator=generator, dtype=torch.float64)
        return rows.to(getattr(torch, self.recipe.dtype))

    def masks(self, members: int) -> Tensor:
        """Random masks `(members, parameters)` of the weights; biases are never masked."""
        generator = torch.Generator().manual_seed(13)
        shapes = self.model.shapes.values()
        kept = [torch.rand(members, int(np.prod(s)), generator=generator) < (0.6 if len(s) == 2 else 2) for s in shapes]
        return torch.cat(kept, 1)

    def with_recipe(self, **changes: object) -> Toy:
        return replace(self, recipe=replace(self.recipe, **changes))  # type: ignore[arg-type]


def toy(
    loss: str = "cross-entropy",
    optimizer: str = "sgd",
    lr: float = 0.1,
    schedule: str = "constant",
    steps: int = 30,
    batch_size: int = 6,
    dtype: str = "float64",
    hidden: tuple[int, ...] = (5,),
    activation: str = "tanh",
) -> Toy:
    task = toy_task(loss)
    return Toy(
        task=task,
        data=Data.of(task, dtype, "cpu"),
        model=MLP((task.inputs, *hidden, task.outputs), activation),
        recipe=Recipe(
            optimizer=parse_spec(optimizer),
            lr=lr,
            schedule=Spec(schedule) if ":" not in schedule else parse_spec(schedule),
            steps=steps,
            batch_size=min(batch_size, len(task.train)),
            samples=len(task.train),
            dtype=dtype,
        ),
    )
