from __future__ import annotations

import signal

import pytest

from escapedim.cli.signals import Interrupts


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)], ids=str
)
def test_first_signal_is_remembered(number, code):
    with Interrupts() as interrupts:
        assert not interrupts.came()
        signal.raise_signal(number)
        assert interrupts.came()
        assert (interrupts.number, interrupts.exit_code) == (number, code)
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.exit_code == code


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
