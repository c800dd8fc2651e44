from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Trial = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def trial() -> Iterator[Trial]:
    """Run a command in a folder, with a fault or without: see `trials`."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("trials.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    def run(folder: Path, *arguments: str, fault: tuple[str, int] | None = None) -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        asked = {"folder": str(folder), "arguments": list(arguments), "fault": fault}
        process.stdin.write(json.dumps(asked) + "\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        return json.loads(process.stdout.readline())  # type: ignore[union-attr]

    yield run
    process.stdin.close()
    process.stdout.close()
    process.wait(30)
