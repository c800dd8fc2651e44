import resource
import subprocess
import sys

import pytest

from escapedim import machine as module
from escapedim.machine import available_mb, process_mb, usable_cores


def test_cores_come_from_slurm_where_it_says_so(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert usable_cores() == 3
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "many")
    assert usable_cores() >= 1


def test_slurms_limit_counts_where_it_is_the_smallest(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "3")
    assert available_mb() == 3.0
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    without = available_mb()
    assert without is None or without > 3.0


def test_memory_is_unknown_where_the_system_does_not_say(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "Path", lambda text: tmp_path / "missing")
    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    assert available_mb() is None


MEMINFO, LIMIT, IN_USE, DETAILS = (
    "/proc/meminfo",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory.stat",
)


@pytest.mark.parametrize(
    ("files", "megabytes"),
    [
        ({MEMINFO: "MemTotal:  9000 kB\nMemAvailable:   5000 kB\n"}, 5.0),
        ({LIMIT: "7000000\n", IN_USE: "4000000\n"}, 3.0),
        ({LIMIT: "7000000\n", IN_USE: "4000000\n", DETAILS: "anon 1\ninactive_file 1500000\n"}, 4.5),
        ({LIMIT: "7000000\n", IN_USE: "4000000\n", DETAILS: "inactive_file 9000000\n"}, 7.0),
        ({LIMIT: "7000000\n", IN_USE: "4000000\n", DETAILS: "inactive_file\n"}, 3.0),
        ({LIMIT: "max\n", IN_USE: "4000000\n"}, None),
    ],
)
def test_free_memory_is_what_the_system_and_the_control_group_leave(monkeypatch, tmp_path, files, megabytes):
    for name, content in files.items():
        (tmp_path / name.replace("/", "_")).write_text(content)
    monkeypatch.setattr(module, "Path", lambda text: tmp_path / text.replace("/", "_"))
    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    assert available_mb() == megabytes


LIMITED = f"""
import resource
from escapedim.machine import available_mb, process_mb
resource.setrlimit(resource.RLIMIT_AS, ({2**30}, {resource.RLIM_INFINITY}))
print(process_mb(), available_mb())
"""


def test_a_limit_of_the_process_counts_for_it_alone():
    said = subprocess.run([sys.executable, "-c", LIMITED], check=True, capture_output=True, text=True).stdout
    own, all_together = said.split()
    assert 0 < float(own) < 2**30 / 1e6
    assert own != all_together


def test_without_a_limit_of_its_own_a_process_may_take_what_there_is(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(module, "available_mb", lambda: 3.0)
    assert process_mb() == 3.0
