"""The row `kernels`: what each kernel saves, by processor time of whole commands with it and without it.

Commands run in turns, in one process each (`--jobs 1`), start included. A saving is what a command takes longer without
the kernel, as a share of what it takes with all of them. The closed form has no row, since nothing else takes its task,
and autograd has none: it takes what no other kernel takes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarking.images import write_images
from benchmarking.timing import Ratio, Scale, Spread
from escapedim.errors import EscapedimError

SMALL = ("--replicates", "2")
IMAGES = ("--task", "npz:images/images.npz", "--hidden", "300,100", "--steps", "300it", *SMALL)
COMMANDS: dict[str, tuple[str, ...]] = {
    "prune": ("prune", *SMALL),
    "prune --rounds 15": ("prune", "--rounds", "15", *SMALL),
    "prune, 784 inputs, 300-100": ("prune", *IMAGES),
    "prune, 784 inputs, --rounds 15": ("prune", *IMAGES, "--rounds", "15"),
    "prune --granularity unit": ("prune", "--granularity", "unit", *SMALL),
    "widen --widths 8,16": ("widen", "--widths", "8,16", "--replicates", "20"),
    "widen --task xor": ("widen", "--task", "xor", "--replicates", "50"),
    "train --task erf-channel": ("train", "--task", "erf-channel", "--replicates", "20"),
}
SAVES_ON: dict[str, tuple[str, ...]] = {
    "dense": ("prune", "widen --widths 8,16"),
    "full batch": ("widen --task xor", "train --task erf-channel"),
    "packed": ("prune", "prune --rounds 15", "prune, 784 inputs, 300-100", "prune, 784 inputs, --rounds 15"),
    "without idle": ("prune", "prune, 784 inputs, 300-100", "prune --granularity unit"),
}
"""On which commands each kernel is tried: the defaults, and those that it is there for."""


@dataclass(frozen=True)
class Saving:
    """Processor seconds of a command with all kernels, and how many times as long it takes without one."""

    kernel: str
    command: str
    cpu_s: Spread
    without: Ratio


def measure_kernels(scale: Scale, pairs: Sequence[tuple[str, str]] = ()) -> list[Saving]:
    """Measure (kernel, command) pairs, by default all of `SAVES_ON`."""
    asked = pairs or [(kernel, command) for kernel, commands in SAVES_ON.items() for command in commands]
    with TemporaryDirectory() as folder:
        write_images(Path(folder) / "images")
        return [_measure(kernel, command, Path(folder), scale.repeats) for kernel, command in asked]


def _measure(kernel: str, command: str, folder: Path, repeats: int) -> Saving:
    turns = [[_cpu_s(without, COMMANDS[command], folder) for without in ("none", kernel)] for _ in range(repeats)]
    whole, less = (Spread.of(list(column)) for column in zip(*turns, strict=True))
    return Saving(kernel, command, whole, Ratio.of(less, whole))


def _cpu_s(without: str, arguments: Sequence[str], folder: Path) -> float:
    """Run a command without a kernel; its processor time, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "benchmarking.without_kernel", without, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    ended = subprocess.run(
        [*words, "--jobs", "1", "--force", "--quiet"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise EscapedimError(f"{' '.join(words)} ended with code {ended.returncode}: {ended.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
