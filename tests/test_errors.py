from __future__ import annotations

import pytest

from escapedim.errors import BadInput, EscapedimError, Interrupted, nearest


def test_exit_codes_are_those_of_the_design():
    assert (EscapedimError.exit_code, BadInput.exit_code) == (1, 2)
    assert [Interrupted("saved", code).exit_code for code in (130, 143)] == [130, 143]


@pytest.mark.parametrize("error", [BadInput("x"), Interrupted("x", 130)])
def test_one_base_class(error):
    assert isinstance(error, EscapedimError)


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("fractoin", "did you mean 'fraction'?"),
        ("rouns", "did you mean 'rounds'?"),
        ("zzz", "known: fraction, rounds"),
    ],
)
def test_nearest_name(word, answer):
    assert nearest(word, ["rounds", "fraction"]) == answer
