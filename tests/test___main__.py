"""The two ways to start: `python -m escapedim` and the console script."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from escapedim import __version__

MODULE = (sys.executable, "-m", "escapedim")
SCRIPT = (sys.executable, str(Path(sysconfig.get_path("scripts")) / "escapedim"))


def ended(*command: str) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_module_runs():
    assert ended(*MODULE, "--version") == (0, f"escapedim {__version__}\n", "")


# Output, usage, and an error with its exit code.
@pytest.mark.parametrize("arguments", [("--version",), ("train", "--help"), ("prun",)], ids=" ".join)
def test_a_module_run_equals_the_console_script(arguments):
    assert ended(*MODULE, *arguments) == ended(*SCRIPT, *arguments)
