"""What the fork server of the workers imports: torch, once, and silence about a parent that is gone.

A worker that is about to start when its parent is stopped at once finds the end of a pipe where it expects its work.
Python would print a traceback for each.
"""

from __future__ import annotations

import pickle
import sys
from types import TracebackType

from escapedim.training import workers

__all__ = ["workers"]  # imported for what it imports


def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error like Python does, unless it is the end of a pipe."""
    if not issubclass(kind, EOFError | OSError | pickle.UnpicklingError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = report
