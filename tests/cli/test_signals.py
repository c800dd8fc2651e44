from __future__ import annotations

import signal

import pytest

from escapedim.cli.signals import Interrupts


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)], ids=str
)
def test_first_signal_is_remembered_and_told(number, code):
    told = []
    with Interrupts() as interrupts:
        interrupts.on_signal(lambda: told.append(True))
        assert interrupts.number is None
        signal.raise_signal(number)
        assert (interrupts.number, interrupts.exit_code, told) == (number, code, [True])


def test_signal_before_anybody_listens_is_told_later():
    told = []
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        interrupts.on_signal(lambda: told.append(True))
    assert told == [True]


def test_second_ctrl_c_stops_at_once():
    with Interrupts():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
