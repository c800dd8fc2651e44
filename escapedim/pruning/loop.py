"""Iterative magnitude pruning with weight rewinding (Frankle & Carbin 2019; Frankle et al. 2020).

Train to the end; remove the lowest-scored fraction of what is left; rewind the survivors to what they were at step k;
repeat. One `RoundUnit` is one such cycle of one replicate with all its arms, which are trained as one stack and share
their data order. Round 0 is the dense network; it keeps the weights that later rounds rewind to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.pruning import invariants
from escapedim.pruning.arms import Draws, Start, next_masks, starts
from escapedim.pruning.masks import Masks, full_masks, living_units
from escapedim.pruning.plan import Plan, expected_counts
from escapedim.pruning.scores import Weights
from escapedim.training.descent import descend
from escapedim.training.gradients import make_gradient
from escapedim.training.initial import fresh_row, initial_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.metrics import measure
from escapedim.training.recipe import Recipe
from escapedim.training.seeds import derive_seed
from escapedim.training.units import Arrays, Context, Outcome


@dataclass(frozen=True)
class RoundUnit:
    """One round of one replicate: prune, rewind, train, and say what came of it."""

    plan: Plan
    model: MLP
    recipe: Recipe
    keep: tuple[int, ...]
    seed: int
    replicate: int
    round: int

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return round_key(self.round, self.replicate)

    @property
    def needs(self) -> tuple[str, ...]:
        """Round 0, for the weights to rewind to, and the round before."""
        earlier = sorted({0, self.round - 1}) if self.round else []
        return tuple(round_key(number, self.replicate) for number in earlier)

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """One cycle; `earlier` are the arrays of `needs`."""
        past = _Past(self, earlier) if self.round else None
        arms = self._prune_and_rewind(context, past) if past else self._dense()
        job = self._job(context, arms)
        state = State.from_arrays(paused, context.device) if paused else job.begin()
        state = descend(job, context.data, state, context.tick)
        if state.step < self.recipe.steps:
            return Outcome(state.arrays(), None)
        return Outcome(self._kept_arrays(arms, state), self._metrics(context, arms, past, job, state))

    def _dense(self) -> dict[str, Start]:
        row = initial_row(self.model, self.recipe.dtype, self.seed, self.replicate)
        return {"dense": Start(row.numpy(), full_masks(self.prunable_shapes))}

    def _prune_and_rewind(self, context: Context, past: _Past) -> dict[str, Start]:
        masks = next_masks(self.plan, past.masks, past.weights(context), self._draws())
        return starts(masks, past.rewound, self._draws())

    def _job(self, context: Context, arms: Mapping[str, Start]) -> Job:
        layout = Layout(self.model.shapes)
        rows = np.stack([arm.row for arm in arms.values()])
        mask = np.stack([layout.pack(arm.masks, True, np.dtype(bool)) for arm in arms.values()])
        return Job(
            model=self.model,
            loss=context.task.loss,
            recipe=self.recipe,
            params=torch.from_numpy(rows).to(context.device),
            mask=torch.from_numpy(mask).to(context.device) if self.round else None,
            order_seeds=[order_seed(self.model, self.seed, self.replicate, self.round)] * len(arms),
            start=self.plan.rewind_step if self.round else 0,
            keep=() if self.round else self.keep,
        )

    def _metrics(
        self, context: Context, arms: Mapping[str, Start], past: _Past | None, job: Job, state: State
    ) -> dict[str, Any]:
        lead = next(iter(arms))  # the ticket, or in round 0 the dense network
        masks, layout = arms[lead].masks, Layout(self.model.shapes)
        trained = invariants.Trained(
            rewound=self.prunable(past.rewound if past else state.kept[0][0].numpy()),
            started=self.prunable(state.kept[job.start][0].numpy()),
            ended=self.prunable(state.params[0].cpu().numpy()),
            masks=masks,
            last_masks=past.masks["ticket"] if past else masks,
        )
        expected = expected_counts(self.plan, self.prunable_shapes)[self.round]
        return {
            "arms": dict(zip(arms, measure(job, context.task, context.data, state), strict=True)),
            "invariants": invariants.check(self.plan, trained, expected),
            "surviving": {name: int(mask.sum()) for name, mask in masks.items()},
            "units_alive": {name: int(alive.sum()) for name, alive in living_units(masks).items()},
            "parameters": layout.size,
            "net_steps": (self.recipe.steps - job.start) * len(arms),
        }

    def _kept_arrays(self, arms: Mapping[str, Start], state: State) -> Arrays:
        """The lead arm's end and kept points, and the masks of all arms that have their own."""
        lead = next(iter(arms))
        points = {f"step{step}": rows[0].numpy() for step, rows in state.kept.items() if self.round == 0}
        rows = {**points, f"{lead}.end": state.params[0].cpu().numpy()}
        layout = Layout(self.model.shapes)
        named = {
            f"{prefix}.{name}": values for prefix, row in rows.items() for name, values in layout.split(row).items()
        }
        masks = {
            f"{arm}.mask.{name}": mask
            for arm, start in arms.items()
            if arm not in {"dense", "reinit"}
            for name, mask in start.masks.items()
        }
        return named | masks

    @property
    def prunable_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the prunable layers."""
        return {name: self.model.shapes[name] for name in self.model.prunable}

    def prunable(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """Prunable layers of a row of parameters, as views."""
        layers = Layout(self.model.shapes).split(row)
        return {name: layers[name] for name in self.model.prunable}

    def _seed(self, purpose: str, *more: int | str) -> int:
        return derive_seed(self.seed, purpose, self.model.name, self.replicate, *more)

    def _draws(self) -> Draws:
        def fresh() -> np.ndarray:
            return fresh_row(self.model, self.recipe.dtype, self.seed, self.replicate, self.round).numpy()

        return Draws(fresh, lambda purpose: np.random.default_rng(self._seed(purpose, self.round)))


class _Past:
    """What the rounds before have left to a round: the masks, the rewound weights, and the weights to score."""

    def __init__(self, unit: RoundUnit, earlier: Mapping[str, Arrays]) -> None:
        self._unit = unit
        dense, last = earlier[unit.needs[0]], earlier[unit.needs[-1]]  # in round 1 they are the same
        lead = "dense" if unit.round == 1 else "ticket"
        self.masks: dict[str, Masks] = {
            arm: self._masks(last, arm) for arm in ("ticket", *{"random"}.intersection(unit.plan.arms))
        }
        self.rewound = self._row(dense, f"step{unit.plan.rewind_step}")
        self._initial = self._row(dense, "step0")
        self._final = self._row(last, f"{lead}.end")

    def weights(self, context: Context) -> Weights:
        """Weights that criteria score, 0 where the last ticket's masks are."""
        masks = self.masks["ticket"]
        initial, final = (
            {name: values * masks[name] for name, values in self._unit.prunable(row).items()}
            for row in (self._initial, self._final)
        )
        return Weights(initial, final, lambda: self._gradient(context))

    def _masks(self, last: Arrays, arm: str) -> Masks:
        if self._unit.round == 1:
            return full_masks(self._unit.prunable_shapes)
        return {name: last[f"{arm}.mask.{name}"] for name in self._unit.model.prunable}

    def _row(self, arrays: Arrays, prefix: str) -> np.ndarray:
        shapes = self._unit.model.shapes
        named = {name: arrays[f"{prefix}.{name}"] for name in shapes}
        return Layout(shapes).pack(named, 0, np.dtype(self._unit.recipe.dtype))

    def _gradient(self, context: Context) -> dict[str, np.ndarray]:
        """Loss gradient on the whole training part at the masked initial weights."""
        unit, layout = self._unit, Layout(self._unit.model.shapes)
        row = self._initial * layout.pack(self.masks["ticket"], True, np.dtype(bool))
        flat = torch.from_numpy(row)[None].to(context.device)
        train, out = context.data.train, torch.empty_like(flat)
        make_gradient(unit.model, context.task.loss, train.weights)(flat, train.x, train.targets, out)
        return unit.prunable(out[0].cpu().numpy())


def round_key(number: int, replicate: int) -> str:
    """Name of the checkpoint of one round of one replicate."""
    return f"round-{number:03d}-replicate-{replicate:04d}"
