"""Names and parameters of optimizers, with torch's defaults; importable without torch."""

from __future__ import annotations

from escapedim.specs import Value

_ADAM: dict[str, Value] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

OPTIMIZERS: dict[str, dict[str, Value]] = {
    "adam": {**_ADAM, "weight_decay": 0.0},
    "adamw": {**_ADAM, "weight_decay": 0.01},
    "sgd": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "gd": {"momentum": 0.0, "nesterov": False},
}
DTYPES = ("float32", "float64")
