"""The row `rounds`: training steps of pruned networks round by round, against the plain loop with the same masks.

Networks of 64 inputs, and of 784 with and without a border of zeros, as the tool trains them in its stacks: what a step
takes falls with the density, since few survivors are packed, and inputs without a signal and units without a weight are
left out. Masks are those of magnitude pruning of the initial weights by the tool's own fractions, of single weights and
of whole units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from benchmarking.engine_side import engine_step_s
from benchmarking.images import BORDER, write_images
from benchmarking.plain_loop import Masks, apply_masks, plain_masks, plain_network, plain_train, weights
from benchmarking.setting import Setting
from benchmarking.timing import Ratio, Scale, Spread, one_core, threads
from escapedim.pruning.arms import SIZES
from escapedim.pruning.masks import prune
from escapedim.training.experiment import stack_size
from escapedim.training.initial import order_seed
from escapedim.training.job import Job
from escapedim.training.problems import problem_of

MEMBERS = 20
ROUNDS = (0, 3, 6, 8, 10, 13)  # densities 1 to 0.06


@dataclass(frozen=True)
class RoundTimes:
    """Milliseconds per network step in one round.

    `ratio` says how many times longer the plain loop takes, `default_ratio` with torch's default Adam, and
    `dense_ratio` how many times longer round 0 takes.
    """

    inputs: str
    network: str
    round: int
    density: float
    engine_ms: Spread
    plain_ms: Spread
    default_ms: Spread
    ratio: Ratio
    default_ratio: Ratio
    dense_ratio: Ratio


@dataclass(frozen=True)
class Pruned:
    """The members of one round: a setting, their masks, and stacks of the tool's size."""

    setting: Setting
    masks: Sequence[Masks]
    jobs: Sequence[Job]

    @classmethod
    def of(cls, setting: Setting, number: int, members: int = MEMBERS) -> Pruned:
        """Prune the initial weights of so many replicates round by round."""
        rows = torch.stack([setting.initial(replicate) for replicate in range(members)])
        masks = [_masks(setting, row, number) for row in rows]
        whole = torch.stack([_as_row(setting, one) for one in masks])
        seeds = [order_seed(setting.model, setting.config.seed, replicate, number) for replicate in range(members)]
        size, problem = stack_size(setting.model, setting.recipe), problem_of(setting.task)
        jobs = []
        for first in range(0, members, size):
            part = slice(first, first + size)
            mask = whole[part] if number else None
            jobs.append(Job(setting.model, problem, setting.recipe, rows[part] * whole[part], mask, seeds[part]))
        return cls(setting, masks, jobs)

    @property
    def density(self) -> float:
        """Surviving share of the prunable weights."""
        return sum(int(mask.sum()) for mask in self.masks[0]) / sum(mask.numel() for mask in self.masks[0])

    def engine_ms(self, steps: int) -> float:
        """Milliseconds per network step of all stacks, one after another."""
        times = [engine_step_s(job, self.setting.data, steps) for job in self.jobs]
        return 1e3 * sum(times) / len(self.masks)

    def plain_ms(self, number: int, steps: int, fused: bool) -> float:
        """Milliseconds per step of the plain loop."""
        network = plain_network(self.setting.model, self.setting.initial(0))
        apply_masks(weights(network), self.masks[0])
        masks = self.masks[0] if number else []
        return 1e3 * plain_train(self.setting, network, self.setting.order(0, number), steps, masks, fused) / steps


def round_settings(folder: Path, **flags: Any) -> dict[str, Setting]:
    """Return the networks by what their inputs are."""
    border, dense = (write_images(folder / name, border=width) for name, width in (("border", BORDER), ("dense", 0)))
    common = {"hidden": "300,100", "batch_size": 60, "rounds": max(ROUNDS), "device": "cpu", **flags}
    return {
        "64": Setting.of(**common),
        "784, border": Setting.of(task=f"npz:{border}", **common),
        "784": Setting.of(task=f"npz:{dense}", **common),
        "64, by units": Setting.of(granularity="unit", **common),
    }


def measure_rounds(scale: Scale) -> list[RoundTimes]:
    """Time in turns, in one thread on one core: of every round the plain loop and the engine."""
    with TemporaryDirectory() as folder, threads(1), one_core():
        settings = round_settings(Path(folder), steps=f"{10**6}it")
        return [one for inputs, setting in settings.items() for one in _network(inputs, setting, scale)]


def _network(inputs: str, setting: Setting, scale: Scale) -> list[RoundTimes]:
    rounds = {number: Pruned.of(setting, number) for number in ROUNDS}
    steps = max(5, scale.net_steps // MEMBERS)
    turns: dict[int, list[tuple[float, float, float]]] = {number: [] for number in ROUNDS}
    for _ in range(scale.repeats):
        for number, pruned in rounds.items():
            plain, default = (pruned.plain_ms(number, 2 * steps, fused) for fused in (True, False))
            turns[number].append((plain, default, pruned.engine_ms(steps)))
    spreads = {number: [Spread.of(values) for values in zip(*three, strict=True)] for number, three in turns.items()}
    return [
        RoundTimes(
            inputs=inputs,
            network=setting.model.name,
            round=number,
            density=rounds[number].density,
            engine_ms=engine,
            plain_ms=plain,
            default_ms=default,
            ratio=Ratio.of(plain, engine),
            default_ratio=Ratio.of(default, engine),
            dense_ratio=Ratio.of(spreads[0][-1], engine),
        )
        for number, (plain, default, engine) in spreads.items()
    ]


def _masks(setting: Setting, row: Tensor, rounds: int) -> Masks:
    scores = [weight.detach().abs() for weight in weights(plain_network(setting.model, row))]
    masks = [torch.ones_like(score) for score in scores]
    for _ in range(rounds):
        by_units = setting.plan.granularity == "unit"
        masks = _unit_masks(setting, masks, scores) if by_units else plain_masks(setting.plan, masks, scores)
    return masks


def _unit_masks(setting: Setting, masks: Masks, scores: Masks) -> Masks:
    """Remove the lowest-scored units, as the tool does."""
    model, names = setting.model, setting.model.prunable
    left = {name: mask.bool().numpy() for name, mask in zip(names, masks, strict=True)}
    sizes = {name: (score * mask).numpy() for name, score, mask in zip(names, scores, masks, strict=True)}
    pruned = prune(setting.plan, model, left, SIZES["unit"](model, sizes))
    return [torch.from_numpy(mask).float() for mask in pruned.values()]


def _as_row(setting: Setting, masks: Masks) -> Tensor:
    """Masks as a row `(parameters,)`; biases survive."""
    named = dict(zip(setting.model.prunable, masks, strict=True))
    parts = [named.get(name, torch.ones(shape)) for name, shape in setting.model.shapes.items()]
    return torch.cat([part.flatten() for part in parts]).bool()
