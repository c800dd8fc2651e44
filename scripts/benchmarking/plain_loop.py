"""The plain PyTorch loop: what one writes by hand, and what escapedim is measured against.

One network after another, `nn.Sequential`, `torch.optim.Adam`, data in memory, masks multiplied in after every step. It
is spared the start of a process, saving, and all evaluation but one a network. Adam is fused, which not everybody knows
to ask for: on the CPU too that is faster than torch's default. `plain_descend` is the same for full
batches: `nn.MSELoss` and `torch.optim.SGD`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from benchmarking.setting import Setting, Spent, WidthSetting
from escapedim.models.network import Network
from escapedim.pruning.pruning_plan import PruningPlan
from escapedim.training.batches import DataOrder
from escapedim.training.initial import drawn_row

Masks = list[Tensor]
LAYERS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def plain_network(model: Network, row: Tensor) -> nn.Sequential:
    """Build a fully connected net as one writes it, with the weights of a row `(parameters,)`."""
    shape = model.fully_connected
    assert shape is not None, "all rows that are timed have such nets"
    activation = LAYERS[shape.activation]
    layers = [layer for sizes in pairwise(shape.sizes) for layer in (nn.Linear(*sizes), activation())]
    network = nn.Sequential(*layers[:-1]).to(row.dtype)
    vector_to_parameters(row.clone(), network.parameters())
    return network


def as_row(network: nn.Sequential) -> Tensor:
    """Parameters of a network as a row `(parameters,)`."""
    return parameters_to_vector(network.parameters()).detach()


def weights(network: nn.Sequential) -> list[Tensor]:
    """The prunable tensors, from the input on."""
    return [parameter for parameter in network.parameters() if parameter.dim() == 2]


def plain_train(
    setting: Setting, network: nn.Sequential, order: DataOrder, steps: int, masks: Masks, fused: bool = True
) -> float:
    """Train one network, with no masks where the list is empty; return the seconds."""
    x, labels, pruned = setting.data.train.x, setting.labels, weights(network)[: len(masks)]
    began = time.perf_counter()
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.recipe.lr, fused=fused)
    for step in range(steps):
        chosen = order.batch(step)
        optimizer.zero_grad()
        F.cross_entropy(network(x[chosen]), labels[chosen]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        apply_masks(pruned, masks)
    return time.perf_counter() - began


def plain_descend(setting: WidthSetting, network: nn.Sequential, steps: int) -> float:
    """Train one network on all samples at every step; return the seconds."""
    x, targets, loss = setting.data.train.x, setting.data.train.targets, nn.MSELoss()
    began = time.perf_counter()
    optimizer = torch.optim.SGD(network.parameters(), lr=setting.recipe.lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(x), targets).backward()
        optimizer.step()
    return time.perf_counter() - began


@torch.no_grad()
def apply_masks(tensors: Sequence[Tensor], masks: Masks) -> None:
    """Set what is masked to 0."""
    for tensor, mask in zip(tensors, masks, strict=True):
        tensor.mul_(mask)


def plain_masks(plan: PruningPlan, masks: Masks, scores: Sequence[Tensor]) -> Masks:
    """Remove the lowest-scored share of every layer's survivors."""
    removed = []
    for fraction, mask, score in zip(plan.fractions.values(), masks, scores, strict=True):
        order = torch.where(mask > 0, score, torch.inf).flatten().argsort(stable=True)
        flat = mask.flatten().clone()
        flat[order[: round(fraction * int(mask.sum()))]] = 0
        removed.append(flat.view_as(mask))
    return removed


class PlainPrune:
    """Magnitude pruning with rewinding to the start, and the controls, one network after another."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._draws = torch.Generator().manual_seed(setting.config.seed)
        self._dense_s: list[float] = []
        self._pruned_s: list[float] = []

    def run(self) -> tuple[Tensor, Spent]:
        """Do all of the experiment; return the last ticket's weights `(parameters,)` and what it took."""
        began = time.perf_counter()
        for replicate in range(self._setting.config.replicates):
            ticket = self._replicate(replicate)
        rest_s = time.perf_counter() - began - sum(self._dense_s) - sum(self._pruned_s)
        return as_row(ticket), Spent(self._dense_s, self._pruned_s, rest_s)

    def _replicate(self, replicate: int) -> nn.Sequential:
        ticket = plain_network(self._setting.model, self._setting.initial(replicate))
        self._dense_s.append(self._train(ticket, replicate, 0, []))
        masks = {arm: [torch.ones_like(weight) for weight in weights(ticket)] for arm in ("ticket", "random")}
        for number in range(1, self._setting.config.rounds + 1):
            masks = self._next_masks(masks, ticket)
            for arm in reversed(self._setting.plan.arms):  # the ticket last
                ticket = plain_network(self._setting.model, self._start(arm, replicate))
                apply_masks(weights(ticket), masks[arm])
                self._pruned_s.append(self._train(ticket, replicate, number, masks[arm]))
        return ticket

    def _next_masks(self, last: Mapping[str, Masks], ticket: nn.Sequential) -> dict[str, Masks]:
        kept = plain_masks(self._setting.plan, last["ticket"], [weight.detach().abs() for weight in weights(ticket)])
        chance = [torch.rand(mask.shape, generator=self._draws) for mask in kept]
        orders = [torch.randperm(mask.numel(), generator=self._draws) for mask in kept]
        return {
            "ticket": kept,
            "reinit": kept,
            "shuffle": [mask.flatten()[order].view_as(mask) for mask, order in zip(kept, orders, strict=True)],
            "random": plain_masks(self._setting.plan, last["random"], chance),
        }

    def _start(self, arm: str, replicate: int) -> Tensor:
        if arm != "reinit":
            return self._setting.initial(replicate)
        seed = int(torch.randint(2**31, (1,), generator=self._draws))
        return drawn_row(self._setting.model, self._setting.recipe.dtype, seed)

    def _train(self, network: nn.Sequential, replicate: int, number: int, masks: Masks) -> float:
        order = self._setting.order(replicate, number)
        seconds = plain_train(self._setting, network, order, self._setting.recipe.steps, masks)
        with torch.no_grad():
            network(self._setting.data.test.x).argmax(1)
        return seconds
