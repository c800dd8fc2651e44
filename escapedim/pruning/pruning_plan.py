"""What a prune run removes, in whole numbers, before anything is trained.

With s survivors in scope and the fraction f, a round removes round(f · s), half to even as Python rounds. In layer
scope the last survivor of a layer is never removed. These counts are computed from shapes alone, so that the masks of a
run can be held against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Scope = Literal["layer", "global"]
Granularity = Literal["weight", "unit"]
CONTROLS = ("reinit", "shuffle", "random")
ARMS = ("ticket", *CONTROLS)
CRITERIA = ("magnitude", "random", "movement", "magnitude-increase", "magnitude-init", "snip")


@dataclass(frozen=True)
class PruningPlan:
    """A resolved prune experiment.

    `fractions` has one entry a prunable layer; in global scope and for units the first one holds for all. With
    `density` there is one round, which leaves round(density · weights) in scope.
    """

    rounds: int
    fractions: Mapping[str, float]
    density: float | None
    scope: Scope
    granularity: Granularity
    criterion: str
    arms: tuple[str, ...]
    rewind_step: int


def survivors_after(count: int, fraction: float) -> int:
    """Return how many of `count` a round leaves."""
    return count - round(fraction * count)


def left_in_layer(plan: PruningPlan, name: str, surviving: int, total: int) -> int:
    """Return how many weights or units of one layer a round leaves in layer scope: at least one."""
    if plan.density is not None:
        return max(1, round(plan.density * total))
    return max(1, survivors_after(surviving, plan.fractions[name]))


def left_in_all(plan: PruningPlan, surviving: int, total: int, layers: int) -> int:
    """Return how many weights or units of the whole network a round leaves in global scope.

    Of units, at least one in each of the hidden `layers`: a network without it is cut in two.
    """
    if plan.density is not None:
        return round(plan.density * total)
    left = survivors_after(surviving, next(iter(plan.fractions.values())))
    return max(left, layers) if plan.granularity == "unit" else left


def counted(plan: PruningPlan, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """What is counted, by layer, at round 0: weights of all layers, or units of the hidden ones."""
    if plan.granularity == "weight":
        return {name: units * inputs for name, (units, inputs) in shapes.items()}
    return {name: shapes[name][0] for name in hidden_layers(shapes)}


def hidden_layers(shapes: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the prunable layers that lead to hidden units: all but the output layer's.

    A lone layer leads to hidden units whose outgoing weights are fixed.
    """
    names = tuple(shapes)
    return names[:-1] or names


def expected_counts(plan: PruningPlan, shapes: Mapping[str, tuple[int, ...]]) -> list[dict[str, int]]:
    """Survivors of every round from round 0 on, by layer; in global scope under the one name `all`."""
    totals = counted(plan, shapes)
    layers = len(totals)
    if plan.scope == "global":
        totals = {"all": sum(totals.values())}

    def left(name: str, surviving: int) -> int:
        if plan.scope == "global":
            return left_in_all(plan, surviving, totals[name], layers)
        return left_in_layer(plan, name, surviving, totals[name])

    rounds = [totals]
    for _ in range(plan.rounds):
        rounds.append({name: left(name, surviving) for name, surviving in rounds[-1].items()})
    return rounds
