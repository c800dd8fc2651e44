"""Whether summaries may be compared: the same task, recipe and version, but for differences that are permitted by name.

Widths, arms, seeds, replicates and experiments may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from escapedim.errors import BadInput, nearest
from escapedim.records.comparison import Allowed
from escapedim.records.summary import Summary

KEYS = (
    "task", "model", "activation", "init", "optimizer", "lr", "schedule", "steps", "batch_size", "dtype", "success",
    "parametrization", "lazy", "lr_per_width", "version", "data",
)  # fmt: skip
PERMITTED = tuple(key for key in KEYS if key not in ("task", "data"))
"""What may differ by name: another task is another study, and so is other data under the same path."""
UNSET = {"model": "mlp", "success": None, "parametrization": "standard", "lazy": False, "lr_per_width": False}
"""What summaries of kinds that have no such setting are made with."""


def check(named: Sequence[tuple[str, Summary]], allow: Sequence[str]) -> list[Allowed]:
    """Return the differences that were permitted.

    Raises
    ------
    BadInput
        Summaries differ in what is not permitted: all such keys with their values; an unknown key in `allow`.
    """
    for key in allow:
        if key not in PERMITTED:
            raise BadInput(
                f"--allow: expected some of {', '.join(PERMITTED)}, found {key!r}; {nearest(key, PERMITTED)}."
            )
    differing = differences(named)
    refused = [key for key in differing if key not in allow]
    if refused:
        parts = "; ".join(f"{key}: {_listed(named, differing[key])}" for key in refused)
        permit = (
            f", or permit it by {' '.join(f'--allow {key}' for key in refused)}"
            if set(refused) <= set(PERMITTED)
            else ""
        )
        raise BadInput(
            f"the summaries differ in {', '.join(refused)} ({parts}); compare runs of one task and recipe{permit}."
        )
    return [Allowed(key=key, values=list(dict.fromkeys(found))) for key, found in differing.items()]


def differences(named: Sequence[tuple[str, Summary]]) -> dict[str, list[str]]:
    """Return the keys in which summaries differ, with the value of each summary."""
    found = [values(summary) for _, summary in named]
    columns = {key: [one[key] for one in found] for key in KEYS}
    return {key: column for key, column in columns.items() if len(set(column)) > 1}


def values(summary: Summary) -> dict[str, str]:
    """Return task, recipe and version of a summary."""
    recipe = {key: str(summary.config.get(key, UNSET.get(key, "not recorded"))) for key in KEYS}
    data = summary.provenance.data
    recipe["model"] = family(summary.config)
    return {**recipe, "version": summary.provenance.version, "data": "not on disk" if data is None else data[:16]}


def family(config: Mapping[str, Any]) -> str:
    """Return the family of networks of a configuration, whatever the width."""
    return str(config.get("model", UNSET["model"])).partition(":")[0]


def _listed(named: Sequence[tuple[str, Summary]], values: Sequence[str]) -> str:
    return ", ".join(f"{value} in {name}" for (name, _), value in zip(named, values, strict=True))
