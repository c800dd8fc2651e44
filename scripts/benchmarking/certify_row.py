"""The row `certify`: what it takes to train relu students to their minima, and to certify the endings of all of them.

The descent runs as in `escapedim widen`, with landing: from a look at the stack on, members in the basin of a certified
minimum leave it. One process, one thread.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from benchmarking.engine_side import landing_job
from benchmarking.setting import WidthSetting
from benchmarking.timing import Scale, Spread, one_core, threads
from escapedim.landscape.endings import certify
from escapedim.training.certification import make_surface
from escapedim.training.descent import descend
from escapedim.training.job import State

UNITS = 10
MORE_UNITS = 20


@dataclass(frozen=True)
class CertifyRow:
    """Seconds of the descent of all members and of the certificates of their ends; shares of the endings.

    `draw_s` are those of the initial weights.
    """

    task: str
    network: str
    members: int
    net_steps: int
    core: int | None
    descent_s: Spread
    certify_s: Spread
    endings: Mapping[str, float]
    draw_s: Spread


def certify_setting(members: int, units: int = UNITS) -> WidthSetting:
    """Return relu students of as many units as their teacher has, and inputs."""
    return WidthSetting.of(task=f"relu-teacher:k={units}", widths=units, replicates=members, device="cpu")


def measure_certify(scale: Scale, units: int = UNITS) -> CertifyRow:
    """Time the draw, the descent and the certificates, one after the other, in every repeat."""
    setting = certify_setting(scale.certify_members, units)
    with threads(1), one_core() as core:
        repeats = [_repeat(certify_setting(scale.certify_members, units)) for _ in range(scale.repeats)]
    draw_s, descent_s, certify_s, net_steps, endings = zip(*repeats, strict=True)
    return CertifyRow(
        task=setting.config.task,
        network=setting.model.name,
        members=scale.certify_members,
        net_steps=net_steps[0],
        core=core,
        descent_s=Spread.of(descent_s),
        certify_s=Spread.of(certify_s),
        endings=endings[0],
        draw_s=Spread.of(draw_s),
    )


def _repeat(setting: WidthSetting) -> tuple[float, float, float, int, dict[str, float]]:
    """Seconds of draw, descent and certificates, steps of all members, and shares of endings."""
    first = time.perf_counter()
    stacks = setting.stacks
    began = time.perf_counter()
    ended = [_descend(setting, rows) for rows in stacks]
    descended = time.perf_counter()
    surface = make_surface(setting.model, setting.task)
    assert not isinstance(surface, str), surface
    found = [certify(surface, _ends(state), setting.task.global_below).ending for state in ended]
    certified = time.perf_counter()
    counts = Counter(ending.value for stack in found for ending in stack)
    shares = {ending: count / counts.total() for ending, count in counts.most_common()}
    net_steps = sum(int(state.steps().sum()) for state in ended)
    return began - first, descended - began, certified - descended, net_steps, shares


def _descend(setting: WidthSetting, rows: torch.Tensor) -> State:
    job = landing_job(setting, rows)
    return descend(job, setting.data, job.begin(), lambda members: False)


def _ends(state: State) -> torch.Tensor:
    """Return the members' ends; a diverged member can be finite again by underflow."""
    return torch.where((state.diverged_at >= 0).unsqueeze(1), torch.nan, state.params)
