"""Sources: failed members at the points from which they are widened, and what an embedding opens there.

A member whose ending is certified is widened at its polished critical point. There the curvature of the wide network
tells which escape directions the embedding opened; elsewhere the gradient goes on anyway, and nothing is certified.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from escapedim.landscape.endings import certify
from escapedim.landscape.levels import CERTIFIED
from escapedim.landscape.spectrum import eigenvectors, flat_basis, lift, spectrum
from escapedim.landscape.surface import MATRICES, Surface, chunks, in_chunks
from escapedim.landscape.vocabulary import Ending
from escapedim.models.network import Network
from escapedim.tasks.base import Task
from escapedim.training.certification import make_surface
from escapedim.training.seeds import torch_generator
from escapedim.widening.choice import Chosen

FAILED = "failed"
"""The class of sources without a certified ending."""


@dataclass(frozen=True)
class Sources:
    """Rows `(sources, parameters)` in float64; per source its class, its loss, and how many directions are negative.

    The loss of a channel is its limit. Negative directions are None where no ending is certified.
    """

    rows: Tensor
    classes: list[str]
    losses: list[float | None]
    negative: list[int | None]

    @property
    def critical(self) -> list[bool]:
        """Whether each is a certified critical point."""
        return [name != FAILED for name in self.classes]


def sources(model: Network, chosen: Chosen, task: Task) -> Sources:
    """Return chosen members as sources: polished, and certified again, where they were certified before."""
    made = Sources(chosen.rows.clone(), [FAILED] * len(chosen.rows), [*map(_number, chosen.losses)], [])
    made.negative.extend([None] * len(chosen.rows))
    surface = make_surface(model, task)
    rows = [n for n, ending in enumerate(chosen.endings) if ending in CERTIFIED and ending is not Ending.GLOBAL_MINIMUM]
    if isinstance(surface, str) or not rows:
        return made
    found = certify(surface, chosen.rows[rows], task.global_below)
    for at, n in enumerate(rows):
        if found.ending[at] not in CERTIFIED:
            continue
        limit = found.limit_loss[at]
        made.rows[n], made.classes[n] = found.flat[at], found.ending[at].value
        made.losses[n] = float(limit if math.isfinite(limit) else found.loss[at])
        made.negative[n] = int(found.negative_directions[at])
    return made


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Opened:
    """What an embedding opened, per source; None where it was not computed.

    Negative directions beyond those of the source, the least eigenvalue, and the norm of the gradient.
    """

    negative: list[int | None]
    smallest: list[float | None]
    gradient: list[float | None]


def opened(surface: Surface, wide: Tensor, found: Sources, critical: bool) -> Opened:
    """Return what opened at embedded sources `(sources, parameters)`; a spectrum is taken where they are `critical`."""
    size = len(found.rows)
    made = Opened([None] * size, [None] * size, [None] * size)
    rows = [n for n, certified in enumerate(found.critical) if certified]
    if not rows:
        return made
    norms = surface.norm(surface.gradient(wide[rows]))
    for n, norm in zip(rows, norms.tolist(), strict=True):
        made.gradient[n] = norm
    if critical:
        parts = [_curvature(surface, part) for part in chunks(wide[rows], MATRICES * wide.shape[1] ** 2)]
        curvature = [pair for part in parts for pair in part]
        for n, (negative, smallest) in zip(rows, curvature, strict=True):
            made.negative[n] = max(0, negative - (found.negative[n] or 0))
            made.smallest[n] = smallest
    return made


def _curvature(surface: Surface, flat: Tensor) -> list[tuple[int, float]]:
    norm = surface.norm(surface.gradient(flat))
    found = spectrum(surface.hessian(flat), surface.symmetries(flat), norm)
    return list(zip(found.negative.tolist(), found.smallest.tolist(), strict=True))


def noise(rows: Tensor, size: float, seeds: list[int]) -> Tensor:
    """Perturbations `(members, parameters)` in a random direction, `size` times as long as the members' weights."""
    drawn = torch.stack([torch.randn(rows.shape[1], generator=torch_generator(s), dtype=torch.float64) for s in seeds])
    lengths: Tensor = size * rows.norm(dim=1) / drawn.norm(dim=1)
    return drawn * lengths.unsqueeze(1)


def along_the_steepest(surface: Surface, rows: Tensor, size: float, seeds: list[int]) -> Tensor:
    """Perturbations of the same length along the most negative direction, of a drawn sign; 0 where there is none."""
    direction = in_chunks(lambda part: _steepest(surface, part), rows, MATRICES * rows.shape[1] ** 2)
    signs = [1 - 2 * int(torch.randint(2, (), generator=torch_generator(seed))) for seed in seeds]
    lengths: Tensor = size * rows.norm(dim=1) * torch.tensor(signs)
    return direction * lengths.unsqueeze(1)


def _steepest(surface: Surface, flat: Tensor) -> Tensor:
    basis, _ = flat_basis(surface.symmetries(flat))
    values, vectors = eigenvectors(lift(surface.hessian(flat), basis))
    return torch.where(values[:, :1] < 0, vectors[:, :, 0], 0.0)
