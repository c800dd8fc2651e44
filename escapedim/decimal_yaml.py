"""YAML whose numbers are those of the flags: `010` is ten, `1e-3` is a number, `1:30` is text.

YAML 1.1, which PyYAML reads, takes these for octal, text and base 60.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

INTEGER, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


class _DecimalLoader(yaml.SafeLoader):
    """Reads plain values and nothing else, like its base; numbers are decimal."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (INTEGER, FLOAT)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        return int(str(self.construct_scalar(node)))


_DecimalLoader.add_implicit_resolver(INTEGER, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_DecimalLoader.add_implicit_resolver(
    FLOAT, re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"), list("-+.0123456789")
)
_DecimalLoader.add_constructor(INTEGER, _DecimalLoader.construct_decimal)


def load(text: str | bytes) -> Any:
    """Return what a YAML document says.

    Raises
    ------
    yaml.YAMLError
        It is no YAML.
    ValueError
        A value looks like a number or a date and is none.
    """
    loader = _DecimalLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
