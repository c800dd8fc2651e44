"""Names of activations and initialisations, importable without torch."""

from __future__ import annotations

ACTIVATIONS = ("relu", "tanh", "gelu", "softplus", "erf", "sigmoid")
INITIALISATIONS = ("glorot-normal", "glorot-uniform", "he-normal")
