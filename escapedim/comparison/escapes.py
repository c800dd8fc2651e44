"""Failed networks that were widened, each counted once.

The same failed network may have been widened in several ways, by other embeddings, other perturbations or more units:
these are no further networks, and what their noise-only controls did is the same number again. So tests take one way:
the default one where there is one, otherwise that of the most networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from escapedim.comparison.study import Study, StudySource
from escapedim.records.experiments import Escape

Entries = list[tuple[StudySource, Escape]]

SPLIT = "split"
_EVEN = 0.5


class Way(NamedTuple):
    """How failed networks were widened."""

    layer: int
    by: int
    embedding: str
    alpha: float | None
    perturbation: str

    def is_default(self, study: Study) -> bool:
        """Say whether it is what `escapedim widen` does unasked: to the next width by splits in two halves, with noise.

        That is one unit of the one hidden layer, or of a family of networks the next width in all layers.
        """
        layer = 0 if study.of_family else 1
        return self[:4] == (layer, 1, SPLIT, _EVEN) and self.perturbation.startswith("noise")


def way(entry: Escape) -> Way:
    """Return how the networks of an entry were widened."""
    return Way(entry.layer, entry.by, entry.embedding, entry.alpha, entry.perturbation)


def splits(study: Study) -> Entries:
    """Return the entries of splits, which draw no new random weights: of one way only."""
    entries = [pair for pair in study.entries("escape") if pair[1].embedding == SPLIT and pair[1].sources]
    sizes: dict[Way, int] = {}
    for _, entry in entries:
        sizes[way(entry)] = sizes.get(way(entry), 0) + entry.sources
    chosen = max(sizes, key=lambda one: (one.is_default(study), sizes[one], str(one)), default=None)
    return [pair for pair in entries if way(pair[1]) == chosen]


def others(study: Study, chosen: Sequence[tuple[StudySource, Escape]]) -> Entries:
    """Return the entries of splits that are not among the chosen."""
    return [
        pair
        for pair in study.entries("escape")
        if pair[1].embedding == SPLIT and pair[1].sources and pair not in chosen
    ]
