"""A bad minimum and the way out of it, as numbers to draw: the loss along an old direction and along an added one.

The preprint's figure (Martinelli, Brea, Gerstner 2026, doi 10.5075/epfl.20.500.14299/263577) shows a point that is a
minimum along the directions of a narrow network, and a maximum along one that width adds. Here both are measured, at
the first certified bad minimum of a width whose split network went on to a global minimum:

- the old direction is the eigenvector of the narrow network's least curvature (flat ones that a symmetry explains left
  out), carried into the wide network by the split, along which the loss is that of the narrow network;
- the added direction is the eigenvector of the wide network's most negative curvature;
- the path is that of the network that was split, perturbed and trained on, again step by step; its shadow in the plane
  of the two directions is drawn at its own loss, which is below that of the plane where the path has left it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from escapedim.landscape.spectrum import MOST_PARAMETERS, eigenvectors, flat_basis, lift
from escapedim.landscape.surface import Surface
from escapedim.landscape.vocabulary import Ending
from escapedim.records.experiments import Escape, Portrait
from escapedim.training.certification import make_surface
from escapedim.training.job import Job, State
from escapedim.training.stretch import train
from escapedim.training.work import Arrays, Context, Metrics, Outcome
from escapedim.widening.escape import WIDENED, EscapePlan, Widened
from escapedim.widening.findings import WidenMetrics
from escapedim.widening.sources import sources
from escapedim.widening.stack import ENDINGS, Earlier, StackWork, Starts

POINTS = 41  # of each direction: smooth in a figure, and a few kilobytes in a summary; ours
BEYOND = 1.25  # how far the plane goes on beyond the path; ours
GROWTH = 1.15  # of the steps at which the path is looked at: about a hundred points for a run of any length; ours
DIGITS = 6  # of each number in a summary: the picture is drawn with three; ours


@dataclass(frozen=True)
class _Source:
    """The bad minimum that is drawn: its replicate, its row, and the surfaces around it and around its split."""

    replicate: int
    row: Tensor
    narrow: Surface
    wide: Surface


@dataclass(frozen=True)
class PortraitWork:
    """Trains the first widened member that escaped from a certified bad minimum again, and looks around it.

    `stack` is the stack of widened members that it is one of: that tells whether there is such a member.
    """

    stack: StackWork
    widened: Widened

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return self.stack.key.replace(f"-{WIDENED}-", "-portrait-")

    @property
    def needs(self) -> tuple[str, ...]:
        """Members to choose from, and how those that were widened ended."""
        return (*self.stack.needs, self.stack.key)

    @property
    def planned_steps(self) -> int:
        """Network steps at most."""
        return self.stack.setting.recipe.steps

    def __call__(self, context: Context, earlier: Earlier, paused: Arrays | None) -> Outcome:
        """Retrace the path, and measure the loss in the plane."""
        setting, narrow = self.stack.setting, self.widened.narrow
        task = setting.judged(context.task)
        here, wide = make_surface(narrow.model, task), make_surface(setting.model, task)
        chosen = self.widened.choice(narrow.model, earlier)
        found = sources(narrow.model, chosen, task)
        at = _first_escape(found.classes, earlier[self.stack.key].get("ending"))
        if at is None or isinstance(here, str) or isinstance(wide, str):
            context.tick(self.planned_steps)
            return Outcome({}, self._metrics(None, 0))
        starts = self.widened(setting, task, earlier)
        alone = Starts(starts.rows[at : at + 1], starts.order_seeds[at : at + 1])
        job = setting.job(context, alone, setting.recipe.lr, keep=_steps(setting.recipe.steps))
        source = _Source(chosen.replicates[at], found.rows[at], here, wide)
        return train(job, context, paused, lambda state: self._ended(job, source, state))

    def _ended(self, job: Job, source: _Source, state: State) -> Outcome:
        old, curvature = _least_curved(source.narrow, source.row)
        # The split is linear in the weights, so that it carries directions as it carries points.
        centre, carried = self.widened.embedded(torch.stack([source.row, old]), [source.replicate] * 2).flat
        plane = _Plane.through(source.wide, centre, carried, _least_curved(source.wide, centre))
        ended = int(state.steps()[0])
        steps = [step for step in sorted(state.kept) if step < ended]
        path = torch.cat([*(state.kept[step] for step in steps), state.params.cpu()]).to(torch.float64)
        portrait = plane.portrait(source.replicate, curvature, [*steps, ended], path)
        return Outcome({}, self._metrics(portrait, job.cost(state)["net_steps"]))

    def _metrics(self, portrait: Portrait | None, net_steps: int) -> Metrics:
        told = None if portrait is None else portrait.model_dump(mode="json")
        return {"portrait": told, "net_steps": net_steps, "planned_steps": self.planned_steps}


def portrait_work(plan: EscapePlan) -> tuple[PortraitWork, ...]:
    """Return the work of a plan's portrait: of the first stack of splits, where endings can be certified."""
    stacks = [stack for stack in plan.arms[WIDENED] if isinstance(stack.begin, Widened)]
    if plan.embedding.spec.name != "split" or not stacks or plan.wide.model.size > MOST_PARAMETERS:
        return ()
    widened = stacks[0].begin
    assert isinstance(widened, Widened)
    return (PortraitWork(stacks[0], widened),)


def described(plan: EscapePlan, found: WidenMetrics) -> list[Escape]:
    """Return the plan's entries, that of bad minima with its portrait once it is finished."""
    metrics = [found.metrics[work.key] for work in portrait_work(plan) if work.key in found.metrics]
    portraits = [Portrait.model_validate(one["portrait"]) for one in metrics if one["portrait"] is not None]
    return [
        entry.model_copy(update={"portrait": portraits[0]})
        if portraits and entry.source_ending == Ending.BAD_MINIMUM.value
        else entry
        for entry in plan.describe(found)
    ]


def _first_escape(classes: list[str], endings: np.ndarray | None) -> int | None:
    """Return which source is a bad minimum of which the widened member ended in a global one; None if none."""
    if endings is None:
        return None
    global_minimum = ENDINGS.index(Ending.GLOBAL_MINIMUM)
    places = (
        n
        for n, (name, ending) in enumerate(zip(classes, endings, strict=True))
        if name == Ending.BAD_MINIMUM.value and ending == global_minimum
    )
    return next(places, None)


def _steps(total: int) -> tuple[int, ...]:
    """Return steps from 0 on that grow by a factor."""
    found, step = [0], 1.0
    while step < total:
        found.append(round(step))
        step *= GROWTH
    return tuple(dict.fromkeys([*found, total]))


def _least_curved(surface: Surface, flat: Tensor) -> tuple[Tensor, float]:
    """Return the direction of the least curvature at a point `(parameters,)`, off the flat ones, and the curvature."""
    row = flat.unsqueeze(0)
    basis, _ = flat_basis(surface.symmetries(row))
    values, vectors = eigenvectors(lift(surface.hessian(row), basis))
    return vectors[0, :, 0], float(values[0, 0])


@dataclass(frozen=True)
class _Plane:
    """The plane through a point `(parameters,)` along two directions of length 1, at right angles."""

    loss: Callable[[Tensor], Tensor]
    centre: Tensor
    old: Tensor
    added: Tensor
    curvature: float

    @classmethod
    def through(cls, surface: Surface, centre: Tensor, old: Tensor, steepest: tuple[Tensor, float]) -> _Plane:
        first, (direction, curvature) = old / old.norm(), steepest
        second = direction - (direction @ first) * first  # at a split of equal shares nothing is taken away
        return cls(surface.loss, centre, first, second / second.norm(), curvature)

    def portrait(self, replicate: int, curvature: float, steps: list[int], path: Tensor) -> Portrait:
        """Measure the loss around the centre, as far as the path goes, and along the path `(steps, parameters)`."""
        away = path - self.centre
        along = away @ self.added
        turned = self if along[-1] >= 0 else _Plane(self.loss, self.centre, self.old, -self.added, self.curvature)
        reach = BEYOND * float(along.abs().max())
        width = turned.alike(reach, float(self.loss(path[-1:])[0]))
        even = torch.arange(-(POINTS // 2), POINTS // 2 + 1).to(path) / (POINTS // 2)  # 0 is among them
        old, added = width * even, reach * even
        return Portrait(
            replicate=replicate,
            old_curvature=_rounded(curvature),
            added_curvature=_rounded(self.curvature),
            old=_listed(old),
            added=_listed(added),
            loss=[_listed(turned.losses(old, at.expand_as(old))) for at in added],
            path_step=steps,
            path_old=_listed(away @ self.old),
            path_added=_listed(away @ turned.added),
            path_loss=_listed(self.loss(path)),
        )

    def losses(self, old: Tensor, added: Tensor) -> Tensor:
        """Return the loss at points of the plane, by their two coordinates."""
        return self.loss(self.centre + old.unsqueeze(1) * self.old + added.unsqueeze(1) * self.added)

    def alike(self, reach: float, end: float) -> float:
        """Return how far to go along the old direction: until the loss has risen as much as the path falls to `end`.

        No further than along the added one, so that both are drawn to one scale where the valley is wide.
        """
        lengths = torch.linspace(0, reach, 201, dtype=self.centre.dtype)
        losses = self.losses(lengths, torch.zeros_like(lengths))
        risen = (losses - losses[0] >= losses[0] - end).nonzero()
        return float(lengths[risen[0, 0]]) if len(risen) else reach


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _listed(values: Tensor) -> list[float]:
    return [_rounded(value) for value in values.tolist()]
