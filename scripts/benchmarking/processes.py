"""Commands of the tool as processes of their own: wall time, and what their summaries say of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from escapedim.errors import EscapedimError


@dataclass(frozen=True)
class ToolTimes:
    """One process: its wall time, and what its summary states; the difference is its start."""

    wall_s: float
    run_s: float
    net_steps: int
    peak_rss_mb: float


def run_command(arguments: Sequence[str], folder: Path, summary: str) -> ToolTimes:
    """Run `escapedim ARGUMENTS` in a folder, where its summary goes.

    Raises
    ------
    EscapedimError
        It fails.
    """
    command = [sys.executable, "-m", "escapedim", *arguments, "--out", summary]
    began = time.perf_counter()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - began
    if ended.returncode:
        raise EscapedimError(f"{' '.join(command)} ended with code {ended.returncode}: {ended.stderr[-500:]}")
    cost = json.loads((folder / summary).read_text())["cost"]
    return ToolTimes(wall_s, cost["wall_s"], cost["net_steps"], cost["peak_rss_mb"])
