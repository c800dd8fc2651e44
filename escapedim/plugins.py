"""What packages of other people bring: entry points, by group and name.

A package names them in its own pyproject.toml, such as `[project.entry-points."escapedim.criteria"]` with
`largest = "my_package:largest"`. They are loaded where their name is asked for, and are trusted as whoever installed
the package trusts it.
"""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from escapedim.errors import BadInput

T = TypeVar("T")


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def installed(group: str, kind: type[T], own: Container[str] = ()) -> dict[str, T]:
    """Return what is installed under a group by name, but for names that are escapedim's `own`.

    Raises
    ------
    BadInput
        Something that cannot be imported, or is not of that kind.
    """
    return {name: _loaded(point, kind) for name, point in _points(group).items() if name not in own}


def _loaded(point: EntryPoint, kind: type[T]) -> T:
    where = f"{point.group} {point.name} = {point.value}"
    try:
        found: Any = point.load()
    except Exception as error:  # whatever a module of other people raises when it is imported
        raise BadInput(f"{where}: cannot be imported ({error}); mend or uninstall that package.") from None
    if not isinstance(found, kind):
        raise BadInput(f"{where}: expected a {kind.__name__}, found {type(found).__name__}; mend that package.")
    return found
