"""Whether summaries may be compared: the same task, recipe and version, but for differences that are permitted by name.

Architecture, arms, seeds, replicates and experiments may differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from escapedim.errors import BadInput, nearest
from escapedim.records.comparison import Allowed
from escapedim.records.summary import Summary

KEYS = (
    "task", "activation", "init", "optimizer", "lr", "schedule", "steps", "batch_size", "dtype", "success",
    "parametrization", "lazy", "lr_per_width", "version",
)  # fmt: skip
_DEFAULTS = {"success": None, "parametrization": "standard", "lazy": False, "lr_per_width": False}
"""What summaries of kinds that have no such setting are made with."""


def check(named: Sequence[tuple[str, Summary]], allow: Sequence[str]) -> list[Allowed]:
    """Return the differences that were permitted.

    Raises
    ------
    BadInput
        Summaries differ in what is not permitted: all such keys with their values; an unknown key in `allow`.
    """
    for key in allow:
        if key not in KEYS:
            raise BadInput(f"--allow: expected some of {', '.join(KEYS)}, found {key!r}; {nearest(key, KEYS)}.")
    differing = {key: values for key in KEYS if len(set(values := _values(named, key))) > 1}
    refused = [key for key in differing if key not in allow]
    if refused:
        parts = "; ".join(f"{key}: {_listed(named, differing[key])}" for key in refused)
        raise BadInput(
            f"the summaries differ in {', '.join(refused)} ({parts}); compare runs of one task and recipe, or permit "
            f"it by {' '.join(f'--allow {key}' for key in refused)}."
        )
    return [Allowed(key=key, values=list(dict.fromkeys(values))) for key, values in differing.items()]


def _values(named: Sequence[tuple[str, Summary]], key: str) -> list[str]:
    return [_value(summary, key) for _, summary in named]


def _value(summary: Summary, key: str) -> str:
    if key == "version":
        return summary.provenance.version
    found = summary.config.get(key, _DEFAULTS.get(key, "not recorded"))
    return str(found)


def _listed(named: Sequence[tuple[str, Summary]], values: Sequence[str]) -> str:
    return ", ".join(f"{value} in {name}" for (name, _), value in zip(named, values, strict=True))
