"""What `escapedim compare` found: the pydantic models of its result.

`sources` are the results that were compared, whole, so that a report and every figure need compare.json alone.
A directional row has two p-values, one for each explanation's prediction, and `direction` is the prediction that is not
rejected when the other is. A descriptive row has an estimate and its interval, and no part in the verdict.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from escapedim.records.columns import Count, Interval, Model, Rate, RateInterval
from escapedim.records.experiments import Share

Key = Literal[
    "isolation",
    "complement",
    "escape",
    "literal_tickets",
    "effective_tickets",
    "restarts",
    "equal_parameters",
    "instability",
    "counts",
]
Direction = Literal["tickets", "escape", "neither", "undecided", "not measured"]


class Prediction(Model):
    """What an explanation says that the estimate is: in words, and the closed range of values that it allows."""

    text: str
    low: float | None = None
    high: float | None = None


class Measured(Model):
    """One measurement that a row rests on, such as one width: what it is, its estimate and its interval.

    `observations` are the networks, pairs or tickets that it was estimated from; `predictions` are other quantities to
    hold it against, by what they are, such as the number of disjoint tickets. Where only one end is known, `at_least`
    or `at_most` is it (95 %, one-sided).
    """

    what: str
    x: float | None = None
    estimate: float | None
    interval: Interval | None
    observations: Count
    at_least: float | None = None
    at_most: float | None = None
    predictions: dict[str, float] = Field(default={})
    note: str = ""


class Row(Model):
    """One quantity, what each explanation predicted of it, and which prediction is left.

    `estimate` is in `unit` ("share", "points", "tickets", ...). `p_tickets` and `p_escape` are one-sided or two-sided
    p-values of the predictions as `method` says; the Holm-corrected ones are over all directional rows. `p_not_tickets`
    and `p_not_escape` are those of the contrary, that the prediction is wrong by more than the margin: a direction has
    to be shown against it. They are null where one prediction is the contrary of the other. `needed` is about how many
    observations in all would decide an undecided row if the estimate stayed as it is. `command` measures a row that is
    `not measured`, and `inputs` names the sources that it was measured in.
    """

    key: Key
    kind: Literal["directional", "descriptive"]
    estimate: float | None
    interval: Interval | None
    unit: str
    observations: Count
    prediction_tickets: Prediction | None = None
    prediction_escape: Prediction | None = None
    p_tickets: Rate | None = None
    p_escape: Rate | None = None
    p_tickets_holm: Rate | None = None
    p_escape_holm: Rate | None = None
    p_not_tickets: Rate | None = None
    p_not_escape: Rate | None = None
    p_not_tickets_holm: Rate | None = None
    p_not_escape_holm: Rate | None = None
    direction: Direction | None = None
    sentence: str
    method: str = ""
    needed: Count | None = None
    command: str | None = None
    inputs: list[str] = Field(default=[])
    measured: list[Measured] = Field(default=[])

    @model_validator(mode="after")
    def _only_directional_rows_point(self) -> Row:
        if self.kind == "descriptive" and self.direction not in (None, "not measured"):
            raise ValueError(f"row {self.key}: a descriptive row has no direction")
        return self


class Failures(Model):
    """Failure rate q(n) of one width with its Wilson interval."""

    width: Count
    failed: Count
    members: Count
    rate: Rate
    interval: RateInterval


class Predicted(Model):
    """The failure rate that a fitted law predicts at a width, with its 95 % band."""

    width: Count
    rate: Rate
    band: RateInterval


class Law(Model):
    """One law of q(n), fitted jointly to all widths with its nuisance parameters.

    `deviance` is against the saturated model over `widths` and `p` that of the parametric bootstrap; `parameters` are
    fitted values with their intervals. `off_by` is the most that the law can be off the failure rate at any width that
    it predicts (an upper bound at the level of the laws). A law that cannot be fitted has `reason` instead.
    """

    name: str
    formula: str
    deviance: float | None = None
    freedom: Count | None = None
    p: Rate | None = None
    off_by: Rate | None = None
    parameters: dict[str, float] = Field(default={})
    rejected: bool | None = None
    predicted: list[Predicted] = Field(default=[])
    reason: str = ""


class Laws(Model):
    """Failure rates by width, and the laws that were fitted to them.

    `taken` are shares that laws take from elsewhere: `q_lit` by width, and `stay` by the width that is left. A law is
    preferred only if it is not rejected and every rival is, if it predicts the failure rate at every width at which
    they were judged, and if it is shown to be off by no more than the margin at any of them.
    """

    base_width: Count | None
    observed: list[Failures]
    taken: dict[str, dict[str, Share]] = Field(default={})
    laws: list[Law]
    level: Rate
    preferred: str | None = None
    sentence: str


class Compared(Model):
    """One summary that was compared, or several shards of one study merged; `files` are how it was named."""

    name: str
    files: list[str]
    kind: Literal["train", "lottery", "widen", "rewind", "compare"]
    status: Literal["running", "interrupted", "complete", "failed"]
    ids: list[str]
    version: str
    config: dict[str, Any]
    result: dict[str, Any]
    not_merged: list[str] = Field(default=[])


class Allowed(Model):
    """A difference between summaries that was permitted by name: the values that were found."""

    key: str
    values: list[str]


class Verdict(Model):
    """The rows in one sentence, the numbers of rows by direction, and the level of the family of tests."""

    sentence: str
    directions: dict[Direction, Count]
    level: Rate


class CompareResult(Model):
    """Result of `escapedim compare`. `margin` is how far from a point prediction still counts as meeting it.

    There are no checkpoints: nothing is trained.
    """

    task: str
    margin: Rate
    sources: list[Compared]
    allowed: list[Allowed] = Field(default=[])
    rows: list[Row]
    laws: Laws | None = None
    verdict: Verdict
    checkpoints: dict[str, str] = Field(default={})
