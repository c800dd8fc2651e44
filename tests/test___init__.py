"""What importing the package does to the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = "import os, sys, escapedim; print(os.environ['MKL_CBWR'], 'torch' in sys.modules)"


@pytest.mark.parametrize(("given", "expected"), [({}, "AUTO"), ({"MKL_CBWR": "COMPATIBLE"}, "COMPATIBLE")])
def test_products_do_not_depend_on_alignment_unless_the_user_says_how(given, expected):
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"} | given
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected, "False"]
