"""Names and parameters of optimizers, with torch's defaults; importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escapedim.specs import Spec, Value, take_params

_ADAM: dict[str, Value] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

OPTIMIZERS: dict[str, dict[str, Value]] = {
    "adam": {**_ADAM, "weight_decay": 0.0},
    "adamw": {**_ADAM, "weight_decay": 0.01},
    "sgd": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "gd": {"momentum": 0.0, "nesterov": False},
}
DTYPES = ("float32", "float64")

_LIMITS = {
    "beta1": (0, 1 - 1e-9),
    "beta2": (0, 1 - 1e-9),
    "momentum": (0, 1 - 1e-9),
    "eps": (1e-30, 1e30),  # above 0 in float32 too: 0 / 0 would make masked weights NaN
    "weight_decay": (0, 1e6),
    "nesterov": (0, 1),
}


def check_optimizer(params: Mapping[str, Any]) -> None:
    """Refuse parameters for which an update rule makes no sense.

    Raises
    ------
    ValueError
        In one sentence.
    """
    for name, value in params.items():
        least, most = _LIMITS[name]
        if not least <= value <= most:
            raise ValueError(f"{name} must be from {least:g} to {most:.10g}, found {value:g}")
    if params.get("nesterov") and not params["momentum"]:
        raise ValueError("nesterov needs a momentum, as in sgd:momentum=0.9,nesterov=true")


def decays(optimizer: Spec) -> bool:
    """Say whether an optimizer has weight decay: then it moves weights that have no gradient, and ends elsewhere."""
    return bool(take_params(optimizer, OPTIMIZERS[optimizer.name]).get("weight_decay"))
