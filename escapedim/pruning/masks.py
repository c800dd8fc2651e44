"""Masks: which weights a round removes, given scores. True marks a survivor.

Ties are broken deterministically, the lower flat index being removed first. Scores that are not numbers (of a diverged
network) tie above all numbers, so that counts stay exact whatever happened in training. In global scope the best unit
of a layer is never removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from escapedim.models import units
from escapedim.models.network import Network
from escapedim.pruning.pruning_plan import ALL, PruningPlan, goals

Masks = dict[str, np.ndarray]
Scores = Mapping[str, np.ndarray]
Counts = Mapping[str, int]


def full_masks(network: Network) -> Masks:
    """Masks of the dense network."""
    return {name: np.ones(network.shapes[name], bool) for name in network.prunable}


def survivors(plan: PruningPlan, network: Network, masks: Masks) -> Counts:
    """Return how many survivors there are, counted as in `goals`."""
    counts = {name: int(mask.sum()) for name, mask in _prunable(plan, network, masks).items()}
    return {ALL: sum(counts.values())} if plan.scope == "global" else counts


def prune(plan: PruningPlan, network: Network, masks: Masks, scores: Scores, left: Counts | None = None) -> Masks:
    """Remove the lowest-scored survivors, so that as many as the round's `goals` are left; inside `masks`."""
    there = _prunable(plan, network, masks)
    left = goals(plan, network, survivors(plan, network, masks)) if left is None else left
    selected = _select(plan, there, scores, left)
    return selected if plan.granularity == "weight" else units.without(network, masks, selected)


def _prunable(plan: PruningPlan, network: Network, masks: Masks) -> Masks:
    """Return what is there to be removed: weights by layer, or units by group."""
    return masks if plan.granularity == "weight" else units.kept(network, masks)


def shuffle(plan: PruningPlan, network: Network, masks: Masks, random: np.random.Generator) -> Masks:
    """Draw masks with as many survivors (units: as many living units) in every layer, at random places."""
    if plan.granularity == "weight":
        return {name: random.permutation(mask.ravel()).reshape(mask.shape) for name, mask in masks.items()}
    kept = {name: random.permutation(there) for name, there in units.kept(network, masks).items()}
    return units.without(network, full_masks(network), kept)


def _select(plan: PruningPlan, masks: Masks, scores: Scores, left: Counts) -> Masks:
    if plan.scope == "layer":
        return {name: _keep_highest(mask, scores[name], left[name]) for name, mask in masks.items()}
    joined = np.concatenate([mask.ravel() for mask in masks.values()])
    ranked = np.concatenate([scores[name].ravel() for name in masks])
    starts = np.cumsum([0, *(mask.size for mask in masks.values())])
    safe = [start + _best(mask, scores[name]) for start, (name, mask) in zip(starts, masks.items(), strict=False)]
    kept = _keep_highest(joined, ranked, left[ALL], safe if plan.granularity == "unit" else [])
    pieces = np.split(kept, starts[1:-1])
    return {name: piece.reshape(masks[name].shape) for name, piece in zip(masks, pieces, strict=True)}


def _best(mask: np.ndarray, scores: np.ndarray) -> int:
    """Flat index of the highest-scored survivor, the last of equal ones (0 where none survives)."""
    survivors = np.flatnonzero(mask)
    order = np.argsort(scores.ravel()[survivors], kind="stable")
    return int(survivors[order[-1]]) if len(survivors) else 0


def _keep_highest(mask: np.ndarray, scores: np.ndarray, left: int, safe: Sequence[int] = ()) -> np.ndarray:
    """Remove the lowest-scored survivors but `left`; those at the flat indices `safe` stay."""
    flat = mask.ravel().copy()
    exposed = np.setdiff1d(np.flatnonzero(flat), np.asarray(safe, dtype=np.int64))
    order = np.argsort(scores.ravel()[exposed], kind="stable")
    flat[exposed[order[: int(flat.sum()) - left]]] = False
    return flat.reshape(mask.shape)
