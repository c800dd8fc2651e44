"""The row `gpu`: the engine on CUDA and on one core of the same machine, in float64 and in float32.

The cases are those of the other rows: full-batch descent of many small networks, relu students, and minibatches of
pruned networks with inputs of 64 and 784 numbers. Before anything is timed both devices take the same steps and must
end with the same parameters to a tolerance.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from benchmarking.certify_row import UNITS as STUDENTS
from benchmarking.engine_side import engine_job, landing_job, width_job
from benchmarking.images import write_images
from benchmarking.setting import Setting, WidthSetting
from benchmarking.small_row import TASK, UNITS
from benchmarking.timing import Ratio, Spread, threads
from escapedim.errors import BadInput, EscapedimError
from escapedim.training.data import Data
from escapedim.training.descent import descend
from escapedim.training.job import Job
from escapedim.training.kernels.replay import RECORD_AFTER

DTYPES = ("float64", "float32")
TOLERANCES = {"float64": 1e-9, "float32": 1e-3}
"""Of parameters, relative to the largest of their network, after `CHECKED_STEPS` steps."""
CHECKED_STEPS = 2 * RECORD_AFTER
WARM_UP = 2 * RECORD_AFTER


@dataclass(frozen=True)
class GpuTimes:
    """Microseconds per network step of one case in one dtype: on CUDA, and on one core of the CPU."""

    case: str
    members: int
    cpu_members: int
    dtype: str
    cuda_us: Spread
    cpu_us: Spread
    ratio: Ratio
    off_by: float


@dataclass(frozen=True)
class GpuDescent:
    """Seconds from draw to the end of all descents of relu students, on CUDA in float64."""

    task: str
    members: int
    cuda_s: Spread


@dataclass(frozen=True)
class GpuRow:
    """The card, the times of steps, and those of descents with landing."""

    card: str
    steps: Sequence[GpuTimes]
    descents: Sequence[GpuDescent]


@dataclass(frozen=True)
class _Case:
    """Networks of one kind: flags of `widen` or `prune`, how many on CUDA, how many on one core, and steps of each."""

    name: str
    kind: type[Setting] | type[WidthSetting]
    flags: dict[str, Any]
    members: int
    cpu_members: int
    steps: int
    cpu_steps: int
    dtypes: Sequence[str] = DTYPES

    def job(self, device: str, dtype: str, members: int) -> tuple[Job, Data]:
        setting = self.kind.of(**self.flags, device=device, dtype=dtype, steps=f"{10**6}it")
        rows = torch.stack([setting.initial(replicate) for replicate in range(members)]).to(device)
        made = engine_job(setting, rows, True) if isinstance(setting, Setting) else width_job(setting, rows)
        return made, setting.data


def measure_gpu(repeats: int) -> GpuRow:
    """Check that both devices agree, and time them in turns.

    Raises
    ------
    BadInput
        There is no CUDA device.
    EscapedimError
        The devices end with different parameters.
    """
    if not torch.cuda.is_available():
        raise BadInput("--rows gpu: this torch finds no CUDA device; leave the row out.")
    with TemporaryDirectory() as folder, threads(1):
        steps = [_times(case, dtype, repeats) for case in _cases(Path(folder)) for dtype in case.dtypes]
    return GpuRow(torch.cuda.get_device_name(), steps, [_descent(k, repeats) for k in (STUDENTS, 2 * STUDENTS)])


def _cases(folder: Path) -> list[_Case]:
    small = {"task": TASK, "widths": UNITS, "optimizer": "gd", "lr": 0.1, "schedule": "constant"}
    students = {"task": f"relu-teacher:k={STUDENTS}", "widths": STUDENTS}
    images = {"task": f"npz:{write_images(folder)}", "hidden": "300,100", "batch_size": 60}
    digits = {"hidden": "300,100", "batch_size": 60}
    return [
        _Case("small networks", WidthSetting, small, 512, 15, 400, 40),
        _Case("small networks", WidthSetting, small, 8192, 15, 100, 40),
        _Case("relu students", WidthSetting, students, 8192, 256, 200, 40, DTYPES[:1]),
        _Case("64-300-100-10", Setting, digits, 20, 20, 300, 10),
        _Case("64-300-100-10", Setting, digits, 512, 20, 100, 10),
        _Case("784-300-100-10", Setting, images, 20, 20, 300, 5),
        _Case("784-300-100-10", Setting, images, 256, 20, 100, 5),
    ]


def _times(case: _Case, dtype: str, repeats: int) -> GpuTimes:
    off_by = _difference(case, dtype)
    if not off_by <= TOLERANCES[dtype]:
        raise EscapedimError(
            f"{case.name}, {dtype}: CUDA and the CPU end with different parameters after {CHECKED_STEPS} steps: "
            f"{off_by:.2g} of the largest, at most {TOLERANCES[dtype]:g} expected"
        )
    cuda, cpu = case.job("cuda", dtype, case.members), case.job("cpu", dtype, case.cpu_members)
    turns = [
        (
            1e6 * step_s(*cuda, case.steps) / case.members,
            1e6 * step_s(*cpu, case.cpu_steps) / case.cpu_members,
        )
        for _ in range(repeats)
    ]
    on_cuda, on_cpu = (Spread.of(values) for values in zip(*turns, strict=True))
    ratio = Ratio.of(on_cpu, on_cuda)
    return GpuTimes(case.name, case.members, case.cpu_members, dtype, on_cuda, on_cpu, ratio, off_by)


def _difference(case: _Case, dtype: str) -> float:
    """Largest difference between the devices' parameters, relative to the largest parameter of the member."""
    ends: list[Tensor] = []
    for device in ("cuda", "cpu"):
        job, data = case.job(device, dtype, 2)
        ends.append(descend(job, data, job.begin(), _after(CHECKED_STEPS)).params.cpu().double())
    scale = ends[1].abs().amax(1, keepdim=True)
    return float(((ends[0] - ends[1]).abs() / scale).max())


def _after(steps: int) -> Any:
    count = iter(range(1, steps + 1))
    return lambda members: next(count) == steps


def step_s(job: Job, data: Data, steps: int) -> float:
    """Seconds of one step of the stack on any device, after its work was recorded; the device ends all of it."""
    times, count = [], iter(range(1, WARM_UP + steps + 1))

    def pause(_: int) -> bool:
        at = next(count)
        if at in (WARM_UP, WARM_UP + steps):
            if job.params.is_cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter())
        return at == WARM_UP + steps

    descend(job, data, job.begin(), pause)
    return (times[1] - times[0]) / steps


def _descent(k: int, repeats: int, members: int = 1000) -> GpuDescent:
    setting = WidthSetting.of(task=f"relu-teacher:k={k}", widths=k, replicates=members, device="cuda")
    return GpuDescent(setting.config.task, members, Spread.of([_descend_s(setting) for _ in range(repeats)]))


def _descend_s(setting: WidthSetting) -> float:
    began = time.perf_counter()
    for rows in setting.stacks:
        job = landing_job(setting, rows.to(setting.config.device))
        descend(job, setting.data, job.begin(), lambda members: False)
    return time.perf_counter() - began
