"""Python processes that escapedim starts: none of them imports what lies in the current folder.

Python puts that folder first on the path of `python -c` and `python -m`, so that a `random.py` of the user's would be
taken for the standard library's. `-P` and PYTHONSAFEPATH keep it away (Python 3.11).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from escapedim.errors import BadInput

SAFE_PATH = "PYTHONSAFEPATH"


def python_module(module: str, *arguments: str, python: str | None = None) -> list[str]:
    """Return the command line that runs a module in a process of its own, by this Python unless another is named."""
    return [python or sys.executable, "-P", "-m", module, *arguments]


def prepare_path(here: str | None) -> None:
    """Let children find escapedim, and nothing in the current folder by an empty entry of PYTHONPATH.

    `here` is the folder that `python -m` had put on the path. Where escapedim lies in it and is not installed, it is
    the one folder from which all has been imported anyway.
    """
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    finders = (finder.find_spec("escapedim", None) for finder in sys.meta_path)
    if here is not None and not any(spec is not None for spec in finders):
        given.insert(0, here)
    if given:
        os.environ["PYTHONPATH"] = os.pathsep.join(given)
    else:
        os.environ.pop("PYTHONPATH", None)


@contextlib.contextmanager
def child_environment(**values: str) -> Iterator[None]:
    """Set these variables and PYTHONSAFEPATH while processes start whose command line multiprocessing writes.

    Raises
    ------
    BadInput
        Python itself was told to ignore such variables, and so will they.
    """
    if sys.flags.ignore_environment and not sys.flags.safe_path:
        raise BadInput("python -E lets workers import modules of the current folder; add -P, or use --jobs 1.")
    values = {SAFE_PATH: "1", **values}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
