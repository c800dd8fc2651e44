"""A success criterion as people write it: `train_accuracy>=0.99`, `loss<=1e-6`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from escapedim.errors import BadInput, nearest
from escapedim.tasks.base import Criterion

_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|>|<)\s*([^\s=<>]\S*)\s*")
_ALIASES = {"loss": "train_loss", "accuracy": "train_accuracy"}


def parse_criterion(text: str, names: Sequence[str]) -> Criterion:
    """Read `NAME>=NUMBER` (also `<=`, `>`, `<`) of the measured quantities `names`.

    Raises
    ------
    BadInput
        Another form, an unknown name (with the nearest known one), or no finite number.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise BadInput(f"success is written train_accuracy>=0.99 or loss<=1e-6, found {text!r}; quote it in a shell.")
    metric = _ALIASES.get(match[1], match[1])
    if metric not in names:
        hint = nearest(match[1], [*names, *(alias for alias, name in _ALIASES.items() if name in names)])
        raise BadInput(f"success {text!r}: this task measures no '{match[1]}'; {hint}")
    return Criterion(metric, match[2], _number(match[3], text))


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"success {whole!r}: expected a finite number, found '{text}'; write it as 0.99 or 1e-6.")
    return value
