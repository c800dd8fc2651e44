"""Transient width: failed members are widened by a split, trained for a while, merged back, and trained on.

If the added dimensions are only a way out, they need not stay. The control gets the same noise and as many steps, and
stays narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from escapedim.records.experiments import Transient
from escapedim.tasks.base import Task
from escapedim.widening.choice import Pool, part_key, parts, rows_of
from escapedim.widening.embeddings import merge
from escapedim.widening.escape import Embedding, Perturbed, Widened
from escapedim.widening.findings import Judge, Member, WidenMetrics, landings
from escapedim.widening.shares import paired, share
from escapedim.widening.sources import FAILED, sources
from escapedim.widening.stack import Earlier, Setting, StackWork, Starts


@dataclass(frozen=True)
class Merged:
    """Begins with the networks of a wide stack, their copies merged back into their parents."""

    widened: Widened
    wide: Setting
    key: str

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        chosen = self.widened.choice(setting.model, earlier)
        found = sources(setting.model, chosen, task)
        labels: dict[str, list[Any]] = {"source": chosen.replicates, "source_ending": found.classes}
        if not chosen.replicates:
            return Starts(chosen.rows, [], labels)
        parents = self.widened.embedded(found.rows, chosen.replicates).parents
        rows = merge(self.wide.model, rows_of(self.wide.model, earlier[self.key]), parents)
        return Starts(rows, setting.orders(chosen.replicates, "transient "), labels)


@dataclass(frozen=True)
class Continued:
    """Begins with the networks of a narrow stack, as they are; the data orders are those of `Merged`."""

    perturbed: Perturbed
    key: str

    def __call__(self, setting: Setting, task: Task, earlier: Earlier) -> Starts:
        """See `Begin`."""
        replicates = self.perturbed.choice(setting.model, earlier).replicates
        rows = rows_of(setting.model, earlier[self.key]) if replicates else torch.zeros(0, 0)
        return Starts(rows, setting.orders(replicates, "transient "), {"source": replicates})


@dataclass(frozen=True)
class TransientPlan:
    """The stacks of one pool of sources: a while, with and without added units, and then the rest."""

    narrow: Setting
    embedding: Embedding
    steps: int
    first: tuple[StackWork, ...]
    merged: tuple[StackWork, ...]
    continued: tuple[StackWork, ...]

    @property
    def works(self) -> tuple[StackWork, ...]:
        """All stacks."""
        return (*self.first, *self.merged, *self.continued)

    def describe(self, found: WidenMetrics) -> list[Transient]:
        """Return an entry for each class of sources, once all stacks are finished."""
        if not found.done(self.works):
            return []
        merged, alone = found.rows(self.merged), found.rows(self.continued)
        alike = {member["source"]: member for member in alone}
        classes = dict.fromkeys(member["source_ending"] for member in merged)
        return [
            self._entry(name, [m for m in merged if m["source_ending"] == name], alike, found.task) for name in classes
        ]

    def _entry(self, name: str, merged: Sequence[Member], alike: Mapping[int, Member], task: Task) -> Transient:
        judge = Judge.of(task, name != FAILED)
        control = [alike[member["source"]] for member in merged]
        return Transient(
            width=self.embedding.width(self.narrow.model),
            by=self.embedding.by,
            steps=self.steps,
            sources=len(merged),
            source_ending=name,
            judged_by=judge.by,
            merged=share(judge.all(merged)),
            landings=landings(merged),
            noise_only=share(judge.all(control)),
            against_noise=paired(judge.all(merged), judge.all(control)),
        )


def transient_plan(narrow: Setting, wide: Setting, embedding: Embedding, pool: Pool, steps: int) -> TransientPlan:
    """Return the stacks of a pool of sources that are wide for `steps` steps."""
    base = f"transient-width-{embedding.width(narrow.model):06d}-by-{embedding.by:03d}-steps-{steps:09d}"
    short_wide, short = (replace(one, recipe=replace(one.recipe, steps=steps)) for one in (wide, narrow))
    first, merged, continued = [], [], []
    for start, stop, most in parts(pool, wide):
        choice = pool.part(start, stop)
        names = ("widened", "merged", "noise-only", "continued")
        widened_key, merged_key, noise_key, continued_key = (
            part_key(pool, f"{base}-{name}", start, stop) for name in names
        )
        widened, perturbed = Widened(narrow, wide, choice, embedding), Perturbed(choice, embedding.size)
        then = Merged(widened, wide, widened_key), Continued(perturbed, noise_key)
        first.append(StackWork(widened_key, short_wide, widened, most, pool.needs))
        first.append(StackWork(noise_key, short, perturbed, most, pool.needs))
        merged.append(StackWork(merged_key, narrow, then[0], most, (widened_key, *pool.needs)))
        continued.append(StackWork(continued_key, narrow, then[1], most, (noise_key, *pool.needs)))
    return TransientPlan(narrow, embedding, steps, tuple(first), tuple(merged), tuple(continued))
