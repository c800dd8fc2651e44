"""Names and parameters of optimizers, with torch's defaults; importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escapedim.specs import Value

_ADAM: dict[str, Value] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

OPTIMIZERS: dict[str, dict[str, Value]] = {
    "adam": {**_ADAM, "weight_decay": 0.0},
    "adamw": {**_ADAM, "weight_decay": 0.01},
    "sgd": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "gd": {"momentum": 0.0, "nesterov": False},
}
DTYPES = ("float32", "float64")

_BELOW_ONE = {"beta1", "beta2", "momentum"}


def check_optimizer(params: Mapping[str, Any]) -> None:
    """Refuse parameters for which an update rule makes no sense.

    Raises
    ------
    ValueError
        In one sentence.
    """
    for name, value in params.items():
        if value < 0 or (name in _BELOW_ONE and value >= 1):
            limits = "at least 0 and below 1" if name in _BELOW_ONE else "at least 0"
            raise ValueError(f"{name} must be {limits}, found {value:g}")
    if params.get("nesterov") and not params["momentum"]:
        raise ValueError("nesterov needs a momentum, as in sgd:momentum=0.9,nesterov=true")
