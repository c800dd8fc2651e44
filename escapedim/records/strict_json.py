"""Strict JSON: one text for one value on the way out, no NaN, no infinity and no bottomless nesting on the way in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from escapedim.regular_files import read_regular

MAX_DEPTH = 64
_NESTED = (dict, list)


def canonical(value: Any) -> str:
    """Strict JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def pretty(value: Any, indent: str = "\n") -> str:
    """Strict JSON for readers: a line for each entry of an object, and a list of numbers or texts in one line."""
    deeper = indent + " "
    if isinstance(value, dict) and value:
        entries = (f"{json.dumps(key)}: {pretty(entry, deeper)}" for key, entry in value.items())
        return f"{{{deeper}{f',{deeper}'.join(entries)}{indent}}}"
    if isinstance(value, list) and any(isinstance(entry, _NESTED) for entry in value):
        return f"[{deeper}{f',{deeper}'.join(pretty(entry, deeper) for entry in value)}{indent}]"
    return json.dumps(value, allow_nan=False)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the object that UTF-8 bytes hold.

    Raises
    ------
    ValueError
        Not JSON, not strict, not an object, nested too deep, or with a number beyond all floats.
    """
    try:
        document = json.loads(
            raw.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite_float, parse_int=_finite_int
        )
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    if not isinstance(document, dict):
        raise ValueError(f"expected a JSON object, found {type(document).__name__}")
    _check_depth(document)
    return document


def read_object(path: Path, most_bytes: int) -> dict[str, Any]:
    """Return the object that a regular file of at most `most_bytes` holds; errors as in `parse_object`, and OSError."""
    return parse_object(read_regular(path, most_bytes))


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not strict JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value


def _finite_int(text: str) -> int:
    _finite_float(text)
    return int(text)


def _check_depth(document: Any) -> None:
    # Whatever comes after the parser walks the document recursively, and would end in a traceback.
    level = [document]
    for _ in range(MAX_DEPTH):
        inner = [part.values() if isinstance(part, dict) else part for part in level]
        level = [value for part in inner for value in part if isinstance(value, _NESTED)]
    if level:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
