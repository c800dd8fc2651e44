"""Names of activations and initialisations, importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escapedim.specs import Value

ACTIVATIONS = ("relu", "tanh", "gelu", "softplus", "erf", "sigmoid")

INITIALISATIONS: dict[str, dict[str, Value]] = {
    "glorot-normal": {},
    "glorot-uniform": {},
    "he-normal": {},
    "lecun-normal": {},
    "normal": {"std": 1.0},
}
"""Distributions of initial weights with their parameters and defaults."""

_STD_LIMITS = (1e-6, 1e6)  # ours


def check_initialisation(params: Mapping[str, Any]) -> None:
    """Refuse a spread with which no network begins.

    Raises
    ------
    ValueError
        In one sentence.
    """
    least, most = _STD_LIMITS
    if "std" in params and not least <= params["std"] <= most:
        raise ValueError(f"std must be from {least:g} to {most:g}, found {params['std']:g}")
