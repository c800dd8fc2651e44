"""JAX's side of the row `small`: a process of its own, which lives as long as it is asked for timings.

JAX reads its flags when it is imported and keeps its threads, so that one thread on one core takes a process that never
had another, and all cores take a second one. It times itself: neither the pipe nor, as it is told apart, the
compilation is counted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from benchmarking.setting import WidthSetting
from escapedim.errors import EscapedimError

PROGRAMS = ("vmap", "map")
"""All members in one batch; or one after another, each with all of its steps, by `lax.map`."""

MISSING = "JAX is not installed, and was left out; pip install 'escapedim[bench]' brings it."
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
ON_CPU = {"JAX_PLATFORMS": "cpu"}


class JaxSide:
    """The process, with the networks of a setting."""

    def __init__(self, process: subprocess.Popen[str], errors: TextIO, setting: WidthSetting) -> None:
        self._process, self._errors = process, errors
        train = setting.data.train
        self.version: str = self._ask(
            rows=torch.cat(setting.stacks).tolist(),
            units=setting.model.width,
            x=train.x.tolist(),
            targets=train.targets.tolist(),
            lr=setting.recipe.lr,
        )["version"]

    def compile(self, program: str, steps: int) -> float:
        """Compile a program for a number of steps; return the seconds."""
        return float(self._ask(ask="compile", program=program, steps=steps)["seconds"])

    def run(self, program: str, steps: int) -> float:
        """Train all networks for a number of steps for which the program was compiled; return the seconds."""
        return float(self._ask(ask="run", program=program, steps=steps)["seconds"])

    def end(self, program: str, steps: int) -> Tensor:
        """Return the parameters `(members, parameters)` after so many steps."""
        return torch.tensor(self._ask(ask="end", program=program, steps=steps)["rows"], dtype=torch.float64)

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise EscapedimError(
                f"the process of JAX ended with code {self._process.returncode}: {self._errors.read()[-500:]}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def jax_side(setting: WidthSetting, one_thread: bool = True) -> Iterator[JaxSide | None]:
    """Start JAX on the cores of this thread, in one thread or its own choice, and end it; None if not installed."""
    if importlib.util.find_spec("jax") is None:
        yield None
        return
    environment = {**os.environ, **ON_CPU} | ({"XLA_FLAGS": ONE_THREAD} if one_thread else {})
    command = [sys.executable, str(Path(__file__).with_name("jax_child.py"))]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=errors, text=True) as process,
    ):
        try:
            yield JaxSide(process, errors, setting)
        finally:
            process.kill()
