from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

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


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_standard_error_drops_what_it_cannot_write(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        streams.prepare()
        for _ in range(3):
            print("text", "−" * 100_000, file=sys.stderr, flush=True)
        sys.stderr.close()


def test_standard_error_passes_on_what_it_can(tmp_path: Path, monkeypatch):
    with (tmp_path / "log").open("w", encoding="ascii") as log:
        monkeypatch.setattr(sys, "stderr", log)
        streams.prepare()
        assert not sys.stderr.isatty()
        assert sys.stderr.fileno() == log.fileno()
        sys.stderr.write("20 × 10\n")
        assert (tmp_path / "log").read_text() == "20 \\xd7 10\n"
        sys.stderr.close()


def test_standard_output_escapes_what_it_has_not(tmp_path: Path, monkeypatch):
    with (tmp_path / "log").open("w", encoding="latin-1") as log:
        monkeypatch.setattr(sys, "stdout", log)
        streams.prepare()
        print("20 × 10 ─ \ud800", flush=True)
        assert (tmp_path / "log").read_text(encoding="latin-1") == "20 × 10 \\u2500 \\ud800\n"


def test_other_errors_pass(discarded):
    with pytest.raises(BadInput), streams.standard_output():
        raise BadInput("something else")
    with streams.standard_output():
        pass
    assert discarded == []
