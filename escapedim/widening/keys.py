"""Names of the stacks of members of a widen run, as its checkpoints and its costs have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_KEY = re.compile(r"width-(\d+)-members-(\d+)-(\d+)")


def members_key(width: int, replicates: Sequence[int]) -> str:
    """Name of the stack of these neighbouring replicates of a width."""
    return f"width-{width:06d}-members-{replicates[0]:06d}-{replicates[-1]:06d}"


def covered(keys: Iterable[str]) -> dict[int, list[tuple[int, ...]]]:
    """Return by width the replicates of each stack of a widen run, in order; pilots are left out."""
    found: dict[int, list[tuple[int, ...]]] = {}
    for match in filter(None, map(_KEY.fullmatch, sorted(keys))):
        width, first, last = (int(text) for text in match.groups())
        found.setdefault(width, []).append(tuple(range(first, last + 1)))
    return found


def begun(prefix: str, keys: Iterable[str]) -> list[tuple[int, ...]]:
    """Return the replicates of the stacks `PREFIX-members-FIRST-LAST` among the keys, in order."""
    pattern = re.compile(re.escape(prefix) + r"-members-(\d+)-(\d+)")
    found = (pattern.fullmatch(key) for key in sorted(keys))
    return [tuple(range(int(match[1]), int(match[2]) + 1)) for match in found if match]
