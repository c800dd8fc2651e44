"""The works of `escapedim rewind`: networks of one round that start at one step, trained as one stack.

A work measures its networks whole and with the complement cut away, how far subnetworks ended from where they end in
isolation, and the barriers between those that differ in one thing. What was really trained is held against what was
asked for, as in `pruning.invariants`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from escapedim.models.network import Network
from escapedim.pruning.invariants import same_bits
from escapedim.rewinding.alignment import aligned
from escapedim.rewinding.barriers import barriers
from escapedim.rewinding.invariants import AsTrained, check
from escapedim.rewinding.rewinding_plan import Pair
from escapedim.rewinding.source import Left
from escapedim.rewinding.treatments import Begun, PrunedRound, Treatment
from escapedim.specs import Spec
from escapedim.training.initial import initial_row, order_seed
from escapedim.training.job import Job, State
from escapedim.training.metrics import measure
from escapedim.training.problems import problem_of
from escapedim.training.recipe import Recipe
from escapedim.training.schedules import make_schedule
from escapedim.training.stretch import train
from escapedim.training.work import Arrays, Context, Metrics, Outcome


@dataclass(frozen=True)
class RewindWork:
    """Treatments of one round, all from the same step and with the same clock, of some replicates.

    `pairs` are treatments between which the barrier is measured, `replays` by replicate the key of the work that has
    weights of round 0 at other steps than those that were kept.
    """

    round: PrunedRound
    recipe: Recipe
    left: tuple[Left, ...]
    treatments: tuple[Treatment, ...]
    pairs: tuple[Pair, ...] = ()
    replays: Mapping[int, str] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Step from which all of them go on."""
        return self.treatments[0].start

    @property
    def replicates(self) -> tuple[int, ...]:
        """Replicates of the prune run."""
        return tuple(left.replicate for left in self.left)

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        clock = "-last-rate" if self.treatments[0].at_last_rate else ""
        first, last = self.replicates[0], self.replicates[-1]
        return f"round-{self.round.number:03d}-replicates-{first:04d}-{last:04d}-step-{self.start:09d}{clock}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The replays of round 0, where there are any."""
        return tuple(dict.fromkeys(self.replays.values()))

    @property
    def planned_steps(self) -> int:
        """Network steps."""
        return len(self.trained) * (self.recipe.steps - self.start)

    @cached_property
    def members(self) -> list[tuple[int, Treatment]]:
        """Index of the replicate, and treatment, of each network."""
        return [(at, treatment) for at in range(len(self.left)) for treatment in self.treatments]

    @cached_property
    def trained(self) -> list[tuple[int, Treatment]]:
        """What is trained: members that are the same training once."""
        return list(dict.fromkeys((at, treatment.training) for at, treatment in self.members))

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the networks; keep their ends `(networks, parameters)`, in the order of `members`."""
        points = self._points(earlier)
        job = self._job(context, points)
        return train(job, context, paused, lambda state: self._ended(job, context, points, state))

    def _ended(self, job: Job, context: Context, points: Sequence[Mapping[int, np.ndarray]], state: State) -> Outcome:
        cost, places = job.cost(state), {one: place for place, one in enumerate(self.trained)}
        chosen = [places[at, treatment.training] for at, treatment in self.members]
        state, orders = state.at(chosen), [job.order_seeds[place] for place in chosen]
        begun = [self.round.begin(self.left[at], points[at], treatment) for at, treatment in self.members]
        cut = torch.from_numpy(np.stack([one.subnetwork for one in begun])).to(context.device)
        alone = replace(state, params=torch.where(cut, state.params, 0))
        started, ended = state.kept[job.start].numpy(), state.params.cpu().numpy()
        metrics: Metrics = {
            "whole": measure(job, context.task, context.data, state),
            "alone": measure(job, context.task, context.data, alone),
            "apart": self._apart(begun, ended),
            "invariants": self._invariants(points, orders, begun, started, ended),
            "lines": self._lines(context, state),
            **cost,
        }
        return Outcome({"params": ended}, metrics)

    def _points(self, earlier: Mapping[str, Arrays]) -> list[dict[int, np.ndarray]]:
        """Return weights of round 0 by step, of each replicate."""
        return [{**self._replayed(left.replicate, earlier), **left.points} for left in self.left]

    def _replayed(self, replicate: int, earlier: Mapping[str, Arrays]) -> dict[int, np.ndarray]:
        if replicate not in self.replays:
            return {}
        arrays = earlier[self.replays[replicate]]
        at = arrays["replicates"].tolist().index(replicate)
        return {int(name.removeprefix("step")): rows[at] for name, rows in arrays.items() if name != "replicates"}

    def _job(self, context: Context, points: Sequence[Mapping[int, np.ndarray]]) -> Job:
        begun = [self.round.begin(self.left[at], points[at], treatment) for at, treatment in self.trained]

        def stacked(rows: Sequence[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(rows)).to(context.device)

        there, frozen = stacked([one.there for one in begun]), stacked([one.frozen for one in begun])
        return Job(
            model=self.round.model,
            problem=problem_of(context.task),
            recipe=at_last_rate(self.recipe) if self.treatments[0].at_last_rate else self.recipe,
            params=stacked([one.row for one in begun]),
            mask=there,
            order_seeds=[self.round.order(self.left[at].replicate, treatment) for at, treatment in self.trained],
            start=self.start,
            frozen=frozen if bool(frozen.any()) else None,
        )

    def _apart(self, begun: Sequence[Begun], ended: np.ndarray) -> list[dict[str, float | None]]:
        """Return how far each subnetwork ended from where it ends in isolation; None where that was not trained."""
        places = {pair: index for index, pair in enumerate(self.members)}
        prunable, found = self.round.prunable(), list[dict[str, float | None]]()
        for index, (at, treatment) in enumerate(self.members):
            isolated = places.get((at, treatment.alone))
            inside = begun[index].subnetwork & prunable
            found.append(
                {"cosine": None, "distance": None}
                if isolated is None
                else apart(ended[index][inside], ended[isolated][inside])
            )
        return found

    def _invariants(
        self,
        points: Sequence[Mapping[int, np.ndarray]],
        orders: Sequence[int],
        begun: Sequence[Begun],
        started: np.ndarray,
        ended: np.ndarray,
    ) -> list[dict[str, bool]]:
        made = [
            AsTrained(
                left=self.left[at],
                points=points[at],
                treatment=treatment,
                there=one.there,
                started=first,
                ended=last,
                order=order,
                own_order=order_seed(self.round.model, self.round.root, self.left[at].replicate, self.round.number),
            )
            for (at, treatment), one, first, last, order in zip(
                self.members, begun, started, ended, orders, strict=True
            )
        ]
        return check(made, self.round.prunable())

    def _lines(self, context: Context, state: State) -> list[dict[str, Any]]:
        places = {pair: index for index, pair in enumerate(self.members)}
        ends = [
            [state.params[[places[at, pair[side]] for at in range(len(self.left))]] for side in (0, 1)]
            for pair in self.pairs
        ]
        return [line(self.round.model, context, *sides) for sides in ends]


def line(model: Network, context: Context, first: Tensor, second: Tensor) -> dict[str, Any]:
    """Return errors and barriers between rows `(pairs, parameters)`, before and after alignment, as strict JSON."""
    x = context.data.train.x if len(context.task.train) else first.new_zeros(0, model.inputs)
    found = barriers(model, context.task, context.data, first, second)
    permuted = torch.stack([aligned(model, one, other, x) for one, other in zip(first, second, strict=True)])
    again = barriers(model, context.task, context.data, first, permuted)
    return {"errors": _json(found.errors), "barriers": _json(found.barriers), "aligned": _json(again.barriers)}


def _json(values: np.ndarray) -> Any:
    if values.ndim > 1:
        return [_json(row) for row in values]
    return [value if math.isfinite(value) else None for value in values.tolist()]


def at_last_rate(recipe: Recipe) -> Recipe:
    """Return the recipe at the learning rate of its last step."""
    schedule = make_schedule(recipe.schedule, recipe.steps, recipe.steps_per_epoch)
    return replace(recipe, lr=recipe.lr * schedule(recipe.steps - 1), schedule=Spec("constant", {}))


def apart(one: np.ndarray, other: np.ndarray) -> dict[str, float | None]:
    """Return the cosine between two vectors, and their distance over the norm of the other."""
    left, right = one.astype(np.float64), other.astype(np.float64)
    norms = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    if not all(norms) or not all(map(math.isfinite, norms)):
        return {"cosine": None, "distance": None}
    return {
        "cosine": max(-1.0, min(1.0, float(left @ right) / math.prod(norms))),
        "distance": float(np.linalg.norm(left - right)) / norms[1],
    }


@dataclass(frozen=True)
class ReplayWork:
    """Round 0 of some replicates once more, to keep weights at steps at which the prune run kept none."""

    model: Network
    recipe: Recipe
    seed: int
    keep: tuple[int, ...]
    left: tuple[Left, ...]

    @property
    def replicates(self) -> tuple[int, ...]:
        """Replicates of the prune run."""
        return tuple(left.replicate for left in self.left)

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return f"replay-replicates-{self.left[0].replicate:04d}-{self.left[-1].replicate:04d}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def planned_steps(self) -> int:
        """Network steps."""
        return len(self.left) * self.recipe.steps

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the dense networks as they were trained; say whether every point that was kept is met to the bit."""
        known = tuple(step for step in self.left[0].points)
        rows = [initial_row(self.model, self.recipe.dtype, self.seed, left.replicate) for left in self.left]
        job = Job(
            model=self.model,
            problem=problem_of(context.task),
            recipe=self.recipe,
            params=torch.stack(rows).to(context.device),
            mask=None,
            order_seeds=[order_seed(self.model, self.seed, left.replicate, 0) for left in self.left],
            keep=tuple(sorted({*self.keep, *known})),
        )
        return train(job, context, paused, lambda state: self._ended(job, known, state))

    def _ended(self, job: Job, known: Sequence[int], state: State) -> Outcome:
        exact = [
            all(same_bits(state.kept[step][at].numpy(), left.points[step]) for step in known)
            for at, left in enumerate(self.left)
        ]
        arrays = {f"step{step}": state.kept[step].numpy() for step in self.keep}
        arrays["replicates"] = np.array(self.replicates)
        return Outcome(arrays, {"replay_exact": exact, **job.cost(state)})


@dataclass(frozen=True)
class LinesWork:
    """Lines between the ends of successive rounds of one replicate `(rounds, parameters)`; nothing is trained."""

    model: Network
    replicate: int
    ends: np.ndarray

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return f"rounds-replicate-{self.replicate:04d}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def planned_steps(self) -> int:
        """None."""
        return 0

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Measure the lines from each round to the next."""
        ends = torch.from_numpy(self.ends).to(context.device)
        return Outcome({}, {"line": line(self.model, context, ends[:-1], ends[1:]), "net_steps": 0, "planned_steps": 0})
