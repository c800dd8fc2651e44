from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import escapedim.training.preload

for error in (EOFError(), BrokenPipeError()):
    sys.excepthook(type(error), error, None)
raise ValueError("sad")
"""


def test_only_the_end_of_a_pipe_is_passed_over():
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.endswith("ValueError: sad\n")
    assert "EOFError" not in ended.stderr
    assert "BrokenPipeError" not in ended.stderr
