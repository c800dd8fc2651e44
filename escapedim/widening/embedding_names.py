"""Names of embeddings and their parameters, importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from escapedim.specs import Value

EMBEDDINGS: dict[str, dict[str, Value]] = {"split": {"alpha": 0.5}, "null": {"drawn": False}, "zero-in": {}}
"""`split` is Fukumizu & Amari 2000, `null` and `split` Zhang et al. 2021 (arXiv 2111.15527); α = 1/2 is ours."""

MOST_ALPHA = 100.0
"""Size of α up to which a split is made: beyond it two outgoing weights cancel in their first two digits; ours."""


def check_embedding(params: Mapping[str, Any]) -> None:
    """Refuse parameters with which no unit is split.

    Raises
    ------
    ValueError
        In one sentence.
    """
    if "alpha" in params and not -MOST_ALPHA <= params["alpha"] <= MOST_ALPHA:  # so that NaN is refused too
        raise ValueError(f"alpha must be from {-MOST_ALPHA:g} to {MOST_ALPHA:g}, found {params['alpha']:g}")
