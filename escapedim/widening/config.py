"""The configuration of `escapedim widen`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from escapedim.landscape.widths import parse_widths
from escapedim.training.config import TrainingConfig, Value, Width, field, spec

PARAMETRIZATIONS: dict[str, dict[str, Any]] = {"standard": {}, "ntk": {"base": 16}, "mup": {"base": 16}}
"""The width at which all three are the same network is `base`: 16 is ours, in the middle of the default widths."""


def _widths(value: Value) -> Value:
    """Read `2:12,16,32`, a lone number, and lists of both."""
    parts = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(part, bool) for part in parts):  # which pydantic would take for 1 and 0
        raise ValueError("expected integers, not true or false")
    if not all(type(part) is int or isinstance(part, str) for part in parts):
        return value
    return parse_widths(",".join(str(part) for part in parts))


def _base_is_a_width(params: Any) -> None:
    if params and params["base"] < 1:
        raise ValueError("base must be a width of at least 1")


class WidenConfig(TrainingConfig):
    """What a run over widths adds to a training run: one hidden layer of each width, `replicates` members at each."""

    switches: ClassVar[frozenset[str]] = frozenset({"lazy", "lr_per_width"})

    widths: Annotated[tuple[Width, ...], BeforeValidator(_widths)] = field(
        "extendable", "increasing widths of one hidden layer, such as 2:12,16,32 (ranges include both ends)"
    )
    replicates: int = field("extendable", "members at each width", default=100, ge=1, le=1_000_000)
    success: str | None = field(
        "scientific", "another success criterion, such as train_accuracy>=0.99 or loss<=1e-6", default=None
    )
    parametrization: Annotated[str, spec(PARAMETRIZATIONS, _base_is_a_width)] = field(
        "scientific",
        "standard, ntk or mup, with the width at which they agree as in mup:base=16",
        default="standard",
    )
    lazy: bool = field("scientific", "true: only the outgoing weights train", default=False)
    lr_per_width: bool = field(
        "scientific",
        "true: each width takes the best of five learning rates, tried on members of their own",
        default=False,
    )
