"""What a run found, by kind: the pydantic models of a summary's `result`, and what must agree inside each of them.

A result holds no times, hosts or paths, so that two runs of one configuration on one machine have equal results.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Literal

from pydantic import Field, model_validator

from escapedim.records.columns import (
    Accuracies,
    Arm,
    Count,
    Interval,
    MeanCount,
    Model,
    PerReplicate,
    Rate,
    RateInterval,
    check_rate,
)
from escapedim.records.comparison import CompareResult
from escapedim.records.experiments import Complement, Escape, Halving, Isolation, Restarts, Transient
from escapedim.records.rewinding import RewindResult


class Layer(Model):
    """Survivors of one prunable layer; means over replicates where those differ.

    A unit is alive while it has an incoming and an outgoing weight left (the output layer: an incoming one).
    """

    name: str
    surviving: MeanCount
    total: Count
    units_alive: MeanCount | None = None


class Invariants(Model):
    """What must hold in the ticket arm of every round, over all its replicates.

    Without one of the first four, what was trained is not the ticket, and the run fails. `no_layer_empty` is a finding
    about the network: pruning in global scope may take all weights of a layer, rightly.
    """

    survivors_equal_rewind_weights: bool
    masked_weights_zero: bool
    masks_nested: bool
    density_exact: bool
    no_layer_empty: bool


class Contrast(Model):
    """Ticket minus the best trained control, in accuracy, paired over replicates (t interval).

    `p_holm` is the two-sided p-value after Holm's correction over rounds.
    """

    control: str
    difference: float
    standard_error: float | None = None
    interval: Interval | None = None
    p: Rate | None = None
    p_holm: Rate | None = None


class Round(Model):
    """One train-prune-rewind cycle; round 0 is the dense network. Lists have one entry a replicate."""

    round: Count
    density: Rate
    surviving: MeanCount
    surviving_by_replicate: list[int] | None = None
    total: Count
    layers: list[Layer]
    arms: dict[str, Arm]
    invariants: Invariants
    replicates: list[Count] | None = None
    matching: bool | None = None
    winning: bool | None = None
    contrast: Contrast | None = None


class LotteryVerdict(Model):
    """`dense_test_accuracy` is null on tasks without accuracy, and then nothing can match or win."""

    last_matching_round: int | None
    last_winning_round: int | None
    tolerance: float
    dense_test_accuracy: Rate | None
    dense_standard_error: float | None = None


class LotteryResult(Model):
    """Result of `escapedim prune`."""

    rounds: list[Round]
    verdict: LotteryVerdict | None = None
    success_criterion: str | None = None
    optimizer_state: Literal["reset", "restored"] = "reset"
    checkpoints: dict[str, str] = Field(default={})

    def violations(self) -> list[str]:
        """Return which invariants do not hold, in words; an empty layer is a finding, and no fault."""
        return [
            f"round {entry.round}: {name}"
            for entry in self.rounds
            for name, holds in entry.invariants
            if not holds and name != "no_layer_empty"
        ]

    @model_validator(mode="after")
    def _counts_agree(self) -> LotteryResult:
        for entry in self.rounds:
            if not math.isclose(sum(layer.surviving for layer in entry.layers), entry.surviving, rel_tol=1e-9):
                raise ValueError(f"round {entry.round}: the layers' survivors do not add up to {entry.surviving}")
            for name, arm in entry.arms.items():
                if len(lengths := _lengths(dict(arm))) != 1:
                    raise ValueError(f"round {entry.round}, arm {name}: lists of different lengths {lengths}")
        return self


class TrainResult(Model):
    """Result of `escapedim train`; every list has one entry a replicate, in the order of `replicates`.

    `moved` is the distance from the start over the norm of the starting weights, `steps` those that were taken.
    """

    success_criterion: str
    parameters: Count
    members: Count
    successes: Count
    success_rate: Rate | None
    success_interval: RateInterval | None
    endings: dict[str, Count]
    replicates: list[Count]
    train_loss: PerReplicate
    train_accuracy: Accuracies | None = None
    test_loss: PerReplicate | None = None
    test_accuracy: Accuracies | None = None
    test_accuracy_at_best_validation: Accuracies | None = None
    success: list[bool]
    ending: list[str]
    reason: list[str] | None = None
    marginal: list[bool] | None = None
    smallest_eigenvalue: PerReplicate | None = None
    negative_directions: list[Count | None] | None = None
    moved: PerReplicate | None = None
    steps: list[Count] | None = None
    kept_steps: list[Count]
    checkpoints: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _lists_agree(self) -> TrainResult:
        if len(lengths := _lengths(dict(self), but="kept_steps")) != 1:
            raise ValueError(f"lists of different lengths {lengths}")
        if len(set(self.replicates)) != len(self.replicates):
            raise ValueError(f"a replicate is there twice: {self.replicates}")
        if (self.members, self.successes) != (len(self.success), sum(self.success)):
            found = f"{sum(self.success)} of {len(self.success)}"
            raise ValueError(f"{self.successes} successes of {self.members} members, but the lists have {found}")
        if {name: count for name, count in self.endings.items() if count} != Counter(self.ending):
            raise ValueError("the endings are not those of the list")
        check_rate(self.success_rate, self.successes, self.members)
        return self


class Quantiles(Model):
    """Of a quantity over the members of a width; null where no member has a finite value."""

    minimum: float | None = None
    q05: float | None = None
    q25: float | None = None
    median: float | None = None
    q75: float | None = None
    q95: float | None = None
    maximum: float | None = None


class Level(Model):
    """Certified endings of one loss: a channel counts by its limit loss.

    `smallest_eigenvalue` is the least over the members (null without a spectrum), `negative_directions` their median.
    """

    loss: float
    members: Count
    ending: str
    marginal: bool
    smallest_eigenvalue: float | None = None
    negative_directions: Count | None = None


class Threshold(Model):
    """How many members would fail if the success criterion had another threshold."""

    threshold: float
    failures: Count
    failure_rate: Rate
    failure_interval: RateInterval


class RateTrial(Model):
    """One learning rate of the sweep at a width: median final training loss and failures of pilot members."""

    lr: float
    members: Count
    median_loss: float | None
    failures: Count


class Width(Model):
    """One width of `escapedim widen`. `moved` is the distance from the start over the norm of the starting weights.

    `marginal` counts certified endings with an eigenvalue that cannot be told from 0, `restarted` the members that
    diverged and started again with half the step, `reasons` says why endings are stalled or undecided.
    """

    width: Count
    parameters: Count
    members: Count
    successes: Count
    success_rate: Rate | None
    success_interval: RateInterval | None
    endings: dict[str, Count]
    marginal: Count = 0
    levels: list[Level] = Field(default=[])
    reasons: dict[str, Count] = Field(default={})
    loss_quantiles: Quantiles
    moved_quantiles: Quantiles | None = None
    median_steps: float | None
    restarted: Count = 0
    lr: float
    lr_sweep: list[RateTrial] | None = None
    threshold_sensitivity: list[Threshold] = Field(default=[])


class WidenResult(Model):
    """Result of `escapedim widen`; `widths` is empty where finished members were widened (`--from`)."""

    success_criterion: str
    widths: list[Width]
    isolation: list[Isolation] = Field(default=[])
    complement: list[Complement] = Field(default=[])
    escape: list[Escape] = Field(default=[])
    restarts: list[Restarts] = Field(default=[])
    transient: list[Transient] = Field(default=[])
    step_halving: list[Halving] = Field(default=[])
    checkpoints: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _counts_agree(self) -> WidenResult:
        for entry in self.widths:
            if sum(entry.endings.values()) != entry.members or entry.successes > entry.members:
                raise ValueError(f"width {entry.width}: the endings do not add up to {entry.members} members")
            check_rate(entry.success_rate, entry.successes, entry.members)
        return self


def _lengths(fields: dict[str, Any], but: str = "") -> list[int]:
    return sorted({len(values) for name, values in fields.items() if isinstance(values, list) and name != but})


Result = LotteryResult | TrainResult | WidenResult | RewindResult | CompareResult
RESULTS: dict[str, type[Result]] = {
    "train": TrainResult,
    "lottery": LotteryResult,
    "widen": WidenResult,
    "rewind": RewindResult,
    "compare": CompareResult,
}
