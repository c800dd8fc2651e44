"""Endings: where each member stopped, as far as it can be certified.

The loss decides what is a global minimum, never the spectrum: there the minima may be degenerate. Channels to infinity
are told before minima, since the gradient norm is below any tolerance far along them. What is left is polished to a
critical point, and the spectrum of its Hessian names it. What cannot be certified is stalled or undecided, and says
why.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from escapedim.landscape.channels import find_channels
from escapedim.landscape.plateaus import falls_along_a_line, has_twins
from escapedim.landscape.polish import NEAR, Refusal, polish
from escapedim.landscape.spectrum import MOST_PARAMETERS, Spectrum, spectrum
from escapedim.landscape.surface import MATRICES, Surface, chunks
from escapedim.landscape.valleys import falls_further
from escapedim.landscape.vocabulary import Ending

CHANNEL_NEAR = 1e-2  # gradient norm below which a channel is looked for: large outgoing weights swell gradients; ours
FAR_OFF = f"the gradient norm is above {NEAR:g}: the descent did not come near a critical point"
ENDLESS = "every sample is put right: from there on cross-entropy falls for ever, and has no critical point"
QUIET = 1e-6  # gradient norm below which a member that has no critical point nearby counts as stalled; ours


@dataclass(frozen=True)
class Certificates:
    """What is known of each member's ending, one entry a member.

    Extreme eigenvalues are NaN where no spectrum was taken, counts of directions 0, and `limit_loss` is the loss at
    the end of a channel. `flat_directions` are explained by symmetries, `zero_directions` are not and make the
    curvature `marginal`. `flat` is the polished point, `moved` its distance from where the member was. `reason` is a
    clause for what is not certified, "" where nothing is to be said.
    """

    ending: np.ndarray
    marginal: np.ndarray
    loss: np.ndarray
    gradient_norm: np.ndarray
    smallest_eigenvalue: np.ndarray
    largest_eigenvalue: np.ndarray
    negative_directions: np.ndarray
    flat_directions: np.ndarray
    zero_directions: np.ndarray
    moved: np.ndarray
    reason: np.ndarray
    limit_loss: np.ndarray
    flat: Tensor

    def __len__(self) -> int:
        return len(self.ending)


def certify(surface: Surface, flat: Tensor, global_below: float | None) -> Certificates:
    """Name the endings of members `(members, parameters)`.

    Parameters
    ----------
    global_below
        A loss below it is a global minimum; None where the infimum of the loss is not known, and then every
        certified minimum is called a bad one: the caller knows which members succeeded.
    """
    stacks = chunks(flat, MATRICES * flat.shape[1] ** 2)
    parts = [_Certifier(surface, part, global_below).certificates() for part in stacks]
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Certificates)
        if field.name != "flat"
    }
    return Certificates(**columns, flat=torch.cat([part.flat for part in parts]))


class _Certifier:
    """The decisions in their order; members that are settled take no part in what follows."""

    def __init__(self, surface: Surface, flat: Tensor, global_below: float | None) -> None:
        self._surface, self._flat, self._below = surface, flat.clone(), global_below
        self._loss, gradient = surface.loss(flat), surface.gradient(flat)
        self._norm = surface.norm(gradient)
        self._open = torch.ones(len(flat), dtype=torch.bool, device=flat.device)
        self._ending = np.full(len(flat), Ending.UNDECIDED, dtype=object)
        self._reason = np.full(len(flat), "", dtype=object)
        self._moved, self._limit = torch.zeros_like(self._loss), torch.full_like(self._loss, torch.nan)
        self._extremes = torch.full((len(flat), 2), torch.nan, dtype=flat.dtype)
        self._counts = torch.zeros(len(flat), 3, dtype=torch.long)

    def certificates(self) -> Certificates:
        """Decide, and put the columns together."""
        self._by_loss()
        self._channels()
        self._unready()
        self._endless()
        self._polish()
        self._by_curvature()
        extremes, counts = self._extremes.numpy(), self._counts.numpy()
        return Certificates(
            ending=self._ending,
            marginal=counts[:, 2] > 0,
            loss=self._loss.cpu().numpy(),
            gradient_norm=self._norm.cpu().numpy(),
            smallest_eigenvalue=extremes[:, 0],
            largest_eigenvalue=extremes[:, 1],
            negative_directions=counts[:, 0],
            flat_directions=counts[:, 1],
            zero_directions=counts[:, 2],
            moved=self._moved.cpu().numpy(),
            reason=self._reason,
            limit_loss=self._limit.cpu().numpy(),
            flat=self._flat,
        )

    @property
    def _too_many(self) -> bool:
        return self._flat.shape[1] > MOST_PARAMETERS

    def _left(self) -> Tensor:
        return self._open.nonzero()[:, 0]

    def _settle(self, rows: Tensor, ending: Ending, reason: str | list[str] = "") -> None:
        self._open[rows] = False
        self._ending[rows.cpu().numpy()], self._reason[rows.cpu().numpy()] = ending, reason

    def _by_loss(self) -> None:
        finite = self._loss.isfinite() & self._norm.isfinite()
        self._settle((~finite).nonzero()[:, 0], Ending.DIVERGED)
        if self._below is not None:
            self._settle((finite & (self._loss < self._below)).nonzero()[:, 0], Ending.GLOBAL_MINIMUM)

    def _channels(self) -> None:
        rows = (self._open & (self._norm < CHANNEL_NEAR)).nonzero()[:, 0]
        units = self._surface.units(self._flat[rows]) if len(rows) else None
        if units is None or self._too_many:
            return
        channels = find_channels(units, self._loss[rows])
        self._limit[rows] = channels.limit_loss
        self._settle(rows[channels.found], Ending.CHANNEL)

    def _unready(self) -> None:
        far = (self._open & ~(self._norm < NEAR)).nonzero()[:, 0]
        self._settle(far, Ending.UNDECIDED, FAR_OFF)
        if self._too_many:
            self._settle(self._left(), Ending.UNDECIDED, f"more than {MOST_PARAMETERS:,} parameters")

    def _endless(self) -> None:
        below = self._open & (self._loss < self._surface.no_critical_below)
        quiet = self._norm < QUIET
        self._settle((below & quiet).nonzero()[:, 0], Ending.STALLED, ENDLESS)
        self._settle((below & ~quiet).nonzero()[:, 0], Ending.UNDECIDED, ENDLESS)

    def _polish(self) -> None:
        rows = self._left()
        if not len(rows):
            return
        polished = polish(self._surface, self._flat[rows])
        self._flat[rows], self._norm[rows], self._moved[rows] = polished.flat, polished.gradient_norm, polished.moved
        self._loss[rows] = self._surface.loss(polished.flat)
        kinks = self._surface.kinks(polished.flat).tolist()
        for one, refusal, kink in zip(torch.split(rows, 1), polished.refusals, kinks, strict=True):
            if kink:
                self._settle(one, Ending.STALLED, "a sample lies on the kink of a relu unit")
            elif refusal in (Refusal.FAR, Refusal.SLOW) and self._norm[one] < QUIET:
                self._settle(one, Ending.STALLED, f"a slow plateau: {refusal.value}")
            elif refusal is not None:
                self._settle(one, Ending.UNDECIDED, refusal.value)

    def _by_curvature(self) -> None:
        rows = self._left()
        if not len(rows):
            return
        flat = self._flat[rows]
        found = spectrum(self._surface.hessian(flat), self._surface.symmetries(flat), self._norm[rows])
        self._note(rows, found)
        self._settle(rows[~found.known], Ending.UNDECIDED, Refusal.BROKEN.value)
        self._settle(rows[found.known & (found.negative > 0)], Ending.SADDLE)
        self._dead()
        self._lines()
        self._valleys()
        self._settle(self._left(), Ending.BAD_MINIMUM)

    def _dead(self) -> None:
        rows = self._left()
        dead = self._surface.dead(self._flat[rows]).sum(1)
        counts = dead[dead > 0].tolist()
        self._settle(rows[dead > 0], Ending.UNDECIDED, [f"{n} dead unit{'s' if n > 1 else ''}" for n in counts])

    def _lines(self) -> None:
        rows = self._left()
        units = self._surface.units(self._flat[rows]) if len(rows) else None
        if units is None:
            return
        twins = has_twins(units)
        falls = falls_along_a_line(self._surface, self._flat[rows], units)
        self._settle(rows[falls], Ending.PLATEAU_SADDLE)
        if not units.smooth:
            reason = "equal relu units: on a finite sample their line has no curvature of its own"
            self._settle(rows[twins & ~falls], Ending.UNDECIDED, reason)

    def _valleys(self) -> None:
        rows = self._left()
        rows = rows[self._counts[rows.cpu(), 2].to(rows.device) > 0]
        if len(rows):
            falls = falls_further(self._surface, self._flat[rows])
            self._settle(rows[falls], Ending.STALLED, "the loss falls further along a flat direction")

    def _note(self, rows: Tensor, found: Spectrum) -> None:
        self._extremes[rows.cpu()] = torch.stack([found.smallest, found.largest], 1).cpu()
        self._counts[rows.cpu()] = torch.stack([found.negative, found.explained, found.zero], 1).cpu()
