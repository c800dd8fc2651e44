"""Every way to take a step against autograd of one network at a time; and the same bits for a member in every stack."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from escapedim.models import units
from escapedim.models.conv import ConvNet, conv_2
from escapedim.models.families import Wanted
from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.models.network import FullyConnected, Network
from escapedim.models.relu_student import ReluStudent
from escapedim.training.data import Data, Samples
from escapedim.training.job import Job
from escapedim.training.kernels import packed, without_idle
from escapedim.training.kernels.autograd import Autograd, MemberGradient, StackedGradient
from escapedim.training.kernels.choice import KERNELS, gradient_of, kernel_of
from escapedim.training.kernels.closed_form import ClosedForm
from escapedim.training.kernels.dense import Dense
from escapedim.training.kernels.full_batch import FullBatch
from escapedim.training.kernels.kernel import Gradient
from escapedim.training.kernels.packed import PackedStack
from escapedim.training.kernels.stack import Stack
from escapedim.training.kernels.without_idle import CutStack, make_stack
from escapedim.training.problems import PROBLEMS
from tests.models.streams import Stream
from tests.training.plain import LOSSES, toy, toy_task

TEACHER = "relu-teacher"


def conv(image: tuple[int, int, int], width: int) -> ConvNet:
    return conv_2(Wanted(image, 3, "relu", "glorot-normal", True), width)


@dataclass(frozen=True)
class Case:
    """A network on a loss, and the kernel that takes it; `whole` where members see all samples at every step."""

    kernel: type
    network: Network
    loss: str
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.kernel.__name__}, {self.network.name}, {self.loss}"

    def gradient(self, weights: Tensor | None = None) -> Gradient:
        if self.kernel in (StackedGradient, MemberGradient):
            return self.kernel(self.network, self.loss, weights)
        return gradient_of(self.network, PROBLEMS[self.loss], weights, self.whole)


class OutputBias(MLP):
    """A net with one hidden layer, of which the outputs alone have biases."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: shape for name, shape in super().shapes.items() if name != "layer1.bias"}

    @property
    def fully_connected(self) -> FullyConnected:
        whole = super().fully_connected
        return replace(whole, layers=((whole.layers[0][0], None), whole.layers[1]))


CASES = [
    Case(ClosedForm, ReluStudent(4, 5), TEACHER),
    Case(FullBatch, MLP((4, 6, 3), "gelu"), "cross-entropy", whole=True),
    Case(FullBatch, MLP((4, 6, 1), "tanh", bias=False), "squared", whole=True),
    Case(FullBatch, OutputBias((4, 6, 2), "tanh"), "squared", whole=True),
    Case(Dense, MLP((4, 5, 6, 3), "softplus"), "cross-entropy"),
    Case(Dense, MLP((1, 2, 1), "erf"), "squared"),
    Case(Dense, MLP((4, 5, 6, 1), "sigmoid", bias=False), "squared", whole=True),
    Case(Autograd, conv((1, 4, 4), 2), "cross-entropy"),
    Case(Autograd, conv((2, 5, 5), 1), "squared", whole=True),
    Case(Autograd, conv((1, 20, 20), 3), "cross-entropy"),  # member by member
    Case(Autograd, Stream(4, 3, 5, 2, gated=True), "squared"),
    Case(Autograd, ReluStudent(4, 5), "squared"),
    *(Case(kind, conv((1, 4, 4), 2), loss) for kind in (StackedGradient, MemberGradient) for loss in LOSSES),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def samples_of(network: Network, loss: str, *lead: int, dtype: torch.dtype = torch.float64) -> Samples:
    generator = torch.Generator().manual_seed(1)
    if loss == TEACHER:
        return Samples(torch.empty(0, network.inputs, dtype=dtype), torch.empty(0, 1, dtype=dtype))
    outputs = network.apply(network.init(generator), torch.zeros(1, network.inputs, dtype=torch.float64)).shape[1]
    x = torch.randn(*lead, network.inputs, generator=generator, dtype=torch.float64).to(dtype)
    if loss == "squared":
        return Samples(x, torch.randn(*lead, outputs, generator=generator, dtype=torch.float64).to(dtype))
    return Samples(x, F.one_hot(torch.randint(outputs, lead, generator=generator), outputs).to(dtype))


def rows_of(network: Network, members: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return 0.6 * torch.randn(members, network.size, generator=generator, dtype=torch.float64).to(dtype)


def teacher_loss(students: list[Tensor], k: int) -> Tensor:
    """Half the expected squared error by sums over pairs of units and the angle of each (Safran & Shamir 2018)."""

    def overlap(v: Tensor, w: Tensor) -> Tensor:
        if v is w:
            return v @ v / 2
        lengths = v.norm() * w.norm()
        angle = torch.arccos(v @ w / lengths)
        return lengths * (angle.sin() + (math.pi - angle) * angle.cos()) / (2 * math.pi)

    teacher = list(torch.eye(k, dtype=torch.float64))
    signed = [(1, w) for w in students] + [(-1, v) for v in teacher]
    return torch.stack([a * b * overlap(v, w) for a, v in signed for b, w in signed]).sum() / 2


def plain_loss(case: Case, row: Tensor, x: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """The loss of one network, with a loss of `torch.nn` and weighted samples one after another."""
    params = {name: view[0] for name, view in Layout(case.network.shapes).views(row[None]).items()}
    if case.loss == TEACHER:
        return teacher_loss(list(params["layer1.weight"]), case.network.inputs)
    loss: nn.Module = LOSSES[case.loss]
    if weights is None:
        return loss(case.network.apply(params, x), targets)
    singles = [loss(case.network.apply(params, x[i : i + 1]), targets[i : i + 1]) for i in range(len(x))]
    return sum((weight * single for weight, single in zip(weights, singles, strict=True)), torch.zeros(()))


def plain_gradient(case: Case, row: Tensor, x: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    row = row.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(plain_loss(case, row, x, targets, weights), row)
    return gradient


def test_every_kernel_has_a_case_that_it_takes():
    own = [case for case in CASES if case.kernel not in (StackedGradient, MemberGradient)]
    assert {case.kernel for case in own} == {type(kernel) for kernel in KERNELS}
    for case in own:
        assert type(kernel_of(case.network, PROBLEMS[case.loss], case.whole)) is case.kernel


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_a_kernel_gives_the_gradient_of_autograd_of_every_member_alone(case, weighted):
    shared, own = samples_of(case.network, case.loss, 5), samples_of(case.network, case.loss, 4, 5)
    weights = torch.softmax(torch.linspace(-1, 1, 5, dtype=torch.float64), 0) if weighted else None
    gradient = case.gradient(weights)
    for flat in (rows_of(case.network, 4), 0.5 * rows_of(case.network, 4), rows_of(case.network, 1)):
        for samples in (shared,) if case.whole or case.loss == TEACHER else (shared, own):
            part = slice(None) if samples is shared else slice(len(flat))
            x, targets = samples.x[part], samples.targets[part]
            found = torch.full_like(flat, torch.nan)
            gradient(flat, x, targets, found)
            for member, row in enumerate(flat):
                batch = (x, targets) if samples is shared else (x[member], targets[member])
                expected = plain_gradient(case, row, *batch, weights)
                torch.testing.assert_close(found[member], expected, rtol=1e-10, atol=1e-12)


# Ways that masks decide about.


def unit_mask(network: Network, seed: int) -> Tensor:
    """A mask `(parameters,)` that has removed one unit of every group; biases survive."""
    random = np.random.default_rng(seed)
    left = {group.name: np.arange(group.units) != random.integers(group.units) for group in network.groups}
    masks = units.without(network, {name: np.ones(network.shapes[name], bool) for name in network.prunable}, left)
    return torch.from_numpy(Layout(network.shapes).pack(masks, True, np.dtype(bool)))


def weight_mask(network: Network, seed: int) -> Tensor:
    """A mask of every third weight or so."""
    random = np.random.default_rng(seed)
    masks = {name: random.random(network.shapes[name]) < 0.3 for name in network.prunable}
    return torch.from_numpy(Layout(network.shapes).pack(masks, True, np.dtype(bool)))


MASKED = [
    (Stack, MLP((16, 5, 6, 3), "tanh"), weight_mask),
    (PackedStack, MLP((16, 5, 6, 3), "tanh"), weight_mask),
    (CutStack, MLP((16, 5, 6, 3), "tanh"), unit_mask),
    (Stack, conv((1, 4, 4), 3), weight_mask),
    (CutStack, conv((1, 4, 4), 3), unit_mask),
    (CutStack, Stream(16, 4, 5, 3), unit_mask),
]
every_masked = pytest.mark.parametrize(
    ("kind", "network", "masks"), MASKED, ids=lambda value: getattr(value, "name", getattr(value, "__name__", None))
)


def masked_job(network: Network, masks: Callable[[Network, int], Tensor], dtype: str, members: int) -> tuple[Job, Data]:
    """A job of plain gradient descent with a step of 1 on all samples, of members with other masks each."""
    task = toy_task(inputs=network.inputs)
    recipe = replace(toy(batch_size=23, lr=1.0, dtype=dtype).recipe, steps=3)
    mask = torch.stack([masks(network, member) for member in range(members)])
    rows = rows_of(network, members, getattr(torch, dtype))
    return Job(network, PROBLEMS[task.loss], recipe, rows, mask, [0] * members), Data.of(task, dtype, "cpu")


def take(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """Let this kind of stack pay, and no other."""
    monkeypatch.setattr(packed, "pays", lambda job, mask: torch.full((len(mask),), kind is PackedStack))
    monkeypatch.setattr(without_idle, "CALLS", 0.0 if kind is CutStack else 1e9)


@every_masked
def test_a_masked_member_takes_the_step_of_its_survivors(monkeypatch, kind, network, masks):
    take(monkeypatch, kind)
    job, data = masked_job(network, masks, "float64", 4)
    stack = make_stack(job, job.begin(), data)
    assert type(stack) is kind
    before = stack.flat.clone()
    stack.step(0, 1.0)
    for member, (row, mask) in enumerate(zip(before, job.mask, strict=True)):
        case = Case(kind, network, "cross-entropy")
        expected = mask * plain_gradient(case, row, data.train.x, data.train.targets)
        torch.testing.assert_close(row - stack.flat[member], expected, rtol=1e-10, atol=1e-12)
        assert expected.any()


# Bits.

BITS = [
    *(case for case in CASES if case.kernel is not StackedGradient),  # of which `Autograd` makes stacks of four
    Case(Dense, MLP((64, 30, 10), "relu"), "cross-entropy"),
    *(Case(Autograd, conv(image, width), "cross-entropy") for image in ((1, 8, 8), (1, 28, 28)) for width in (1, 4)),
    Case(Autograd, conv((1, 14, 14), 1), "cross-entropy"),
]


@pytest.mark.parametrize("batch", [60, 61, 1])
@pytest.mark.parametrize("case", BITS, ids=str)
def test_a_member_has_the_same_bits_in_every_stack(case, batch):
    flat = rows_of(case.network, 9, torch.float32)
    for lead in ((batch,),) if case.whole or case.loss == TEACHER else ((batch,), (9, batch)):
        samples = samples_of(case.network, case.loss, *lead, dtype=torch.float32)
        everyone = torch.full_like(flat, torch.nan)
        case.gradient()(flat, samples.x, samples.targets, everyone)
        assert everyone.isfinite().all()
        for members, first in [(1, 0), (1, 8), (2, 0), (2, 5), (3, 1), (3, 6), (9, 0)]:
            part = slice(first, first + members)
            own = slice(None) if samples.x.dim() == 2 else part
            found = torch.full_like(flat[part], torch.nan)
            case.gradient()(flat[part].contiguous(), samples.x[own], samples.targets[own], found)
            assert torch.equal(found, everyone[part]), (members, first)


@every_masked
def test_a_masked_member_has_the_same_bits_in_every_stack(monkeypatch, kind, network, masks):
    take(monkeypatch, kind)
    whole, data = masked_job(network, masks, "float32", 9)

    def ends(first: int, members: int) -> Tensor:
        part = slice(first, first + members)
        job = replace(whole, params=whole.params[part], mask=whole.mask[part], order_seeds=[0] * members)
        stack = make_stack(job, job.begin(), data)
        for step in range(3):
            stack.step(step, 1.0)
        return stack.flat

    everyone = ends(0, 9)
    for first, members in [(0, 1), (8, 1), (0, 2), (5, 2), (1, 3), (6, 3)]:
        assert torch.equal(ends(first, members), everyone[first : first + members]), (members, first)
