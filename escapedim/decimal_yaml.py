"""YAML whose numbers are those of the flags: `010` is ten, `1e-3` is a number, `1:30` and `2026-01-01` are text.

YAML 1.1, which PyYAML reads, takes these for octal, text, base 60 and a date. What comes out is what JSON can say, and
of bounded size: a few lines of aliases of aliases are more values than a memory holds, whoever writes them out.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from escapedim.regular_files import read_regular

INTEGER, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_MERGE = "tag:yaml.org,2002:merge"
FLOAT_FORM = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
"""A decimal number. Digits are read in one way only: with two the time on a long text of them would be its square."""
_OTHERWISE = (INTEGER, FLOAT, "tag:yaml.org,2002:timestamp")
MOST_BYTES, MOST_VALUES, MOST_LEVELS = 1 << 20, 100_000, 64
TOO_MUCH = f"expected at most {MOST_VALUES:,} values in {MOST_LEVELS} levels, found more"


class _DecimalLoader(yaml.SafeLoader):
    """Reads plain values and nothing else, like its base; numbers are decimal."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHERWISE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    _level = -1

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse deep nesting where it is met: PyYAML's time grows with the square of the levels."""
        if self._level == MOST_LEVELS:
            raise ValueError(TOO_MUCH)
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is there twice: YAML forbids it, and the last one would win unseen."""
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    twice = f"the key {key.value!r:.40} is there twice"
                    raise yaml.MarkedYAMLError(problem=twice, problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        return int(str(self.construct_scalar(node)))


_DecimalLoader.add_implicit_resolver(INTEGER, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_DecimalLoader.add_implicit_resolver(
    FLOAT,
    re.compile(f"{FLOAT_FORM}$"),
    list("-+.0123456789"),
)
_DecimalLoader.add_constructor(INTEGER, _DecimalLoader.construct_decimal)


def read(path: Path) -> Any:
    """Return what a YAML file of at most `MOST_BYTES` says; errors as in `load`, and an OSError if it is none."""
    return load(read_regular(path, MOST_BYTES))


def load(text: str | bytes) -> Any:
    """Return what a YAML document says: text, finite numbers, true, false, null, lists, and mappings of text to these.

    Raises
    ------
    yaml.YAMLError
        It is no YAML.
    ValueError
        A value looks like a number and is none, or is of another kind; there are too many values.
    """
    loader = _DecimalLoader(text)
    try:
        content = loader.get_single_data()
    except (AttributeError, IndexError, KeyError) as error:  # of `!!timestamp x`, `!!float ''` and `!!bool x`
        raise ValueError(f"a value that is not what its tag says ({type(error).__name__})") from None
    finally:
        loader.dispose()
    _measure(content, {})
    return content


def _measure(value: Any, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how many values a value is when its aliases are written out, and its levels; `known` are containers."""
    if not isinstance(value, dict | list):
        _check_plain(value)
        return 1, 0
    if id(value) in known:
        found = known[id(value)]
        if found is None:
            raise ValueError("an alias of what it is part of")
        return found
    known[id(value)] = None
    for key in value if isinstance(value, dict) else ():
        if not isinstance(key, str):
            raise ValueError(f"expected text as a key, found {key!r:.40}")
    parts = [_measure(part, known) for part in (value.values() if isinstance(value, dict) else value)]
    size, levels = 1 + sum(part[0] for part in parts), 1 + max((part[1] for part in parts), default=0)
    if size > MOST_VALUES or levels > MOST_LEVELS:
        raise ValueError(TOO_MUCH)
    known[id(value)] = size, levels
    return size, levels


def _check_plain(value: Any) -> None:
    if not isinstance(value, str | int | float | None):
        raise ValueError(f"expected text, a number, true, false or null, found {type(value).__name__} {value!r:.40}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
