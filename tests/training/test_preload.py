from __future__ import annotations

import subprocess
import sys

import pytest

CODE = "import escapedim.training.preload; raise {error}"


@pytest.mark.parametrize(
    ("error", "told"), [("EOFError", False), ("BrokenPipeError", False), ("ValueError('sad')", True)], ids=str
)
def test_only_the_end_of_a_pipe_is_passed_over(error, told):
    ended = subprocess.run(
        [sys.executable, "-c", CODE.format(error=error)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("ValueError: sad\n") if told else ended.stderr == ""
