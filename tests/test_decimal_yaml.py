from __future__ import annotations

import datetime

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
        ("2020-01-01", datetime.date(2020, 1, 1)),
        ("", None),
    ],
)
def test_numbers_are_decimal_and_the_rest_is_yaml(text, expected):
    found = decimal_yaml.load(text)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("text", ["{", "!!python/name:os.system x", "!!int x", "a: b: c"])
def test_what_is_no_plain_yaml_is_refused(text):
    with pytest.raises((yaml.YAMLError, ValueError)):
        decimal_yaml.load(text)


def test_other_loaders_are_left_alone():
    assert yaml.safe_load("010") == 8
