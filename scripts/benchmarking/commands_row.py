"""The row `commands`: the default `prune`, `rewind`, `widen` and `compare` as processes of their own, start included.

`rewind` starts from what `prune` has written, and `compare` reads that and what `widen` has written. What a user
should wait at most is printed beside the times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarking.processes import run_command
from benchmarking.timing import Scale, Spread

AT_MOST_S = {"prune": 15.0, "rewind": 20.0, "widen": 45.0, "compare": 3.0}
SUMMARIES = {"prune": "lottery.json", "rewind": "rewind.json", "widen": "widen.json", "compare": "compare.json"}
INPUTS = {"rewind": ["lottery.json"], "compare": ["lottery.json", "widen.json"]}


@dataclass(frozen=True)
class CommandTimes:
    """Seconds of a command, its most memory, and how long it should take at most on two cores."""

    command: str
    wall_s: Spread
    peak_rss_mb: float
    at_most_s: float


def measure_commands(scale: Scale, commands: Sequence[str] = tuple(SUMMARIES)) -> list[CommandTimes]:
    """Run the commands in turns, each in full."""
    wall_s: dict[str, list[float]] = {command: [] for command in commands}
    peaks = dict.fromkeys(commands, 0.0)
    with TemporaryDirectory() as folder:
        for _ in range(scale.repeats):
            for command in commands:
                anew = [] if command == "compare" else ["--force"]
                arguments = [command, *INPUTS.get(command, []), *anew, "--quiet"]
                times = run_command(arguments, Path(folder), SUMMARIES[command])
                wall_s[command].append(times.wall_s)
                peaks[command] = max(peaks[command], times.peak_rss_mb)
    return [
        CommandTimes(
            " ".join([command, *INPUTS.get(command, [])]), Spread.of(times), peaks[command], AT_MOST_S[command]
        )
        for command, times in wall_s.items()
    ]
