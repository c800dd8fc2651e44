"""The engine's side of the benchmark: stacks of members and whole experiments, timed step by step in this process."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import torch
from torch import Tensor

from benchmarking.setting import Setting, Spent, WidthSetting
from escapedim.pruning.experiment import prune_experiment
from escapedim.training.certification import make_landing
from escapedim.training.data import Data
from escapedim.training.descent import descend
from escapedim.training.initial import order_seed
from escapedim.training.job import Job
from escapedim.training.problems import problem_of
from escapedim.training.work import Arrays, Context

WARM_UP_STEPS = 3  # in which buffers are made


def engine_job(setting: Setting, rows: Tensor, own_orders: bool) -> Job:
    """Members `(members, parameters)` that share one data order, or have one each."""
    seeds = [order_seed(setting.model, setting.config.seed, member * own_orders, 0) for member in range(len(rows))]
    return Job(setting.model, problem_of(setting.task), setting.recipe, rows, None, seeds)


def width_job(setting: WidthSetting, rows: Tensor) -> Job:
    """A stack of members that see all samples at every step."""
    return Job(setting.model, problem_of(setting.task), setting.recipe, rows, None, [0] * len(rows))


def landing_job(setting: WidthSetting, rows: Tensor) -> Job:
    """A stack of members whose descent ends where `widen` ends it: in a certified minimum, or after all steps."""
    landing = make_landing(setting.model, setting.task, setting.recipe)
    return replace(width_job(setting, rows), landing=landing, restart=setting.task.restarts)


class Stopwatch:
    """Notes the time after every step, as `tick` or `pause`; asks for a pause after the warm-up and so many steps."""

    def __init__(self, steps: float = math.inf) -> None:
        self._last = WARM_UP_STEPS + steps
        self._times: list[float] = []

    def __call__(self, members: int = 1) -> bool:
        """Note the time after a step of so many members."""
        self._times.append(time.perf_counter())
        return len(self._times) == self._last

    @property
    def step_s(self) -> float:
        """Seconds of a step after the warm-up, in the mean."""
        return (self._times[-1] - self._times[WARM_UP_STEPS - 1]) / (len(self._times) - WARM_UP_STEPS)


def engine_step_s(job: Job, data: Data, steps: int) -> float:
    """Seconds of one step of the whole stack; making the stack is not counted."""
    watch = Stopwatch(steps)
    descend(job, data, job.begin(), watch)
    return watch.step_s


def engine_prune(setting: Setting) -> tuple[Tensor, Spent]:
    """Do all of the experiment by the tool's own works, in this process; return what `PlainPrune.run` does.

    A pruned network's seconds are its share of the stack of all arms. The rest is not timed.
    """
    done: dict[str, Arrays] = {}
    dense_s, pruned_s = [], []
    for work in prune_experiment(setting.config, setting.task).works:
        watch, earlier = Stopwatch(), {key: done[key] for key in work.needs}
        done[work.key] = work(Context(setting.task, setting.data, "cpu", watch), earlier, None).arrays
        unit_s = watch.step_s * setting.recipe.steps
        if work.needs:
            pruned_s.append(unit_s / len(setting.plan.arms))
        else:
            dense_s.append(unit_s)
    ended = [torch.from_numpy(done[work.key][f"ticket.end.{name}"]).flatten() for name in setting.model.shapes]
    return torch.cat(ended), Spent(dense_s, pruned_s, math.nan)
