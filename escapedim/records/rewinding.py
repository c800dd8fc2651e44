"""What `escapedim rewind` found: the pydantic models of its result.

Lists have one entry a replicate; what was repeated over draws is their mean. Invariants are those of `prune`, over all
networks of an entry: without one of them, what was trained is not what the entry says.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from escapedim.records.columns import Accuracies, Arm, Count, Interval, Model, PerReplicate, Rate
from escapedim.records.experiments import Estimated, Paired


class Kept(Model):
    """Subnetwork equal to the weights it was rewound to, 0 outside where masked, exact counts, all else as asked."""

    survivors_equal_rewind_weights: bool
    masked_weights_zero: bool
    density_exact: bool
    complement_as_asked: bool
    data_order_as_asked: bool


class Difference(Model):
    """Mean of paired differences over replicates, with its standard error, t interval and two-sided p-value.

    Where all pairs of shares differ by the same, the interval is that of a share of pairs none of which differs.
    """

    difference: float
    standard_error: float | None = None
    interval: Interval | None = None
    p: Rate | None = None


class Retrained(Model):
    """Tickets of one round in one retraining mode: a point of the cube mask × weights × schedule.

    `to` is the step to which it rewinds, `steps` are those that were trained. `same_as` names a mode of the same round
    and point that is the same training. `against_dense` is in accuracy against round 0 of the prune run, and
    `equals_run` says whether all numbers are those of the prune run's own arm: null for another training.
    """

    round: Count
    density: Rate
    mode: str
    to: Count
    mask_from: str
    weights_from: str
    schedule_from: str
    steps: Count
    same_as: str | None = None
    arm: Arm
    against_dense: Difference | None = None
    equals_run: bool | None = None
    invariants: Kept


class Surrounded(Model):
    """A subnetwork in one complement: trained with it (`whole`), and then with the complement cut away (`alone`).

    Rates of success are over replicates, which are clusters of `networks`. `cosine` and `distance` say how far the
    subnetwork's weights ended from where they end in isolation (distance over the norm of the latter). Of `winners`,
    the replicates whose subnetwork succeeds in isolation, `whole_of_winners` and `alone_of_winners` still do here;
    `against_isolation` pairs isolation (first) with the whole network of the first draw (second) over all replicates.
    """

    networks: Count
    whole: Estimated
    alone: Estimated
    whole_success: list[Rate]
    alone_success: list[Rate]
    whole_accuracy: Accuracies | None = None
    alone_accuracy: Accuracies | None = None
    winners: Count
    whole_of_winners: Estimated
    alone_of_winners: Estimated
    against_isolation: Paired
    cosine: PerReplicate
    distance: PerReplicate


class Against(Model):
    """The ticket minus a control subnetwork of the same density in the same complement, paired over replicates."""

    control: str
    whole: Difference
    alone: Difference
    whole_accuracy: Difference | None = None
    alone_accuracy: Difference | None = None


class Surroundings(Model):
    """One complement at one round: the ticket and its controls side by side."""

    round: Count
    density: Rate
    to: Count
    complement: str
    draws: Count
    subnetworks: dict[str, Surrounded]
    against: list[Against]
    invariants: Kept


class Line(Model):
    """Barriers between two networks of each replicate.

    `between` is `data orders` (copies of the ticket), `dense data orders` (of the dense network, trained from the same
    step), `ticket and dense` (both rewound to it) or `successive rounds` (ends of the prune run's tickets of
    `round` and the one before, where nothing is trained and `invariants` is null).
    `errors` are means over replicates at `alphas`, and null where one diverged; `mean` is over those that did not.
    `stable` is about data orders, and null where errors are losses. `aligned` are the barriers once units are matched.
    """

    between: str
    round: Count
    density: Rate
    to: Count | None
    error: str
    alphas: list[float]
    errors: list[float | None]
    barriers: PerReplicate
    mean: float | None
    standard_error: float | None
    stable: bool | None
    aligned: PerReplicate
    aligned_mean: float | None
    invariants: Kept | None = None

    @model_validator(mode="after")
    def _lists_agree(self) -> Line:
        if len(self.alphas) != len(self.errors) or len(self.barriers) != len(self.aligned):
            raise ValueError(f"{self.between}, round {self.round}: lists of different lengths")
        if (self.to is None) != (self.between == "successive rounds"):
            raise ValueError(f"{self.between}, round {self.round}: expected to be rewound, but between rounds")
        return self


class RewindResult(Model):
    """Result of `escapedim rewind`. `replay_exact` says whether a replay of round 0 met every point that was kept."""

    replicates: list[Count]
    success_criterion: str
    rewind_to: Count
    kept: list[Count]
    replay_exact: bool | None = None
    modes: list[Retrained]
    complements: list[Surroundings]
    instability: list[Line]
    checkpoints: dict[str, str] = Field(default={})

    def violations(self) -> list[str]:
        """Return which invariants do not hold, in words."""
        named = [
            *((f"round {one.round}, {one.mode} to {one.to}", one.invariants) for one in self.modes),
            *((f"round {one.round}, complement {one.complement}", one.invariants) for one in self.complements),
            *((f"round {one.round}, {one.between}", one.invariants) for one in self.instability if one.invariants),
        ]
        broken = [f"{where}: {name}" for where, invariants in named for name, holds in invariants if not holds]
        return broken + (["replay: weights of round 0"] if self.replay_exact is False else [])
