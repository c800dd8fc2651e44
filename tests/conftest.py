import json
import signal
from collections.abc import Iterator

import pytest
import torch

from escapedim.cli import costing, estimating

from .forked import fork_runs

if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests hear it, and what they start, also under `nohup`


@pytest.fixture(autouse=True)
def processor_settings() -> Iterator[None]:
    """One thread as in a worker (several suffer beside other processes), and small numbers as hypothesis needs them.

    `Inline` sets both for the whole process, and so for the tests after it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def forked_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps in this process fork their runs (`tests.forked`)."""
    fork_runs(monkeypatch)


@pytest.fixture
def estimated_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a plan are estimated in this process, not in one of their own as in cli/test_costing.py."""
    monkeypatch.setattr(costing, "_answers", lambda asked: estimating.answers(json.loads(json.dumps(asked))))
