"""Commands in this process under bounds of memory and patience, and what every ending must look like.

A bad file may cost no more than a good one: `MOST_BYTES` beyond what the process has, and not for ever. The limits are
guards and no measurements: an input that is over them is found, whatever the machine.
"""

from __future__ import annotations

import io
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.main import get_command

from escapedim.cli.main import app, run
from tests.cli.conftest import Ended

MOST_BYTES = 1_000_000_000
PATIENCE_S = 60
CAMPAIGNS = pytest.mark.parametrize(
    "inputs", [pytest.param(60, id="some"), pytest.param(10_000, id="many", marks=pytest.mark.long)]
)


COMMAND_LINE = get_command(app)  # made once: that takes longer than most inputs


class Hung(BaseException):
    """An input that takes for ever: no `Exception`, which a command would turn into a sentence."""


@contextmanager
def bounded() -> Iterator[None]:
    """Give the process so much memory beyond what it has, and so much time."""

    def hung(number: int, frame: Any) -> None:
        raise Hung

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, hung)
    resource.setrlimit(resource.RLIMIT_AS, (has + MOST_BYTES, hard))
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def command(*arguments: object) -> Ended:
    """Run a command as the console script does, its output in UTF-8."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=errors) for errors in ("strict", "backslashreplace"))
    with bounded(), redirect_stdout(out), redirect_stderr(err):
        code = run(lambda: COMMAND_LINE([str(argument) for argument in arguments]))
        sys.stdout.flush()
        sys.stderr.flush()
    return Ended(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def assert_done_or_refused(ended: Ended) -> None:
    """Either it worked, or there is one sentence that says what is wrong, and exit code 2."""
    assert ended.code in (0, 2), (ended.code, ended.err)
    assert "Traceback" not in ended.err, ended.err
    assert "fault of escapedim" not in ended.err, ended.err
    if ended.code == 2:
        assert ended.err.startswith("escapedim: "), ended.err
        assert ended.err.count("\n") == 1, ended.err
        assert len(ended.err) < 4000, ended.err


@dataclass(frozen=True)
class Shown:
    """An input whose text in a failure's report fits on a screen."""

    input: Any

    def __repr__(self) -> str:
        """Show the start, or all of it if it is short."""
        text = repr(self.input)
        return text if len(text) < 2000 else f"{text[:2000]}... ({len(text):,} characters)"


def campaign(inputs: int, strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Hold so many inputs against `check`."""
    seen = 0

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy.map(Shown))
    def hold(value: Shown) -> None:
        nonlocal seen
        seen += 1
        check(value.input)

    hold()
    assert seen >= inputs
