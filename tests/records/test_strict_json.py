from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.records.strict_json import canonical, parse_object, pretty


def test_one_text_for_one_value():
    assert canonical({"b": 1, "a": [1.5, None]}) == canonical({"a": [1.5, None], "b": 1}) == '{"a":[1.5,null],"b":1}'


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "Expecting"),
        (b"\xff{}", "utf-8"),
        (b"[1]", "expected a JSON object, found list"),
        (b'{"a": NaN}', "NaN is not strict JSON"),
        (b'{"a": -Infinity}', "not strict JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": 1' + b"0" * 400 + b"}", "too large"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper than 64 levels"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 64 levels"),
    ],
)
def test_refused(raw, words):
    with pytest.raises(ValueError, match=words):
        parse_object(raw)


def test_reads_what_json_writes():
    value = {"a": {"b": [1, 2.5, "c", None, True]}}
    assert parse_object(json.dumps(value).encode()) == value


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _JSON))
def test_what_is_written_for_readers_is_the_same_document(document):
    assert parse_object(pretty(document).encode()) == document


def test_lists_of_numbers_take_one_line():
    text = pretty({"a": [1, 2.5, None], "b": {"c": [[1], [2]]}, "d": {}, "e": []})
    assert text.splitlines() == [
        "{", ' "a": [1, 2.5, null],', ' "b": {', '  "c": [', "   [1],", "   [2]", "  ]", " },", ' "d": {},', ' "e": []',
        "}",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="Out of range"):
        pretty({"a": [math.nan]})
