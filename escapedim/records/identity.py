"""A run's identity: the hash of its scientific configuration.

Every configuration field declares its role. `scientific` fields decide what is computed and enter the identity;
`extendable` ones (rounds, replicates, tolerance) say how much of it, so that more of them continue the old run;
`operational` ones (device, jobs, output path) change where and how fast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from escapedim.records.strict_json import canonical

Role = Literal["scientific", "extendable", "operational"]


def role_of(model: type[BaseModel], field: str) -> Role:
    """Return the declared role of a configuration field; a field without one is a programming error (KeyError)."""
    extra = model.model_fields[field].json_schema_extra
    assert isinstance(extra, dict)
    role: Role = extra["role"]  # type: ignore[assignment]
    return role


def _enters(model: type[BaseModel], field: str, value: Any) -> bool:
    """Say whether a value is part of the identity: that of a field that came later only where it is not the default."""
    if role_of(model, field) != "scientific":
        return False
    declared = model.model_fields[field]
    extra = declared.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("later") and value == declared.default)


def run_id(kind: str, config: BaseModel, task_identity: Mapping[str, object]) -> str:
    """Return 16 hex digits: SHA-256 of kind and scientific configuration, the task by its content."""
    values: dict[str, Any] = config.model_dump(mode="json")
    scientific = {name: value for name, value in values.items() if _enters(type(config), name, value)}
    scientific["task"] = dict(task_identity)
    return hashlib.sha256(canonical({"kind": kind, "config": scientific}).encode()).hexdigest()[:16]
