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
        Another form, an unknown name (with the nearest known one), or a number that is not finite or out of range.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise BadInput(
            f"success is written train_accuracy>=0.99 or loss<=1e-6, found {text!r:.80}; quote it in a shell."
        )
    metric = _ALIASES.get(match[1], match[1])
    if metric not in names:
        hint = nearest(match[1], [*names, *(alias for alias, name in _ALIASES.items() if name in names)])
        raise BadInput(f"success {text!r}: this task measures no '{match[1]}'; {hint}")
    criterion = Criterion(metric, match[2], _number(match[3], text))
    _refuse_impossible(criterion, text)
    return criterion


def _refuse_impossible(criterion: Criterion, text: str) -> None:
    """Refuse a threshold beyond all values, such as a percentage: every member would fail, or none."""
    if "accuracy" in criterion.metric and not 0 <= criterion.threshold <= 1:
        raise BadInput(
            f"success {text!r}: an accuracy is a share from 0 to 1, found {criterion.threshold:g}; write it as 0.95."
        )
    if "loss" in criterion.metric and criterion.threshold < 0:
        raise BadInput(f"success {text!r}: a loss is never below 0, found {criterion.threshold:g}; write it as 1e-6.")


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"success {whole!r}: expected a finite number, found '{text}'; write it as 0.99 or 1e-6.")
    return value
