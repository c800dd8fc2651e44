"""Isolation: every unit subnetwork of a wide network, trained alone from the same initial weights and data order.

Read literally, a wide network succeeds because one of its subnetworks would. Then none of those whose subnetworks all
fail alone succeeds, and none with a winning subnetwork fails. (Frankle & Carbin 2019 for the reading; the experiment is
ours.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from escapedim.records.experiments import Isolation, Subnetworks
from escapedim.tasks.base import Task
from escapedim.training.experiment import stack_size, stacks
from escapedim.training.keys import stack_key
from escapedim.training.seeds import derive_seed
from escapedim.widening.findings import Member, WidenMetrics
from escapedim.widening.shares import paired, share
from escapedim.widening.stack import Earlier, Setting, StackWork, Starts
from escapedim.widening.subnetworks import Subset, number_of_subsets, rescaled, rescaling, subsets, taken


@dataclass(frozen=True)
class SubnetworksAlone:
    """Begins with the subnetworks of `most` subsets at most of each wide replicate."""

    wide: Setting
    replicates: tuple[int, ...]
    most: int

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        pairs = [(n, subset) for n in self.replicates for subset in self._subsets(setting, n)]
        owners = [n for n, _ in pairs]
        drawn = dict(zip(self.replicates, self.wide.drawn(self.replicates), strict=True))
        rows = taken(self.wide.model, torch.stack([drawn[n] for n in owners]), [subset for _, subset in pairs])
        rows = rescaled(setting.model, rows, rescaling(self.wide, setting))
        return Starts(rows, self.wide.orders(owners), {"wide": owners})

    def _subsets(self, narrow: Setting, replicate: int) -> list[Subset]:
        seed = derive_seed(self.wide.seed, "subsets", self.wide.model.name, replicate, narrow.width)
        return subsets(self.wide.model, narrow.model, self.most, seed)


@dataclass(frozen=True)
class IsolationPlan:
    """One wide width, the sizes of its subnetworks, and the stacks in which they are trained."""

    wide: Setting
    narrow: tuple[Setting, ...]
    most: int
    sizes: tuple[tuple[StackWork, ...], ...]

    @property
    def works(self) -> tuple[StackWork, ...]:
        """All stacks."""
        return tuple(work for stacks in self.sizes for work in stacks)

    def describe(self, found: WidenMetrics) -> list[Isolation]:
        """Return the entry, once all stacks and the wide members are finished."""
        counted = found.members(self.wide.width)
        if not counted or not found.done(self.works):
            return []
        members, winners = sorted(counted), [_winners(found.rows(stacks)) for stacks in self.sizes]
        wide = [bool(counted[n]["success"]) for n in members]
        some = [any(any(won[n]) for won in winners) for n in members]
        sampled = any(number_of_subsets(self.wide.model, setting.model) > self.most for setting in self.narrow)
        factors = {name: f for setting in self.narrow for name, f in rescaling(self.wide, setting).items() if f != 1}
        return [
            Isolation(
                width=self.wide.width,
                members=len(members),
                sizes=[self._size(*pair, members) for pair in zip(self.narrow, winners, strict=True)],
                sampled=sampled,
                table=paired(wide, some),
                wins_given_none=None
                if sampled
                else share([won for won, any_wins in _pairs(wide, some) if not any_wins]),
                fails_given_some=share([not won for won, any_wins in _pairs(wide, some) if any_wins]),
                q=share([not won for won in wide]),
                q_lit=share([not any_wins for any_wins in some]),
                rescaled=factors,
            )
        ]

    def _size(self, setting: Setting, winners: Mapping[int, list[bool]], members: Sequence[int]) -> Subnetworks:
        there = number_of_subsets(self.wide.model, setting.model)
        won = [success for n in members for success in winners[n]]
        return Subnetworks(units=setting.width, trained=min(there, self.most), there=there, winning=share(won))


def _winners(rows: Iterable[Member]) -> dict[int, list[bool]]:
    won: dict[int, list[bool]] = {}
    for row in rows:
        won.setdefault(row["wide"], []).append(row["success"])
    return won


def _pairs(wide: Sequence[bool], some: Sequence[bool]) -> Iterable[tuple[bool, bool]]:
    return zip(wide, some, strict=True)


def isolation_plan(
    wide: Setting, narrow: Sequence[Setting], replicates: range, most: int, keys: Iterable[str]
) -> IsolationPlan:
    """Return the stacks of one wide width: those `keys` that were begun, and the rest."""
    keys = list(keys)
    return IsolationPlan(wide, tuple(narrow), most, tuple(_stacks(wide, one, replicates, most, keys) for one in narrow))


def _stacks(wide: Setting, narrow: Setting, replicates: range, most: int, keys: Iterable[str]) -> tuple[StackWork, ...]:
    trained = min(most, number_of_subsets(wide.model, narrow.model))
    key = stack_key(f"isolation-width-{wide.width:06d}-units-{narrow.width:06d}-subsets-{trained:06d}")
    done = key.stacks(keys)
    rest = stacks(replicates, done, max(1, stack_size(narrow.model, narrow.recipe) // trained))
    return tuple(
        StackWork(
            key=key.of(first=numbers[0], last=numbers[-1]),
            setting=narrow,
            begin=SubnetworksAlone(wide, numbers, most),
            most=len(numbers) * trained,
        )
        for numbers in sorted((*done, *rest))
    )
