"""Step halving: members trained again with half the step and twice as many of them.

Endings that depend on the step are a property of the descent, and not of the landscape alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from escapedim.landscape.levels import apart
from escapedim.landscape.vocabulary import Ending
from escapedim.records.experiments import Halving
from escapedim.tasks.base import Task
from escapedim.training.experiment import stack_size, stacks
from escapedim.training.keys import Key, stack_key
from escapedim.widening.findings import Member, WidenMetrics
from escapedim.widening.shares import paired, share
from escapedim.widening.stack import Earlier, Setting, StackWork, Starts


@dataclass(frozen=True)
class Drawn:
    """Begins with counted members: their draws and their data orders."""

    replicates: tuple[int, ...]

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        return Starts(setting.drawn(self.replicates), setting.orders(self.replicates), {"member": [*self.replicates]})


@dataclass(frozen=True)
class HalvingPlan:
    """The stacks of one width."""

    width: int
    works: tuple[StackWork, ...]

    def describe(self, found: WidenMetrics) -> list[Halving]:
        """Return the entry, once all members are trained with both steps."""
        counted = found.members(self.width)
        if not counted or not found.done(self.works):
            return []
        pairs = [(counted[row["member"]], row) for row in found.rows(self.works)]
        return [
            Halving(
                width=self.width,
                members=len(pairs),
                changed=share([_differ(whole, half) for whole, half in pairs]),
                table=paired([whole["success"] for whole, _ in pairs], [half["success"] for _, half in pairs]),
                endings=dict(Counter(whole["ending"] for whole, _ in pairs).most_common()),
                halved_endings=dict(Counter(half["ending"] for _, half in pairs).most_common()),
            )
        ]


def _differ(whole: Member, half: Member) -> bool:
    if whole["ending"] != half["ending"] or whole["success"] != half["success"]:
        return True
    if None in (whole["level"], half["level"]) or whole["ending"] == Ending.GLOBAL_MINIMUM.value:
        return False  # a global minimum's loss is that at which the descent was stopped
    return bool(apart(*sorted((whole["level"], half["level"]))))


def halving_plan(setting: Setting, replicates: range, keys: Iterable[str]) -> HalvingPlan:
    """Return the stacks of one width: those `keys` that were begun, and the rest."""
    recipe = replace(setting.recipe, lr=setting.recipe.lr / 2, steps=2 * setting.recipe.steps)
    halved, key = replace(setting, recipe=recipe), stack_key(f"halved-width-{setting.width:06d}")
    done = key.stacks(keys)
    rest = stacks(replicates, done, stack_size(setting.model, recipe))
    return HalvingPlan(setting.width, tuple(_work(halved, key, numbers) for numbers in sorted((*done, *rest))))


def _work(setting: Setting, key_of: Key, numbers: Sequence[int]) -> StackWork:
    key = key_of.of(first=numbers[0], last=numbers[-1])
    return StackWork(key=key, setting=setting, begin=Drawn(tuple(numbers)), most=len(numbers))
