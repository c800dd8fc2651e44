"""When the process that workers come from is started, and that it needs no torch here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from escapedim.errors import EscapedimError
from escapedim.training import fork_server
from tests.cli.conftest import TINY, Cli
from tests.cli.test_interruption import wait_for

CODE = """
import sys
from escapedim.training import fork_server
fork_server.start()
print([name for name in ("torch", "numpy", "pydantic") if name in sys.modules])
"""


@pytest.fixture
def starts(monkeypatch) -> list[str]:
    """What has started it, in place of which nothing is started."""
    seen: list[str] = []
    monkeypatch.setattr(fork_server, "start", lambda: seen.append("started"))
    return seen


def test_it_is_started_without_torch():
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


PRUNE = ("prune", "--task", "xor", *TINY[:-2], "--rounds", "1")


@pytest.mark.parametrize(
    ("arguments", "cores", "count"),
    [
        (PRUNE, "2", 1),
        (PRUNE, "1", 0),
        ((*PRUNE, "--jobs", "1"), "2", 0),
        ((*PRUNE, "-o", "jobs=1"), "2", 0),
        ((*PRUNE, "--jobs", "2"), "1", 1),
        ((*PRUNE, "-o", "device=cuda"), "2", 0),
        ((*PRUNE, "--dry-run"), "2", 0),
        (("prune", "--task", "xorr"), "2", 0),
        (("rewind", "missing.json"), "2", 0),
        (("train", "--task", "xor", *TINY[:-2]), "2", 0),  # a single stack
    ],
)
def test_a_command_starts_it_where_workers_are_likely(cli: Cli, starts, monkeypatch, arguments, cores, count):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", cores)
    monkeypatch.setattr("escapedim.cli.execution.make_backend", nothing_is_trained)
    cli(*arguments)
    assert len(starts) == count


def nothing_is_trained(*arguments):
    raise EscapedimError("stopped here.")


def test_where_it_cannot_be_started_whoever_needs_workers_says_so(cli: Cli, monkeypatch):
    class IgnoringTheEnvironment:
        ignore_environment, safe_path = 1, False

    monkeypatch.setattr("escapedim.children.sys", SimpleNamespace(flags=IgnoringTheEnvironment))
    assert cli(*PRUNE, "--jobs", "1").code == 0
    refused = cli(*PRUNE, "--jobs", "2", "--force")
    assert refused.code == 2
    assert "add -P, or use --jobs 1" in refused.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_while_it_starts_leaves_nothing(tmp_path, number):
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "escapedim", "prune", "--jobs", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: list(tmp_path.glob("tmp/pymp-*")))
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert said == "escapedim: stopped by a signal.\n"
    assert list(tmp_path.glob("tmp/*")) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "tmp"]
