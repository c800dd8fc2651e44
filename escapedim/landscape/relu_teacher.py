"""The surface of the two-layer relu student of an orthonormal teacher, in closed form.

Safran & Shamir 2018 (arXiv 1712.08968). Parameters are the incoming weights `(units, k)` as one row; outgoing weights
are 1. The loss is smooth but where a unit is 0. Two units on one ray may share their length in any proportion: the
line of a split, along which the loss does not change.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from escapedim.landscape.duplicates import SAME, earlier_twins
from escapedim.landscape.surface import CACHED, KINK, Units, in_chunks
from escapedim.tasks import relu_teacher_forms as forms


class ReluTeacherSurface:
    """See `Surface`; `k` is the number of inputs and of teacher units."""

    def __init__(self, k: int) -> None:
        self._k = k

    @property
    def no_critical_below(self) -> float:
        """See `Surface`: its global minima are critical."""
        return -math.inf

    @property
    def flat_splits(self) -> bool:
        """See `Surface`: under Gaussian inputs no split is flat."""
        return False

    def _weights(self, flat: Tensor) -> Tensor:
        return flat.reshape(len(flat), flat.shape[1] // self._k, self._k)

    def _lengths(self, flat: Tensor) -> Tensor:
        lengths: Tensor = self._weights(flat).norm(dim=-1)
        return lengths

    def loss(self, flat: Tensor) -> Tensor:
        """See `Surface`."""
        return forms.loss(self._weights(flat))

    def gradient(self, flat: Tensor) -> Tensor:
        """See `Surface`."""
        return forms.gradient(self._weights(flat)).flatten(1)

    def hessian(self, flat: Tensor) -> Tensor:
        """See `Surface`."""
        # The closed form holds about eight blocks (units, units, k, k) at a time.
        return in_chunks(lambda part: forms.hessian(self._weights(part)), flat, 8 * flat.shape[1] ** 2, CACHED)

    def split_matrices(self, flat: Tensor) -> Tensor:
        """H_ii - I/2 of every unit `(members, units, k, k)`; see `split_curvature`."""
        half = 0.5 * torch.eye(self._k).to(flat)
        return in_chunks(
            lambda part: forms.own_blocks(self._weights(part)) - half, flat, 8 * flat.shape[1] ** 2, CACHED
        )

    def norm(self, gradient: Tensor) -> Tensor:
        """Return max_i ‖2π ∇_{w_i} L‖, the norm of the published stop rule."""
        return 2 * math.pi * self._lengths(gradient).amax(-1)

    def symmetries(self, flat: Tensor) -> Tensor:
        """Lines of splits: one for each unit that shares its ray with an earlier one."""
        w = self._weights(flat)
        members, units, _ = w.shape
        rays = w / w.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
        twin, _ = earlier_twins(rays, odd=False, same=SAME)
        lines = w.new_zeros(members, units, units, self._k)
        member, unit = (twin >= 0).nonzero(as_tuple=True)
        lines[member, unit, unit] = rays[member, unit]
        lines[member, unit, twin[member, unit]] = -rays[member, unit]
        return torch.transpose(lines[:, (twin >= 0).any(0)].flatten(2), 1, 2)

    def kinks(self, flat: Tensor) -> Tensor:
        """Say where a unit is 0 beside the longest one."""
        lengths = self._lengths(flat)
        return lengths.amin(-1) <= KINK * lengths.amax(-1)

    def dead(self, flat: Tensor) -> Tensor:
        """Say which units are 0: every other one puts something out under Gaussian inputs."""
        return self._lengths(flat) == 0

    def units(self, flat: Tensor) -> Units | None:
        """None: outgoing weights are fixed."""
        return None
