"""A small prune run's leavings, made by hand, that the tests of rewinding share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from escapedim.models.layout import Layout
from escapedim.models.mlp import MLP
from escapedim.rewinding.retraining import RewindWork
from escapedim.rewinding.source import Left
from escapedim.rewinding.treatments import PrunedRound, Treatment
from escapedim.training.work import Context, Outcome
from tests.training.plain import Toy, toy

PROBLEM = toy("cross-entropy", optimizer="sgd:momentum=0.9", schedule="cosine", steps=24, hidden=(5, 4))
ROOT = 3


def mask(model: MLP, seed: int) -> np.ndarray:
    """Half of every layer, rounded down."""
    random, kept = np.random.default_rng(seed), {}
    for name in model.prunable:
        size = int(np.prod(model.shapes[name]))
        kept[name] = random.permutation(np.arange(size) < size // 2)
    return Layout(model.shapes).pack(kept, True, np.dtype(bool))


def left(problem: Toy = PROBLEM, replicate: int = 0) -> Left:
    rows = [problem.rows(4)[n].numpy() + replicate for n in range(4)]
    masks = {"ticket": mask(problem.model, replicate), "random": mask(problem.model, 50 + replicate)}
    prunable = a_round(problem).prunable()
    return Left(replicate, masks, {0: rows[0], 6: rows[1]}, rows[2], int((masks["ticket"] & prunable).sum()))


def a_round(problem: Toy = PROBLEM, number: int = 2) -> PrunedRound:
    return PrunedRound(problem.model, problem.recipe.dtype, ROOT, number)


def trained(
    treatments: Sequence[Treatment], problem: Toy = PROBLEM, replicates: int = 1, **more
) -> tuple[RewindWork, Outcome]:
    """A unit of these treatments and what came of it."""
    every = tuple(left(problem, replicate) for replicate in range(replicates))
    unit = RewindWork(a_round(problem), problem.recipe, every, tuple(treatments), **more)
    return unit, unit(Context(problem.task, problem.data, "cpu", lambda members: False), {}, None)


def ends(outcome: Outcome) -> torch.Tensor:
    return torch.from_numpy(outcome.arrays["params"])
