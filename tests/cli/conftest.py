from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from escapedim.cli.main import app, run

TINY = ("--hidden", "8", "--steps", "20it", "--replicates", "2", "--jobs", "1")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line in this process, in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        capsys.readouterr()
        code = run(lambda: app([str(argument) for argument in arguments]))
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


def result_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["result"]
