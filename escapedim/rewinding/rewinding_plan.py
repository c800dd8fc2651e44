"""The plan of a rewind run: its modes, complements and copies as treatments, the same training once only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escapedim.errors import BadInput
from escapedim.rewinding.config import RewindConfig
from escapedim.rewinding.mode_names import DENSE_ORDERS, END, FRESH, ORDERS, SCALES, SUBNETWORKS, TICKET_AND_DENSE
from escapedim.rewinding.treatments import Treatment
from escapedim.training.points import rewind_step
from escapedim.training.recipe import Recipe
from escapedim.training.schedules import make_schedule

Pair = tuple[Treatment, Treatment]


@dataclass(frozen=True)
class Mode:
    """A retraining mode at one rewind point: what it is called, and its place in the cube."""

    name: str
    to: int
    treatment: Treatment


@dataclass(frozen=True)
class RewindingPlan:
    """What is trained at every round: modes, complements by subnetwork and draw, and pairs for lines."""

    modes: tuple[Mode, ...]
    complements: Mapping[str, Mapping[str, tuple[Treatment, ...]]]
    copies: Mapping[int, Mapping[str, Pair]]

    @property
    def treatments(self) -> list[Treatment]:
        """All of them, each once."""
        made = [mode.treatment for mode in self.modes]
        made += [one for kinds in self.complements.values() for draws in kinds.values() for one in draws]
        made += [one.alone for kinds in self.complements.values() for draws in kinds.values() for one in draws]
        made += [one for pairs in self.copies.values() for pair in pairs.values() for one in pair]
        return list(dict.fromkeys(made))


def make_plan(config: RewindConfig, recipe: Recipe, arms: Sequence[str]) -> RewindingPlan:
    """Resolve modes, complements and copies to treatments; `arms` are those whose masks the prune run has.

    Raises
    ------
    BadInput
        A point at or after the end of the run, or an arm that the run has not.
    """
    to = [rewind_step(point, recipe) for point in config.to]
    if "shuffle" in config.retrain and "shuffle" not in arms:
        raise BadInput(
            "retrain shuffle needs the shuffled masks of the prune run, which has the arms "
            f"{', '.join(arms)}; leave it out, or repeat prune with --arms ticket,shuffle."
        )
    modes = [Mode(name, step, _retrained(name, step, recipe)) for step in dict.fromkeys(to) for name in config.retrain]
    modes += _cube(config, to, recipe)
    return RewindingPlan(
        modes=tuple(modes),
        complements={name: _complement(name, to[0], config.draws, arms) for name in config.complement},
        copies={step: _copies(step, recipe) for step in dict.fromkeys(to)} if config.instability else {},
    )


def _retrained(name: str, step: int, recipe: Recipe) -> Treatment:
    if name in ("weights", "shuffle"):
        return Treatment("ticket" if name == "weights" else name, step, step)
    if name == "reinit":
        return Treatment("reinit", FRESH, step)
    return Treatment("ticket", END, step, at_last_rate=name == "finetune" and _rate_changes(step, recipe))


def _rate_changes(step: int, recipe: Recipe) -> bool:
    """Say whether staying at the last rate is another training than following the schedule from a step on."""
    schedule = make_schedule(recipe.schedule, recipe.steps, recipe.steps_per_epoch)
    last = schedule(recipe.steps - 1)
    return any(schedule(at) != last for at in range(step, recipe.steps))


def _cube(config: RewindConfig, to: Sequence[int], recipe: Recipe) -> list[Mode]:
    """Return the modes of `weights_from` × `schedule_from`; at the last rate they take as many steps as after `to`."""
    made = []
    for origin in config.weights_from:
        weights = origin if origin in (END, FRESH) else rewind_step(origin, recipe)
        subnetwork = "reinit" if weights == FRESH else "ticket"
        for clock in config.schedule_from:
            for step in dict.fromkeys(to) if clock == END else [rewind_step(clock, recipe)]:
                late = clock == END and _rate_changes(step, recipe)
                made.append(Mode(f"{origin} at {clock}", step, Treatment(subnetwork, weights, step, at_last_rate=late)))
    return made


def _complement(name: str, step: int, draws: int, arms: Sequence[str]) -> dict[str, tuple[Treatment, ...]]:
    kinds = [kind for kind in SUBNETWORKS if kind != "random" or kind in arms]
    return {kind: tuple(_around(name, kind, step, draw) for draw in range(_draws(name, draws))) for kind in kinds}


def _draws(name: str, draws: int) -> int:
    return draws if name in SCALES else 1


def _around(name: str, kind: str, step: int, draw: int) -> Treatment:
    weights = FRESH if kind == "reinit" else step
    if name in SCALES:
        return Treatment(kind, weights, step, rest="redraw", draw=draw, scale=SCALES[name])
    if name == "original":
        return Treatment(kind, weights, step, rest="original")
    return Treatment(kind, weights, step, rest="frozen" if name == "frozen" else "masked")


def _copies(step: int, recipe: Recipe) -> dict[str, Pair]:
    """Return pairs by what is between them: full batches have no order in which copies could differ."""
    ticket, dense = Treatment("ticket", step, step), Treatment("dense", step, step)
    if recipe.batch_size == recipe.samples:
        return {TICKET_AND_DENSE: (ticket, dense)}
    return {
        ORDERS: (ticket, Treatment("ticket", step, step, second_order=True)),
        DENSE_ORDERS: (dense, Treatment("dense", step, step, second_order=True)),
        TICKET_AND_DENSE: (ticket, dense),
    }
