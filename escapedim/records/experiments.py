"""What the experiments beside width scaling found: the entries of `isolation`, `complement`, `escape` and their kin.

Every count has its denominator and every rate its 95 % Wilson interval, in one `Share`; what depends on more than a
count has the table that it was computed from.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from escapedim.records.columns import Count, Interval, Model, PerReplicate, Rate, RateInterval, check_rate


class Share(Model):
    """A count of members, how many there were, and the rate with its interval (null of none)."""

    count: Count
    of: Count
    rate: Rate | None
    interval: RateInterval | None

    @model_validator(mode="after")
    def _agree(self) -> Share:
        if self.count > self.of:
            raise ValueError(f"{self.count} of {self.of}")
        check_rate(self.rate, self.count, self.of)
        return self


class Estimated(Model):
    """A quantity with its 95 % interval; null where the data do not give it."""

    value: float | None
    interval: Interval | None


class Paired(Model):
    """The same members under two treatments: how many succeed under both, under one only, under neither.

    `p` is that of McNemar's exact test (two-sided), null where no member differs.
    """

    both: Count
    first_only: Count
    second_only: Count
    neither: Count
    p: Rate | None


class Spread(Model):
    """Least, median and largest of a quantity over members."""

    min: float
    median: float
    max: float


class Subnetworks(Model):
    """All subnetworks of `units` units, or a seeded sample: `trained` of `there` in each member; `winning` of them."""

    units: Count
    trained: Count
    there: Count
    winning: Share


class Isolation(Model):
    """Wide members against their own unit subnetworks, trained alone from the same initial weights and data order.

    `table` has the wide network as its first treatment and "any of its subnetworks" as its second. With `sampled`
    subsets "none wins" is not known, so that `wins_given_none` is null and `q_lit` is an upper bound. `q` is the
    share of wide members that fail, `q_lit` of those none of whose subnetworks wins. `rescaled` are the factors that
    give subnetworks the narrow network's initial distribution, by parameter.
    """

    width: Count
    members: Count
    sizes: list[Subnetworks]
    sampled: bool
    table: Paired
    wins_given_none: Share | None
    fails_given_some: Share
    q: Share
    q_lit: Share
    rescaled: dict[str, float] = Field(default={})


class Ticket(Model):
    """One narrow network: `replicate` of the narrow width, how often it and its networks succeeded, of how many.

    `retest` is null where training is deterministic and the ticket unchanged: it would succeed or fail again.
    """

    replicate: Count
    retest: Count | None
    successes: dict[str, Count]


class Surrounded(Model):
    """Tickets of one kind among fresh units drawn at one `scale`; networks of one ticket are no independent ones."""

    scale: float
    rate: Estimated
    networks: Count
    successes: Count


class Tickets(Model):
    """Winning or losing narrow networks, each surrounded `draws` times a scale, and retested alone as often.

    Where training is deterministic a retest is made once, if at all: another would repeat it.
    """

    tickets: list[Ticket]
    retest: Estimated
    surrounded: list[Surrounded]

    @model_validator(mode="after")
    def _counted_at_every_scale(self) -> Tickets:
        scales = {"1", *(f"{one.scale:g}" for one in self.surrounded)}
        if not all(scales <= ticket.successes.keys() for ticket in self.tickets):
            raise ValueError(f"a ticket has no count at one of the scales {', '.join(sorted(scales))}")
        return self


class Complement(Model):
    """Narrow networks of `units` units among fresh other units, in networks of `width` units.

    `fresh` are networks of that width drawn anew. `index` is A = (P_winner - P_fresh) / (P_retest - P_fresh): 1 where
    the ticket decides, 0 where its surroundings do; its interval is Fieller's, clustered by ticket, and `reason` says
    why there is none. `rescaled` as in `Isolation`.
    """

    width: Count
    units: Count
    draws: Count
    deterministic: bool
    winners: Tickets
    losers: Tickets
    fresh: Share
    index: Estimated
    reason: str = ""
    rescaled: dict[str, float] = Field(default={})


class Landing(Model):
    """Where networks ended: one ending at one loss (null for endings that are not certified)."""

    ending: str
    loss: float | None
    members: Count


class Controls(Model):
    """Successes without widening, after the same noise and training; and of fresh draws, narrow and wide."""

    noise_only: Share
    fresh_narrow: Share
    fresh_wide: Share


class Portrait(Model):
    """The loss around a bad minimum of a narrow network that was split, and the path that left it.

    `loss[j][i]` is that at `old[i]` along the narrow network's direction of least curvature and `added[j]` along the
    wide network's most negative one, both of length 1 and 0 at the minimum; `replicate` is the source's. The path has
    the steps at which it was looked at, its two coordinates in that plane, and its own loss.
    """

    replicate: Count
    old_curvature: float
    added_curvature: float
    old: list[float]
    added: list[float]
    loss: list[list[float]]
    path_step: list[Count]
    path_old: list[float]
    path_added: list[float]
    path_loss: list[float]

    @model_validator(mode="after")
    def _one_loss_a_point(self) -> Portrait:
        rows, path = {len(row) for row in self.loss}, (self.path_step, self.path_old, self.path_added, self.path_loss)
        if len(self.loss) != len(self.added) or rows - {len(self.old)} or len(self.old) < 4 or len(self.added) < 4:
            raise ValueError("a table of losses that does not fit its coordinates")
        if any(before >= after for values in (self.old, self.added) for before, after in pairwise(values)):
            raise ValueError("coordinates that do not rise")
        if len({len(values) for values in path}) > 1 or not self.path_step:
            raise ValueError("a path whose lists have no or different lengths")
        return self


class Escape(Model):
    """Failed members of one width and one ending, embedded in a wider network, perturbed and trained on.

    `source_ending` is a certified ending, or "failed" where none was certified. `escaped` are those that left the
    source's loss, null where its ending is not certified; `reached_global` those that end in a global minimum, or
    succeed where none can be certified: `judged_by` says which. Negative directions and `lambda_min` (the least
    eigenvalue) are those that the embedding opened at a critical point, `opened_gradient` the largest norm of the
    gradient that it opened; null where they were not computed, and `reason` says why. `against_noise` pairs the
    embedding (first) with the noise-only control. The lists have one entry a source: its replicate, and training
    losses before, after, and of the noise-only control (null where it diverged).
    """

    from_width: Count
    to_width: Count
    layer: Count = 1
    by: Count
    embedding: str
    alpha: float | None
    perturbation: str
    sources: Count
    source_ending: str
    judged_by: Literal["ending", "success"]
    negative_directions: Spread | None
    lambda_min: float | None
    opened_gradient: float | None
    escaped: Share | None
    reached_global: Share
    landings: list[Landing]
    controls: Controls
    against_noise: Paired
    replicates: list[Count]
    loss_before: PerReplicate
    loss_after: PerReplicate
    loss_noise_only: PerReplicate
    critical: bool | None = None
    reason: str = ""
    portrait: Portrait | None = None

    @model_validator(mode="after")
    def _one_entry_a_source(self) -> Escape:
        lists = (self.replicates, self.loss_before, self.loss_after, self.loss_noise_only)
        if any(len(found) != self.sources for found in lists):
            listed = ", ".join(str(len(found)) for found in lists)
            raise ValueError(f"lists of {listed} entries, but {self.sources} sources")
        return self


class Restarts(Model):
    """Best of k narrow networks against one wide one at equal cost in multiply-adds.

    `k` is the cost of a wide network over that of a narrow one, by the steps that they took; it need not be whole.
    `best_of_k` is 1 - (1 - p)^k of the narrow success rate p, with its interval carried through.
    """

    narrow: Count
    width: Count
    narrow_multiply_adds: float
    wide_multiply_adds: float
    k: float
    narrow_success: Share
    best_of_k: Estimated
    wide_success: Share


class Transient(Model):
    """Failed members, widened by a split, trained for `steps` steps, merged back and trained on.

    `merged` are those that reach a global minimum or succeed (as in `Escape`), `against_noise` pairs them (first) with
    the same noise and as many steps without widening.
    """

    width: Count
    by: Count
    steps: Count
    sources: Count
    source_ending: str
    judged_by: Literal["ending", "success"]
    merged: Share
    landings: list[Landing]
    noise_only: Share
    against_noise: Paired


class Halving(Model):
    """Members of a width trained again with half the step and twice as many of them.

    `changed` are those whose ending (and its level, where certified) differs; `table` pairs success with the whole
    step (first) and with half of it.
    """

    width: Count
    members: Count
    changed: Share
    table: Paired
    endings: dict[str, Count]
    halved_endings: dict[str, Count]
