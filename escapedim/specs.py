"""The grammar `NAME[:key=value,...]` of `--task`, `--optimizer` and `--schedule`.

Values are read as int, float (`1e-3` is a number), `true` or `false`, and otherwise as text. Names
that take a path (`idx:DIR`, `npz:FILE`) use `split_spec` alone: everything after the first colon is
the path, which may contain `=` and `,`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from escapedim import decimal_yaml
from escapedim.errors import BadInput, nearest
from escapedim.text import excerpt

Value = int | float | bool | str
Parameter = type[int] | type[float] | type[bool] | type[str] | Value
"""What `take_params` expects of a key: a type (the key is required) or the default value."""

_GRAMMAR = "NAME or NAME:key=value,..."
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_INT = re.compile(r"[+-]?[0-9]{1,18}")
_FLOAT = re.compile(decimal_yaml.FLOAT_FORM)
_WORDS = {"true": True, "false": False}
_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Spec:
    """A name and its parameters; `str` gives the canonical text, which parses to an equal spec."""

    name: str
    params: dict[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        items = ",".join(f"{key}={_text(self.params[key])}" for key in sorted(self.params))
        return f"{self.name}:{items}" if items else self.name


def split_spec(text: str) -> tuple[str, str]:
    """Return the name and whatever follows the first colon (empty where nothing does).

    Raises
    ------
    BadInput
        The text does not start with a name.
    """
    name, _, rest = text.partition(":")
    if not _NAME.fullmatch(name.strip()):
        raise BadInput(f"{text!r:.80}: expected {_GRAMMAR}, found no name at the start; begin with a name.")
    return name.strip(), rest


def parse_spec(text: str) -> Spec:
    """Read `NAME[:key=value,...]`.

    Raises
    ------
    BadInput
        A missing name, key or value, or a key that comes twice.
    """
    name, rest = split_spec(text)
    params: dict[str, Value] = {}
    for item in rest.split(",") if ":" in text else ():
        key, value = _parse_item(item, text)
        if key in params:
            raise BadInput(f"{text!r:.80}: expected every key once, found '{key:.80}' twice; keep one of them.")
        params[key] = value
    return Spec(name, params)


def take_params(spec: Spec, allowed: Mapping[str, Parameter]) -> dict[str, Value]:
    """Return a value for each allowed key, in the order of `allowed`.

    Parameters
    ----------
    spec
        What the user wrote.
    allowed
        For each key a type, if it is required, or its default value. An integer is a number too; nothing
        else is converted.

    Raises
    ------
    BadInput
        An unknown key (with the nearest known one), a missing key, or a value of another type.
    """
    for key in spec.params:
        if key not in allowed:
            raise _unknown(spec, key, allowed)
    return {key: _take(spec, key, expected) for key, expected in allowed.items()}


def _unknown(spec: Spec, key: str, allowed: Mapping[str, Parameter]) -> BadInput:
    found = f"found {key}={excerpt(_text(spec.params[key]))}"
    if not allowed:
        return BadInput(f"{_quoted(spec)}: expected no parameters, {found}; write '{spec.name}' alone.")
    return BadInput(f"{_quoted(spec)}: expected a parameter of '{spec.name}', {found}; {nearest(key, allowed)}")


def _take(spec: Spec, key: str, expected: Parameter) -> Value:
    kind = expected if isinstance(expected, type) else type(expected)
    if key in spec.params:
        return _as_kind(spec, key, kind)
    if isinstance(expected, type):
        raise BadInput(f"{_quoted(spec)}: expected {_KINDS[kind]} for '{key}', found nothing; add {key}=VALUE.")
    return expected


def _as_kind(spec: Spec, key: str, kind: type) -> Value:
    value = spec.params[key]
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # isinstance would take True for an integer
        raise BadInput(
            f"{_quoted(spec)}: expected {_KINDS[kind]} for '{key}', found {excerpt(_text(value))}; correct {key}=VALUE."
        )
    return value


def _parse_item(item: str, text: str) -> tuple[str, Value]:
    key, _, value = (part.strip() for part in item.partition("="))
    if not key:
        raise BadInput(f"{text!r:.80}: expected {_GRAMMAR}, found {item!r:.80} without a key; write key=value.")
    if not value:
        raise BadInput(f"{text!r:.80}: expected {_GRAMMAR}, found '{key:.80}' without a value; write {key:.80}=VALUE.")
    return key, _value(value)


def _value(text: str) -> Value:
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return _WORDS.get(text, text)


def _quoted(spec: Spec) -> str:
    return f"'{excerpt(str(spec))}'"


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
