"""What a prune run removes, in whole numbers, before anything is trained.

With s survivors in scope and the fraction f, a round removes round(f · s), half to even as Python rounds. In layer
scope the last survivor of a layer is never removed. These counts are computed from shapes alone, so that the masks of a
run can be held against them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from escapedim.models.network import Network

Scope = Literal["layer", "global"]
Granularity = Literal["weight", "unit"]
CONTROLS = ("reinit", "shuffle", "random")
ARMS = ("ticket", *CONTROLS)
ALL = "all"
"""Under which name everything is counted in global scope."""


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

    @property
    def fraction(self) -> float:
        """That of all layers alike: in global scope, and of units."""
        return next(iter(self.fractions.values()))


def survivors_after(count: int, fraction: float) -> int:
    """Return how many of `count` a round leaves."""
    return count - round(fraction * count)


def left_in_layer(plan: PruningPlan, name: str, surviving: int, total: int) -> int:
    """Return how many weights or units of one layer a round leaves in layer scope: at least one."""
    if plan.density is not None:
        return max(1, round(plan.density * total))
    fraction = plan.fractions[name] if plan.granularity == "weight" else plan.fraction
    return max(1, survivors_after(surviving, fraction))


def left_in_all(plan: PruningPlan, surviving: int, total: int, layers: int) -> int:
    """Return how many weights or units of the whole network a round leaves in global scope.

    Of units, at least one in each of the hidden `layers`: a network without it is cut in two.
    """
    if plan.density is not None:
        return round(plan.density * total)
    left = survivors_after(surviving, plan.fraction)
    return max(left, layers) if plan.granularity == "unit" else left


def counted(plan: PruningPlan, network: Network) -> dict[str, int]:
    """What is counted at round 0: weights by prunable layer, or units by group."""
    if plan.granularity == "weight":
        return {name: math.prod(network.shapes[name]) for name in network.prunable}
    return {group.name: group.units for group in network.groups}


def goals(plan: PruningPlan, network: Network, surviving: Mapping[str, int]) -> dict[str, int]:
    """Return how many of the survivors the next round leaves: by layer or group, or in global scope of `ALL`."""
    totals = counted(plan, network)
    if plan.scope == "global":
        return {ALL: left_in_all(plan, surviving[ALL], sum(totals.values()), len(totals))}
    return {name: left_in_layer(plan, name, count, totals[name]) for name, count in surviving.items()}


def expected_counts(plan: PruningPlan, network: Network) -> list[dict[str, int]]:
    """Survivors of every round from round 0 on, as `goals` counts them."""
    totals = counted(plan, network)
    rounds = [{ALL: sum(totals.values())} if plan.scope == "global" else totals]
    for _ in range(plan.rounds):
        rounds.append(goals(plan, network, rounds[-1]))
    return rounds
