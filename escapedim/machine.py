"""What there is to work with: cores, by the system and Slurm; memory, by these, the control group and own limits."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from escapedim.text import whole_number

MOST_CORES = 4096  # of one task: what is more is no number that Slurm has set; ours


def usable_cores() -> int:
    """Return how many cores this process may use: as scheduled by Slurm, or by the system."""
    affinity = getattr(os, "sched_getaffinity", None)
    system = len(affinity(0)) if affinity else os.cpu_count() or 1
    scheduled = whole_number(os.environ.get("SLURM_CPUS_PER_TASK", "")) or 0
    return scheduled if 0 < scheduled <= MOST_CORES else system


def available_mb() -> float | None:
    """Memory that this process may still take, by the system, its control group and Slurm; None where unknown."""
    limits = [_free_memory_mb(), _control_group_mb(), _slurm_mb()]
    return min((limit for limit in limits if limit is not None), default=None)


def process_mb() -> float | None:
    """Memory that this process alone may still take, which a limit of the shell (`ulimit -v`) may set too.

    That is a limit of addresses, and each process has its own: it says what arrays this one can hold, and not whether
    workers fit, for which torch reserves much more than it uses.
    """
    limits = [available_mb(), _limit_mb(resource.RLIMIT_AS, 0), _limit_mb(resource.RLIMIT_DATA, 5)]
    return min((limit for limit in limits if limit is not None), default=None)


def _free_memory_mb() -> float | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1000
    return None


def _control_group_mb() -> float | None:
    with suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        in_use = int(Path("/sys/fs/cgroup/memory.current").read_text())
        return (limit - max(0, in_use - _reclaimable())) / 1e6
    return None


def _reclaimable() -> int:
    """Bytes of files in the control group's cache that the system gives up when memory is short."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines():
            if line.startswith("inactive_file"):
                return int(line.split()[1])
    return 0


def _slurm_mb() -> float | None:
    return whole_number(os.environ.get("SLURM_MEM_PER_NODE", "")) or None


def _limit_mb(which: int, column: int) -> float | None:
    """Return what a limit of this process leaves; what it has is in that column of /proc/self/statm, in pages."""
    soft, _ = resource.getrlimit(which)
    if soft == resource.RLIM_INFINITY:
        return None
    with suppress(OSError, ValueError, IndexError):
        return (soft - int(Path("/proc/self/statm").read_text().split()[column]) * resource.getpagesize()) / 1e6
    return soft / 1e6
