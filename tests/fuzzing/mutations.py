"""Valid documents and bytes with something wrong in them: near enough to the real thing to pass a first check."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

Path = tuple[Any, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]


def _deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


HUGE = (2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 10**400, -1, -(2**63))
TEXTS = (
    "",
    " ",
    "nan",
    "1",
    "x" * 3000,
    "9" * 5000,
    "1" * 20_000 + "x",
    "a\0b",
    "$a$",
    "a\nb\x1b[31m\x07\x9b",
    "[red]",
    "ü€𝄞",
    "\ud800",
    "../../x",
    "%s{}",
    "global minimum",
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, False, [], {}, [[]], [None], {"": None}, _deep(20), _deep(400), {"\x1b]0;x\x07": 1}]),
    st.integers(-3, 12),
    st.sampled_from(HUGE),
    st.sampled_from([0.0, -0.0, 0.5, -0.5, 1e-320, 1e300, -1e300, math.nan, math.inf, -math.inf]),
    st.floats(0, 1),
    st.sampled_from(TEXTS),
    st.text(max_size=8),
    st.lists(st.integers(-1, 3) | st.none(), max_size=4),
)


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """Yield where the values of a document are, those of its containers too."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def value_at(document: Any, place: Path) -> Any:
    """Return the value at a place."""
    for key in place:
        document = document[key]
    return document


def one_of(draw: Draw, several: Sequence[Any]) -> Any:
    """Draw one by its number: hypothesis would print all of them."""
    return several[draw(st.integers(0, len(several) - 1))]


def tweaked(draw: Draw, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + draw(st.integers(-2, 2)) if draw(st.booleans()) else one_of(draw, (0, 1, 7, *HUGE))
    if isinstance(value, float):
        return one_of(draw, (0.0, 1.0, -value, value * 1e-9, 1 - value, 1e300, 1e-320, 5.0))
    if isinstance(value, str):
        return one_of(draw, (*TEXTS, value + " ", value[:-1]))
    if isinstance(value, list):
        return value[: draw(st.integers(0, len(value)))]
    return None


@st.composite
def documents(draw: Draw, valid: Sequence[Any], odd: st.SearchStrategy[Any] = ODD) -> Any:
    """One of the valid documents after a few changes: other values, keys and entries that are gone or new."""
    document = copy.deepcopy(one_of(draw, valid))
    for _ in range(draw(st.integers(0, 4)) // 2 + 1):
        found = list(places(document))
        if not found:
            break
        place = one_of(draw, found)
        inside, key = value_at(document, place[:-1]), place[-1]
        change = one_of(draw, ("tweak", "tweak", "tweak", "replace", "replace", "delete", "add", "swap"))
        if change == "tweak":
            inside[key] = tweaked(draw, inside[key])
        elif change == "replace":
            inside[key] = copy.deepcopy(draw(odd))
        elif change == "delete":
            del inside[key]
        elif change == "swap":
            inside[key] = copy.deepcopy(value_at(document, one_of(draw, found)))
        elif isinstance(inside, dict):
            inside[draw(st.text(max_size=5))] = copy.deepcopy(draw(odd))
        else:
            inside.insert(key, copy.deepcopy(inside[key]))
    return document


@st.composite
def damaged(draw: Draw, valid: Sequence[bytes]) -> bytes:
    """One of the valid files after a few changes to its bytes: flipped, cut, put in, left out, doubled."""
    data = bytearray(one_of(draw, valid))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        change = one_of(draw, ("flip", "flip", "write", "cut", "insert", "leave out", "double", "ones"))
        length = draw(st.integers(1, 8))
        if change == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "write":
            data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
        elif change == "cut":
            del data[at:]
        elif change == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        elif change == "leave out":
            del data[at : at + length]
        elif change == "double":
            data[at:at] = data[at : at + 16 * length]
        elif change == "ones":
            data[at : at + length] = b"\xff" * len(data[at : at + length])
    return bytes(data)
