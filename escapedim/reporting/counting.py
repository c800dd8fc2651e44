"""The table of critical subspaces by width."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

from escapedim.landscape.counting import Counts
from escapedim.reporting.page import prose
from escapedim.reporting.table import text_table

WIDTH = 80
LARGEST = 10**15  # integers above are shown by their leading digits; --json has them in full


def table(minimal: int, counts: Sequence[Counts]) -> str:
    """Return the table with its sentence first and its caveat last."""
    first, last = counts[0], counts[-1]
    sentence = (
        f"Critical subspaces that come from narrower networks, for each subspace of global minima: "
        f"{_ratio(first)} at width {first.width}, {_ratio(last)} at width {last.width} "
        f"(minimal width {minimal})."
    )
    caveat = (
        "Numbers of affine subspaces (Şimşek et al. 2021, arXiv 2105.12221), not volumes: "
        "they do not say how often training meets either kind."
    )
    rows = [
        [str(entry.width), _integer(entry.critical), _integer(entry.global_minima), _ratio(entry)] for entry in counts
    ]
    lines = text_table(["width", "critical", "global minima", "ratio"], rows)
    return "\n".join([*prose(sentence, WIDTH), "", *lines, "", *prose(caveat, WIDTH)])


def as_json(minimal: int, counts: Sequence[Counts]) -> str:
    """Return strict JSON with exact integers, as text where they exceed what JSON readers keep exactly (2^53)."""
    rows = [
        {
            "width": entry.width,
            "critical_subspaces": _exact(entry.critical),
            "global_minima_subspaces": _exact(entry.global_minima),
            "ratio": float(entry.ratio),
        }
        for entry in counts
    ]
    return json.dumps({"minimal": minimal, "widths": rows}, indent=1)


def _exact(number: int) -> int | str:
    return number if number < 2**53 else str(number)


def _integer(number: int) -> str:
    if number < LARGEST:
        return f"{number:,}"
    digits = str(number)
    return f"{digits[0]}.{digits[1:4]}e+{len(digits) - 1}"


def _ratio(entry: Counts) -> str:
    # As decimals: the ratio falls below the smallest float from a width of some hundred on.
    return f"{Decimal(entry.critical) / Decimal(entry.global_minima):.4g}"
