"""Runs what a page says, as somebody would who pastes it into a shell of 80 columns."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from documenting.page import Page, Step, Unclear


def printed(page: Page, root: Path, folder: Path) -> dict[str, str]:
    """Run the steps of a page in a folder and return what each command printed on standard output.

    Raises
    ------
    Unclear
        A step failed; the text holds what it said.
    """
    shutil.copytree(root / "sweeps", folder / "sweeps", dirs_exist_ok=True)
    outputs = {}
    for step in page.steps:
        began = time.monotonic()
        outputs[step.text] = _run(step, folder)
        print(f"{time.monotonic() - began:7.1f} s  {step.text.splitlines()[0]}", file=sys.stderr, flush=True)
    return outputs


def _run(step: Step, folder: Path) -> str:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    arguments = ["bash", "-c", step.text] if step.language == "bash" else [sys.executable, "-c", step.text]
    ended = subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "PATH": programs, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode not in ({0, 3} if "--fail-if" in step.text else {0}):
        raise Unclear(f"'{step.text}' ended with exit code {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout
