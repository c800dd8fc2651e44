"""What packages of other people bring: entry points, by group and name.

A package names them in its own pyproject.toml, such as `[project.entry-points."escapedim.criteria"]` with
`largest = "my_package:largest"`. One is loaded when its name is asked for, and trusted as whoever installed the package
trusts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from escapedim.errors import BadInput

T = TypeVar("T")


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def names(group: str, own: Mapping[str, object]) -> tuple[str, ...]:
    """Return escapedim's `own` names of a group and those that are installed beside them."""
    return (*own, *sorted(set(_points(group)) - set(own)))


def load(group: str, name: str, own: Mapping[str, T], kind: type[T]) -> T:
    """Return what a name stands for: escapedim's own, or what is installed under it.

    Raises
    ------
    BadInput
        It cannot be imported, or is not of that kind.
    """
    if name in own:
        return own[name]
    point = _points(group)[name]
    where = f"{group} {name} = {point.value}"
    try:
        found: Any = point.load()
    except Exception as error:  # whatever a module of other people raises when it is imported
        raise BadInput(f"{where}: cannot be imported ({error}); mend or uninstall that package.") from None
    if not isinstance(found, kind):
        raise BadInput(f"{where}: expected a {kind.__name__}, found {type(found).__name__}; mend that package.")
    return found
