"""What was found: members as rows, how they are judged, and where they landed, endings by loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from escapedim.landscape.levels import apart
from escapedim.landscape.vocabulary import Ending
from escapedim.records.experiments import Landing
from escapedim.tasks.base import Task
from escapedim.training.work import Metrics
from escapedim.widening.stack import StackWork, columns_of

Member = Mapping[str, Any]
MOST = 20  # landings in a summary; ours


@dataclass(frozen=True)
class Judge:
    """Members reach a global minimum by their ending, or where none can be certified by their success."""

    by: Literal["ending", "success"]

    @classmethod
    def of(cls, task: Task, certified: bool) -> Judge:
        """Judge sources by the ending where theirs is certified, on a task that knows the loss of a global minimum."""
        return cls("ending" if certified and task.global_below is not None else "success")

    def all(self, members: Iterable[Member]) -> list[bool]:
        """Say of each member whether it reached what counts."""
        if self.by == "success":
            return [bool(member["success"]) for member in members]
        return [member["ending"] == Ending.GLOBAL_MINIMUM.value for member in members]


@dataclass(frozen=True)
class WidenMetrics:
    """What a run has found so far: the metrics of finished works, and the counted members of a width by replicate.

    `task` has the run's criterion; `members` are none before all of a width are trained.
    """

    task: Task
    metrics: Mapping[str, Metrics]
    members: Callable[[int], Mapping[int, Member]]

    def done(self, works: Iterable[StackWork]) -> bool:
        """Say whether all stacks are finished."""
        return all(work.key in self.metrics for work in works)

    def rows(self, works: Sequence[StackWork]) -> list[Member]:
        """Return the members of finished stacks, with their labels."""
        return members_of(columns_of(works, self.metrics))


def members_of(columns: Mapping[str, Sequence[Any]]) -> list[Member]:
    """Return columns `name: (members,)` as one mapping a member."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def landings(members: Sequence[Member]) -> list[Landing]:
    """Return endings by loss, most frequent first, at most `MOST`; equal losses of certified endings are one."""
    by_ending: dict[str, list[float | None]] = {}
    for member in members:
        level = None if member["ending"] == Ending.GLOBAL_MINIMUM.value else member["level"]
        by_ending.setdefault(member["ending"], []).append(level)
    found = [landing for ending, levels in by_ending.items() for landing in _clusters(ending, levels)]
    return sorted(found, key=lambda landing: (-landing.members, landing.loss or 0.0))[:MOST]


def _clusters(ending: str, levels: Sequence[float | None]) -> list[Landing]:
    certified = np.sort([level for level in levels if level is not None])
    groups = np.split(certified, np.flatnonzero(apart(certified[:-1], certified[1:])) + 1) if len(certified) else []
    found = [Landing(ending=ending, loss=float(group[0]), members=len(group)) for group in groups]
    rest = len(levels) - len(certified)
    return [*found, Landing(ending=ending, loss=None, members=rest)] if rest else found
