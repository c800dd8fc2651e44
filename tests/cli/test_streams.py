from __future__ import annotations

import errno

import pytest
import typer

from escapedim.cli import streams
from escapedim.errors import BadInput, EscapedimError


@pytest.fixture(autouse=True)
def discarded(monkeypatch) -> list[bool]:
    """Whether standard output was given up; really doing so would silence the tests."""
    told: list[bool] = []
    monkeypatch.setattr(streams, "_discard_the_rest", lambda: told.append(True))
    return told


def test_a_reader_that_leaves_ends_in_code_0(discarded):
    with pytest.raises(typer.Exit) as left, streams.standard_output():
        raise BrokenPipeError
    assert left.value.exit_code == 0
    assert discarded == [True]


def test_what_cannot_be_written_is_one_sentence(discarded):
    words = "cannot write to standard output: No space left on device"
    with pytest.raises(EscapedimError, match=words), streams.standard_output():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert discarded == [True]


def test_other_errors_pass(discarded):
    with pytest.raises(BadInput), streams.standard_output():
        raise BadInput("something else")
    with streams.standard_output():
        pass
    assert discarded == []
