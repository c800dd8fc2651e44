"""What is trained and how far it came: a job of members of one shape, and the state that a run needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from escapedim.models.network import Network
from escapedim.training.optimizers import of_members
from escapedim.training.problems.problem import Problem
from escapedim.training.recipe import Recipe

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Landed:
    """Of a look at a stack: its parameters, the landed members' polished, and which have landed or were examined."""

    flat: Tensor
    landed: Tensor
    examined: Tensor


Landing = Callable[[Tensor, Tensor, Tensor], Landed]
"""Looks at parameters and gradients `(members, parameters)`; only members that are due (a mask) may be examined."""


@dataclass(frozen=True)
class Job:
    """Members of one shape that are trained together.

    `params`, `mask` and `frozen` are `(members, parameters)`: outside a mask parameters are 0, and frozen ones stay as
    they are, unless the optimizer has weight decay; without either everything is trained. `order_seeds` has one seed a
    member. `lr_scale` `(parameters,)` multiplies the learning rate, 0 freezes. `landing` looks for members that are
    done; with `restart` a diverged member starts again with half the step. Training goes from step `start` to the end
    of the recipe; parameters are kept at `start` and at the steps `keep` (the parameters before that step's update, so
    that 0 are the initial ones).
    """

    model: Network
    problem: Problem
    recipe: Recipe
    params: Tensor
    mask: Tensor | None
    order_seeds: Sequence[int]
    start: int = 0
    keep: tuple[int, ...] = ()
    lr_scale: Tensor | None = None
    landing: Landing | None = None
    restart: bool = False
    frozen: Tensor | None = None

    def begin(self) -> State:
        """Return the state before the first step: masked starting weights and no optimizer moments."""
        flat = self.origin()
        never = torch.full((len(flat),), -1, dtype=torch.int64)
        unknown = torch.full((len(flat),), torch.nan, dtype=torch.float64)
        return State(
            step=self.start,
            params=flat,
            moments={},
            kept={},
            diverged_at=never,
            landed_at=never.clone(),
            look_at=torch.zeros_like(never),
            begun_at=torch.full_like(never, self.start),
            restarts=torch.zeros_like(never),
            best_validation=unknown,
            test_at_best=unknown.clone(),
        )

    def cost(self, state: State) -> dict[str, int]:
        """Return the network steps that were taken, and those that were planned."""
        planned = (self.recipe.steps - self.start) * len(self.params)
        return {"net_steps": int(state.taken(self.start).sum()), "planned_steps": planned}

    def origin(self) -> Tensor:
        """Return copies of the masked starting weights `(members, parameters)`."""
        return self.params.clone() if self.mask is None else self.params.masked_fill(~self.mask, 0)

    def trained(self) -> Tensor | None:
        """Return which parameters `(members, parameters)` are trained; None where all are."""
        if self.frozen is None:
            return self.mask
        return ~self.frozen if self.mask is None else self.mask & ~self.frozen


@dataclass(frozen=True)
class State:
    """All that a run needs to go on.

    Parameters `(members, parameters)`; the optimizer's moments of the members still in the stack; kept parameters by
    step. Per member: the steps at which it was seen to be diverged or to have landed (-1: not), from which on it may be
    looked at, and at which it began; how often it started again; and the best validation accuracy with the test
    accuracy at that check (NaN before the first).
    """

    step: int
    params: Tensor
    moments: dict[str, Tensor]
    kept: dict[int, Tensor]
    diverged_at: Tensor
    landed_at: Tensor
    look_at: Tensor
    begun_at: Tensor
    restarts: Tensor
    best_validation: Tensor
    test_at_best: Tensor

    def under_way(self) -> Tensor:
        """Return the indices of the members that are still trained."""
        return ((self.diverged_at < 0) & (self.landed_at < 0)).nonzero()[:, 0]

    def steps(self) -> Tensor:
        """Return how many steps each member took, since its last restart."""
        return self._ended() - self.begun_at

    def taken(self, start: int) -> Tensor:
        """Return how many steps each member took in all since step `start` of the run: what it cost."""
        return self._ended() - start

    def _ended(self) -> Tensor:
        ended = torch.where(self.diverged_at >= 0, self.diverged_at, torch.full_like(self.diverged_at, self.step))
        return torch.where(self.landed_at >= 0, self.landed_at, ended)

    def at(self, places: Sequence[int]) -> State:
        """Return the state of the members at `places`, each as often as it is named; its training is over."""
        chosen = torch.tensor(places, dtype=torch.int64)
        per_member = {name: getattr(self, name)[chosen] for name in _PER_MEMBER}
        kept = {step: rows[chosen] for step, rows in self.kept.items()}
        return replace(self, params=self.params[chosen.to(self.params.device)], kept=kept, moments={}, **per_member)

    @classmethod
    def joined(cls, states: Sequence[State]) -> State:
        """Return states at one and the same step as that of one stack, in their order."""
        first = states[0]
        per_member: dict[str, Any] = {name: torch.cat([getattr(one, name) for one in states]) for name in _PER_MEMBER}
        return replace(
            first,
            params=torch.cat([one.params for one in states]),
            moments={
                name: torch.cat([one.moments[name] for one in states]) if value.dim() == 2 else value
                for name, value in first.moments.items()
            },
            kept={step: torch.cat([one.kept[step] for one in states]) for step in first.kept},
            **per_member,
        )

    def split(self, counts: Sequence[int]) -> list[State]:
        """Return what `joined` made one: states of so many members each."""
        return [self._part(stop - count, stop) for count, stop in zip(counts, accumulate(counts), strict=True)]

    def _part(self, start: int, stop: int) -> State:
        trained = self.under_way()
        own = ((trained >= start) & (trained < stop)).to(self.params.device)
        per_member: dict[str, Any] = {name: getattr(self, name)[start:stop] for name in _PER_MEMBER}
        return replace(
            self,
            params=self.params[start:stop],
            moments=of_members(self.moments, own),
            kept={step: rows[start:stop] for step, rows in self.kept.items()},
            **per_member,
        )

    def arrays(self) -> Arrays:
        """Return the state as named arrays, as checkpoints store it."""
        named: dict[str, Tensor] = {
            "params": self.params,
            **{name: getattr(self, name) for name in _PER_MEMBER},
            **{f"moments.{name}": value for name, value in self.moments.items()},
            **{f"kept.{step}": value for step, value in self.kept.items()},
        }
        return {"step": np.array(self.step), **{name: value.cpu().numpy() for name, value in named.items()}}

    @classmethod
    def from_arrays(cls, arrays: Arrays, device: str) -> State:
        """Rebuild what `arrays` returned."""
        tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        moments = {name[8:]: value for name, value in tensors.items() if name.startswith("moments.")}
        return cls(
            step=int(arrays["step"]),
            params=tensors["params"].to(device),
            moments={name: value.to(device) for name, value in moments.items()},
            kept={int(name[5:]): value for name, value in tensors.items() if name.startswith("kept.")},
            **{name: tensors[name] for name in _PER_MEMBER},
        )


_PER_MEMBER = ("diverged_at", "landed_at", "look_at", "begun_at", "restarts", "best_validation", "test_at_best")
