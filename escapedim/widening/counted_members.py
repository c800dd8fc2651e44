"""The works of `escapedim widen`: stacks of members of one width, from their draws to their endings.

With a sweep of learning rates, pilot works try each of them first, on replicates of their own, so that the rate is not
chosen by the members that are counted with it. The best rate has the lowest median of the final training loss (of the
test loss, where no training sample is seen twice).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from escapedim.training.job import Job, State
from escapedim.training.metrics import measure
from escapedim.training.stretch import train
from escapedim.training.work import Arrays, Context, Outcome
from escapedim.widening.member_keys import members_key
from escapedim.widening.stack import Setting, Starts, loss_name

PILOT_MEMBERS = 20  # that try each learning rate; ours
RATE_FACTORS = (1.0, 0.5, 2.0, 0.25, 4.0)  # of the recipe's rate, the first of equally good ones is taken; ours


@dataclass(frozen=True)
class PilotWork:
    """A stack that tries one learning rate; its `losses` are `loss_name`'s."""

    setting: Setting
    factor: float

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return pilot_key(self.setting.width, self.factor)

    @property
    def needs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the pilots; keep their final losses `(members,)`, NaN where they diverged."""
        replicates, lr = range(PILOT_MEMBERS), self.setting.recipe.lr * self.factor
        starts = Starts(self.setting.drawn(replicates, "pilot "), self.setting.orders(replicates, "pilot "))
        job = self.setting.job(context, starts, lr)
        return train(job, context, paused, lambda state: self._ended(job, context, state))

    def _ended(self, job: Job, context: Context, state: State) -> Outcome:
        task = self.setting.judged(context.task)
        rows = measure(job, task, context.data, state)
        found = [row[loss_name(task)] for row in rows]
        losses = np.array([math.nan if loss is None else loss for loss in found])
        failures = sum(not row["success"] for row in rows)
        return Outcome(
            {"losses": losses},
            {"lr": job.recipe.lr, "losses": found, "failures": failures, **job.cost(state)},
        )


@dataclass(frozen=True)
class WidthWork:
    """A stack of counted members of one width."""

    setting: Setting
    replicates: tuple[int, ...]
    pilots: bool

    @property
    def key(self) -> str:
        """Name of its checkpoint."""
        return members_key(self.setting.width, self.replicates)

    @property
    def needs(self) -> tuple[str, ...]:
        """The pilots of its width, where learning rates are tried."""
        return tuple(pilot_key(self.setting.width, factor) for factor in RATE_FACTORS) if self.pilots else ()

    def __call__(self, context: Context, earlier: Mapping[str, Arrays], paused: Arrays | None) -> Outcome:
        """Train the members and say where they stopped, as in `Setting.run`."""
        starts = Starts(self.setting.drawn(self.replicates), self.setting.orders(self.replicates))
        return self.setting.run(context, starts, paused, self._lr(earlier))

    def _lr(self, earlier: Mapping[str, Arrays]) -> float:
        if not self.pilots:
            return self.setting.recipe.lr
        losses = {factor: earlier[pilot_key(self.setting.width, factor)]["losses"] for factor in RATE_FACTORS}
        return self.setting.recipe.lr * best_factor(losses)


def pilot_key(width: int, factor: float) -> str:
    """Name of the checkpoint of a pilot work."""
    return f"width-{width:06d}-pilot-{factor:g}"


def best_factor(losses: Mapping[float, np.ndarray]) -> float:
    """Return the factor with the lowest median loss; a diverged member's loss is infinite; the first of equal ones."""
    medians = {factor: np.median(np.nan_to_num(values, nan=np.inf)) for factor, values in losses.items()}
    return min(medians, key=lambda factor: medians[factor])
