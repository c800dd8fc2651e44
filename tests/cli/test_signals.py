from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from escapedim.cli import signals
from escapedim.cli.signals import EXIT_CODES, STOPPED, STOPPED_AT_ONCE, Interrupts


class Ended(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ends by an exception instead, with nothing to do at the end, and gives the handlers back."""

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(signals, "AT_END", set())  # the test's process goes on, and so does its fork server
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


Said = Callable[[], str]


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    return lambda: capfd.readouterr().err


@pytest.mark.parametrize(("number", "code"), EXIT_CODES.items(), ids=str)
def test_first_signal_is_remembered(number, code, said: Said):
    with Interrupts() as interrupts:
        assert not interrupts.came()
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGUSR1)
        assert interrupts.came()
        assert (interrupts.number, interrupts.exit_code) == (number, code)
    assert said() == ""


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize(("second", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_second_signal_stops_at_once(first, second, code, said: Said):
    with Interrupts():
        signal.raise_signal(first)
        with pytest.raises(Ended) as end:
            signal.raise_signal(second)
    assert end.value.args == (code,)
    assert said() == f"escapedim: {STOPPED_AT_ONCE}\n"


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP], ids=str)
def test_a_notice_does_not_count_as_the_first_nor_as_the_second(number):
    """A terminal that closes sends SIGHUP, and so does its shell."""
    with Interrupts() as interrupts:
        signal.raise_signal(number)
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(number)
        assert interrupts.number == number


def test_under_nohup_a_terminal_that_closes_is_not_obeyed():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.take_over()
    signal.raise_signal(signal.SIGHUP)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGHUP)
        assert not interrupts.came()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("number", "code"), EXIT_CODES.items(), ids=str)
def test_with_nothing_to_save_a_signal_ends_the_process(number, code, said: Said):
    done: list[str] = []
    signals.AT_END.update([lambda: done.append("tidied"), lambda: 1 / 0])
    signals.take_over()
    with pytest.raises(Ended) as end:
        signal.raise_signal(number)
    assert (end.value.args, done) == ((code,), ["tidied"])
    assert said() == f"escapedim: {STOPPED}\n"


def test_a_process_that_has_its_exit_code_ignores_signals():
    signals.ignore()
    for number in EXIT_CODES:
        signal.raise_signal(number)
