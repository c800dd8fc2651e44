import io
import os

import pytest

from escapedim.reporting.render import make_console, render
from tests.reporting.conftest import digits_rounds, lottery, text, train


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_kind_chooses_the_report():
    assert "Tickets match the dense network" in text(lottery(digits_rounds()))
    assert "4 of 5 replicates succeed" in text(train())


@pytest.mark.parametrize(("columns", "expected"), [("", 100), ("132", 132), ("wide", 100), ("0", 100)])
def test_a_file_is_100_wide_unless_columns_is_set(monkeypatch, columns, expected):
    monkeypatch.setenv("COLUMNS", columns)
    assert make_console(io.StringIO()).width == expected


def test_a_given_width_comes_before_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "132")
    assert make_console(io.StringIO(), 70).width == 70


@pytest.mark.parametrize("forced", [None, "FORCE_COLOR"])
def test_a_file_has_no_escape_codes(monkeypatch, forced):
    if forced:
        monkeypatch.setenv(forced, "1")
    rounds = digits_rounds()
    rounds[3]["invariants"]["masks_nested"] = False
    assert "\x1b" not in text(lottery(rounds))


@pytest.mark.parametrize(("no_color", "red"), [(None, True), ("1", False)])
def test_no_color_is_respected_on_a_terminal(monkeypatch, no_color, red):
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    rounds = digits_rounds()
    rounds[3]["invariants"]["masks_nested"] = False
    stream = Terminal()
    render(lottery(rounds), make_console(stream, 80))
    assert ("31m" in stream.getvalue()) is red


def test_a_closed_encoding_does_not_break_the_report():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    render(lottery(digits_rounds()), make_console(stream))
    stream.flush()
    assert b"96.51 +- 0.14" in raw.getvalue()


def test_the_package_needs_neither_torch_nor_scipy(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, escapedim.reporting.render, escapedim.reporting.progress\n"
        "sys.exit(bool({'torch', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
