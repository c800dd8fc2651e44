"""Keys of the stacks of counted members, importable without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from escapedim.training.keys import members, stack_key

MEMBERS = stack_key("width-{width:06d}")


def members_key(width: int, replicates: Sequence[int]) -> str:
    """Name of the checkpoint of these neighbouring replicates of a width."""
    return MEMBERS.of(width=width, first=replicates[0], last=replicates[-1])


def by_width(keys: Iterable[str]) -> dict[int, list[tuple[int, ...]]]:
    """Return by width the replicates of each stack of a widen run, in order; pilots are left out."""
    found: dict[int, list[tuple[int, ...]]] = {}
    for numbers in MEMBERS.among(keys):
        found.setdefault(numbers["width"], []).append(members(numbers))
    return found
