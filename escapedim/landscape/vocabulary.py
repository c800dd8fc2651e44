"""The names of endings, importable without torch."""

from __future__ import annotations

from enum import Enum


class Ending(Enum):
    """Where a member stopped, in the words of the report."""

    GLOBAL_MINIMUM = "global minimum"
    BAD_MINIMUM = "bad minimum"
    SADDLE = "saddle"
    PLATEAU_SADDLE = "plateau saddle"
    CHANNEL = "channel"
    STALLED = "stalled"
    DIVERGED = "diverged"
    UNDECIDED = "undecided"
