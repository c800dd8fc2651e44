"""What a comparison is made of: the results of one task, by kind, and the settings that were fixed in advance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from escapedim.records.columns import Model
from escapedim.records.results import LotteryResult, TrainResult, WidenResult
from escapedim.records.rewinding import RewindResult

R = TypeVar("R", LotteryResult, WidenResult, RewindResult, TrainResult)
E = TypeVar("E", bound=Model)

LEVEL = 0.005
"""Family-wise level of directions: at 0.05 one undecided study in twenty would claim one (science, section 6)."""

MARGIN = 0.05
"""How far from 0, or from a control, still counts as 0 or equal: five points; ours."""

INDEX_MARGIN = 0.25
"""How far from 1, or from 0, the index A of `complement` still counts as either: a quarter; ours."""


@dataclass(frozen=True)
class StudySource:
    """A result and where it came from: its name in the comparison, configuration, command line, and files."""

    name: str
    config: Mapping[str, Any]
    result: LotteryResult | WidenResult | RewindResult | TrainResult
    argv: Sequence[str] = ()
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Study:
    """Sources of one task and recipe; `base_width` is the r of effective tickets, `minimal` that of the counts."""

    sources: Sequence[StudySource]
    base_width: int | None = None
    minimal: int | None = None
    margin: float = MARGIN
    level: float = LEVEL
    seed: int = 0
    task: str = field(default="")

    @property
    def of_family(self) -> bool:
        """Whether any network is of a family whose layers grow together, and not one hidden layer."""
        return any(not str(source.config.get("model", "mlp")).startswith("mlp") for source in self.sources)

    def of(self, kind: type[R]) -> Iterator[tuple[StudySource, R]]:
        """Return the sources of one kind with their results."""
        for source in self.sources:
            if isinstance(source.result, kind):
                yield source, source.result

    def widths(self) -> list[tuple[StudySource, WidenResult]]:
        """Return the sources that trained widths from scratch."""
        return [(source, result) for source, result in self.of(WidenResult) if result.widths]

    def entries(self, name: str) -> list[tuple[StudySource, Any]]:
        """Return the entries of one experiment of `widen`, such as `isolation`, of all sources."""
        return [(source, entry) for source, result in self.of(WidenResult) for entry in getattr(result, name)]
