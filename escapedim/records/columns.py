"""What the models of a summary are made of: strict, without NaN, in numbers that have limits."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Rate = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
MeanCount = Annotated[int | float, Field(ge=0, lt=2**63)]
PerReplicate = list[float | None]
Accuracies = list[Rate | None]


def _pair(value: Any) -> Any:
    # JSON has no tuples, and a strict reading takes nothing else for one.
    return tuple(value) if isinstance(value, list) else value


def _ordered(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    if low > high:
        raise ValueError(f"expected the lower bound first, found {low:g} and {high:g}")
    return interval


Interval = Annotated[tuple[float, float], BeforeValidator(_pair), AfterValidator(_ordered)]
RateInterval = Annotated[tuple[Rate, Rate], BeforeValidator(_pair), AfterValidator(_ordered)]


class Model(BaseModel):
    """Base of all parts of a summary: a newer escapedim's keys are passed over, NaN and infinity are refused."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class Arm(Model):
    """One arm of a round; every list has one entry a replicate, null where a member diverged."""

    train_loss: PerReplicate
    train_accuracy: Accuracies | None = None
    test_loss: PerReplicate | None = None
    test_accuracy: Accuracies | None = None
    test_accuracy_at_best_validation: Accuracies | None = None
    success: list[bool]


def check_rate(rate: float | None, count: int, of: int) -> None:
    """Refuse a rate that is not that of the counts: loosely, since another program may have rounded it."""
    if rate is not None and abs(rate * of - count) > max(1, of) / 1000:
        raise ValueError(f"a success rate of {rate:g}, but {count} successes of {of} members")
