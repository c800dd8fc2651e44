"""The row `scale`: what `escapedim train` takes by members and by width, and from one process to two.

A command runs with few steps and with three times as many: the difference is training; what is left over is per member
- drawing, measuring, and the summary - but for the start, which a single member pays too. The members' ends are on no
critical points, since weights decay: certificates are the row `certify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarking.processes import ToolTimes, run_command
from benchmarking.timing import Ratio, Scale, Spread
from escapedim.machine import usable_cores

TASK = "teacher:inputs=4,width=4,activation=tanh,samples=500"
MEMBERS, MOST_MEMBERS = (100, 1_000, 10_000), (100_000, 1_000_000)
WIDTHS, MOST_WIDTHS = (4, 64, 1024), (4096,)
MEMBERS_WIDTH, WIDTHS_MEMBERS = 4, 20
LEAST_STEPS, UNIT_STEPS, LONGER = 20, 4_000_000, 3  # steps of units of members are as many in every size
JOBS_MEMBERS, JOBS_STEPS = 1_000, 2_000


@dataclass(frozen=True)
class Size:
    """One size: microseconds per network step, milliseconds a member besides, seconds of the start, peak memory."""

    members: int
    width: int
    step_us: float
    member_ms: float
    start_s: float
    peak_rss_mb: float


@dataclass(frozen=True)
class ScaleRow:
    """Sizes, and how many times sooner two processes end than one; None where there is one core."""

    task: str
    sizes: Sequence[Size]
    jobs_ratio: Ratio | None


def measure_scale(scale: Scale) -> ScaleRow:
    """Run every size once with few steps and once with more, and the same command with one job and two in turns."""
    members = MEMBERS + (MOST_MEMBERS if scale.full else ())
    widths = WIDTHS + (MOST_WIDTHS if scale.full else ())
    pairs = [(count, MEMBERS_WIDTH) for count in members] + [(WIDTHS_MEMBERS, width) for width in widths]
    with TemporaryDirectory() as folder:
        alone = _train(Path(folder), 1, MEMBERS_WIDTH, LEAST_STEPS)
        sizes = [measure_size(Path(folder), count, width, alone.run_s) for count, width in pairs]
        jobs = _jobs_ratio(Path(folder), scale.repeats) if usable_cores() > 1 else None
    return ScaleRow(TASK, sizes, jobs)


def measure_size(folder: Path, members: int, width: int, alone_s: float) -> Size:
    """Take one size apart; a single member's run takes `alone_s`."""
    steps = max(LEAST_STEPS, UNIT_STEPS // (members * width))
    short, long = (_train(folder, members, width, count) for count in (steps, LONGER * steps))
    training_s = max(0.0, (long.run_s - short.run_s) / (LONGER - 1))
    return Size(
        members=members,
        width=width,
        step_us=1e6 * training_s / (members * steps),
        member_ms=1e3 * max(0.0, short.run_s - training_s - alone_s) / members,
        start_s=short.wall_s - short.run_s + alone_s,
        peak_rss_mb=max(short.peak_rss_mb, long.peak_rss_mb),
    )


def _jobs_ratio(folder: Path, repeats: int) -> Ratio:
    turns = [[_train(folder, JOBS_MEMBERS, 16, JOBS_STEPS, jobs).wall_s for jobs in (1, 2)] for _ in range(repeats)]
    one, two = (Spread.of(values) for values in zip(*turns, strict=True))
    return Ratio.of(one, two)


def _train(folder: Path, members: int, width: int, steps: int, jobs: int = 1) -> ToolTimes:
    arguments = ["train", "--task", TASK, "--hidden", str(width), "--replicates", str(members), "--force", "--quiet"]
    recipe = ["--optimizer", "adamw", "--batch-size", "500", "--steps", f"{steps}it", "--jobs", str(jobs)]
    return run_command([*arguments, *recipe, "--device", "cpu"], folder, "train.json")
