from __future__ import annotations

import json

import pytest

from escapedim.records.strict_json import canonical, parse_object, printable


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


def test_messages_are_one_short_line():
    assert printable("a\nb\x1b") == "a?b?"
    assert len(printable("x" * 500)) == 120
