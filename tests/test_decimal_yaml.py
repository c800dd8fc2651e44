from __future__ import annotations

import re

import pytest
import yaml

from escapedim import decimal_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("010", 10),
        ("08", 8),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("0b11", "0b11"),
        ("12ep", "12ep"),
        ("1%", "1%"),
        ("300,100", "300,100"),
        ("'010'", "010"),
        ("[010, 1e-3]", [10, 1e-3]),
        ("a: 08", {"a": 8}),
        ("null", None),
        ("true", True),
        ("2020-01-01", "2020-01-01"),
        ("", None),
    ],
)
def test_numbers_are_decimal_and_the_rest_is_yaml(text, expected):
    found = decimal_yaml.load(text)
    assert (found, type(found)) == (expected, type(expected))


def test_nesting_ends_at_64_levels_and_no_later():
    assert decimal_yaml.load("[" * 64 + "1" + "]" * 64) == decimal_yaml.load(f"[{'[' * 63}1{']' * 63}]")
    assert decimal_yaml.load("{a: " * 64 + "1" + "}" * 64)["a"]


@pytest.mark.parametrize(
    "text", ["{", "!!python/name:os.system x", "!!int x", "a: b: c", "!!timestamp x", "!!float ''", "!!bool x"]
)
def test_what_is_no_plain_yaml_is_refused(text):
    with pytest.raises((yaml.YAMLError, ValueError)):
        decimal_yaml.load(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: !!set {b}", "expected text, a number, true, false or null, found set"),
        ("!!binary aGVsbG8=", "found bytes b'hello'"),
        ("!!timestamp 2020-01-01", "found date"),
        ("1e999", "expected a finite number, found inf"),
        ("{a: {1: 2}}", "expected text as a key, found 1"),
        ("&a [*a]", "an alias of what it is part of"),
        ("&a {b: [*a]}", "an alias of what it is part of"),
        (f"[{', '.join(['&a0 [x, x]', *(f'&a{n} [*a{n - 1}, *a{n - 1}]' for n in range(1, 60))])}]", "found more"),
        ("[" * 65 + "]" * 65, "in 64 levels, found more"),
        ("a: " + "{a: " * 500_000, "in 64 levels, found more"),
    ],
)
def test_what_json_cannot_say_and_no_memory_holds_is_refused(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        decimal_yaml.load(text)


def test_aliases_are_values_like_others():
    found = decimal_yaml.load("a: &a [1, 2]\nb: *a\nc: [*a, *a]")
    assert found == {"a": [1, 2], "b": [1, 2], "c": [[1, 2], [1, 2]]}


def test_other_loaders_are_left_alone():
    assert yaml.safe_load("010") == 8


@pytest.mark.parametrize("text", ["a: 1\na: 2", "{a: {b: 1, c: 2, b: 3}}", "[{a: 1, 'a': 1}]"])
def test_a_key_that_is_there_twice_is_refused(text):
    with pytest.raises(yaml.YAMLError, match="is there twice"):
        decimal_yaml.load(text)
