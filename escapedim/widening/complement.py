"""Complement: winning and losing narrow networks as tickets among fresh other units.

Read literally, a ticket that wins alone wins in any surroundings; where the rest of the network decides, it does no
better in a wide network than a fresh one does. Winners are selected by one training, and selection regresses to the
mean: so each is trained alone again under new data orders (P_retest), and fresh wide networks give P_fresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from escapedim.comparison.tickets import complement_index, describe_tickets, entry_shares
from escapedim.models.units import placed
from escapedim.records.experiments import Complement, Estimated, Ticket, Tickets
from escapedim.tasks.base import Task
from escapedim.widening.choice import Choice, Pool, stacks_of
from escapedim.widening.findings import Member, WidenMetrics
from escapedim.widening.shares import share
from escapedim.widening.stack import Earlier, Setting, StackWork, Starts
from escapedim.widening.subnetworks import rescaled, rescaling

SCALES = (1.0, 3.0, 10.0)  # of the fresh units' weights; the first decides, the others describe (design)
RETEST = "retest"
WINNERS, LOSERS = "winners", "losers"


@dataclass(frozen=True)
class FreshSurroundings:
    """Begins with tickets among fresh units, whose weights are `scale` times as large; `draws` for each ticket."""

    narrow: Setting
    tickets: Choice
    draws: int
    scale: float

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        replicates = self.tickets(self.narrow.model, earlier).replicates
        if not replicates:
            return _nothing(setting)
        own = self.narrow.drawn(replicates)
        own = rescaled(self.narrow.model, own, rescaling(self.narrow, setting)).repeat(self.draws, 1)
        purposes = [f"complement draw {draw} " for draw in range(self.draws)]
        fresh = torch.cat([setting.drawn(replicates, purpose) for purpose in purposes])
        fresh = rescaled(setting.model, fresh, dict.fromkeys(setting.model.prunable, self.scale))
        orders = [seed for purpose in purposes for seed in setting.orders(replicates, purpose)]
        rows = placed(self.narrow.model, own, setting.model, fresh)
        return Starts(rows, orders, {"ticket": replicates * self.draws})


@dataclass(frozen=True)
class TicketsAlone:
    """Begins with the tickets alone, as they stand in a wide network, under new data orders."""

    wide: Setting
    tickets: Choice
    draws: int

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        replicates = self.tickets(setting.model, earlier).replicates
        if not replicates:
            return _nothing(setting)
        rows = rescaled(setting.model, setting.drawn(replicates), rescaling(setting, self.wide))
        orders = [seed for draw in range(self.draws) for seed in setting.orders(replicates, f"retest draw {draw} ")]
        return Starts(rows.repeat(self.draws, 1), orders, {"ticket": replicates * self.draws})


def _nothing(setting: Setting) -> Starts:
    return Starts(setting.drawn([0])[:0], [], {"ticket": []})


@dataclass(frozen=True)
class ComplementPlan:
    """Tickets of one narrow width in networks of one wide width; stacks by kind of ticket and by arm.

    Arms are the scales as text, and the retest; that is left out where the same training would only be repeated.
    """

    narrow: Setting
    wide: Setting
    draws: int
    arms: Mapping[str, Mapping[str, tuple[StackWork, ...]]]

    @property
    def works(self) -> tuple[StackWork, ...]:
        """All stacks."""
        return tuple(work for arms in self.arms.values() for stacks in arms.values() for work in stacks)

    def describe(self, found: WidenMetrics) -> list[Complement]:
        """Return the entry, once all stacks and the counted members of the wide width are finished."""
        counted = found.members(self.wide.width)
        if not counted or not found.done(self.works):
            return []
        fresh = share([member["success"] for member in counted.values()])
        winners, losers = (self._tickets(kind, found) for kind in (WINNERS, LOSERS))
        index = complement_index(entry_shares(winners.tickets, self.draws, self._retests), (fresh.count, fresh.of))
        return [
            Complement(
                width=self.wide.width,
                units=self.narrow.width,
                draws=self.draws,
                deterministic=is_deterministic(self.narrow),
                winners=winners,
                losers=losers,
                fresh=fresh,
                index=Estimated(value=index.value, interval=index.interval),
                reason=index.reason,
                rescaled={name: factor for name, factor in rescaling(self.narrow, self.wide).items() if factor != 1},
            )
        ]

    @property
    def _retests(self) -> int:
        return 1 if is_deterministic(self.narrow) else self.draws

    def _tickets(self, kind: str, found: WidenMetrics) -> Tickets:
        counts = {arm: _successes(found.rows(works)) for arm, works in self.arms[kind].items()}
        replicates = sorted(counts[_name(SCALES[0])])
        tickets = [
            Ticket(
                replicate=n,
                retest=counts[RETEST][n] if RETEST in counts else None,
                successes={arm: won[n] for arm, won in counts.items() if arm != RETEST},
            )
            for n in replicates
        ]
        return describe_tickets(tickets, self.draws, self._retests, SCALES, kind == WINNERS)


def _successes(rows: Sequence[Member]) -> dict[int, int]:
    won: dict[int, int] = {}
    for row in rows:
        won[row["ticket"]] = won.get(row["ticket"], 0) + row["success"]
    return won


def _name(scale: float) -> str:
    return f"{scale:g}"


def is_deterministic(setting: Setting) -> bool:
    """Say whether training does not depend on an order of the data."""
    return setting.recipe.batch_size == setting.recipe.samples


def complement_plan(narrow: Setting, wide: Setting, draws: int, winners: Pool, losers: Pool) -> ComplementPlan:
    """Return the stacks for tickets of two pools."""
    pools = {WINNERS: winners, LOSERS: losers}
    arms = {
        kind: _arms(f"{_key(narrow, wide, draws)}-{kind}", narrow, wide, draws, pool) for kind, pool in pools.items()
    }
    return ComplementPlan(narrow, wide, draws, arms)


def _key(narrow: Setting, wide: Setting, draws: int) -> str:
    return f"complement-width-{wide.width:06d}-units-{narrow.width:06d}-draws-{draws:03d}"


def _arms(key: str, narrow: Setting, wide: Setting, draws: int, pool: Pool) -> dict[str, tuple[StackWork, ...]]:
    made = {
        _name(scale): stacks_of(
            pool, f"{key}-{_name(scale)}", wide, partial(FreshSurroundings, narrow, draws=draws, scale=scale), draws
        )
        for scale in SCALES
    }
    repeats = is_deterministic(narrow) and all(factor == 1 for factor in rescaling(narrow, wide).values())
    if repeats:
        return made
    retests = 1 if is_deterministic(narrow) else draws
    return {
        **made,
        RETEST: stacks_of(pool, f"{key}-{RETEST}", narrow, partial(TicketsAlone, wide, draws=retests), retests),
    }
