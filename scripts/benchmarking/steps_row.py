"""The row `steps`: training steps of stacks of members in one thread, against steps of the plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarking.engine_side import WARM_UP_STEPS, engine_job, engine_step_s
from benchmarking.plain_loop import plain_network, plain_train
from benchmarking.setting import Setting
from benchmarking.timing import Ratio, Scale, Spread, threads

LEAST_STEPS = 5  # timed steps of a large stack


@dataclass(frozen=True)
class StackTimes:
    """A stack of members: milliseconds per network step, and how many times longer the plain loop's take."""

    net_step_ms: Spread
    ratio: Ratio


@dataclass(frozen=True)
class StepsRow:
    """Training steps of so many members at once, in one thread; `plain_ms` was measured in turns with them."""

    members: int
    steps: int
    plain_ms: Spread
    shared: StackTimes
    own: StackTimes


def measure_steps(scale: Scale, members: Sequence[int]) -> list[StepsRow]:
    """Time, in turns: the plain loop, a stack that shares its data order, a stack whose members have one each."""
    # So long a run that no look at the validation part falls into the timed steps: the plain loop takes none.
    setting = Setting.of(steps=f"{10**6}it")
    rows = torch.stack([setting.initial(member) for member in range(max(members))])
    with threads(1):
        _plain_step_ms(setting, WARM_UP_STEPS)
        times = [{count: _stack_times(setting, rows[:count], scale) for count in members} for _ in range(scale.repeats)]
    return [_steps_row(count, scale, [repeat[count] for repeat in times]) for count in members]


def timed_steps(members: int, scale: Scale) -> int:
    """Return how many steps of a stack are timed."""
    return max(LEAST_STEPS, scale.net_steps // members)


def _stack_times(setting: Setting, rows: Tensor, scale: Scale) -> tuple[float, float, float]:
    """Milliseconds per network step: plain, with a shared data order, with own ones."""
    steps = timed_steps(len(rows), scale)
    plain_ms = _plain_step_ms(setting, scale.net_steps)
    shared_s, own_s = (
        engine_step_s(engine_job(setting, rows, own_orders), setting.data, steps) for own_orders in (False, True)
    )
    return plain_ms, 1e3 * shared_s / len(rows), 1e3 * own_s / len(rows)


def _plain_step_ms(setting: Setting, steps: int) -> float:
    network = plain_network(setting.model, setting.initial(0))
    return 1e3 * plain_train(setting, network, setting.order(0, 0), steps, []) / steps


def _steps_row(members: int, scale: Scale, repeats: Sequence[tuple[float, float, float]]) -> StepsRow:
    plain, shared, own = (Spread.of(values) for values in zip(*repeats, strict=True))
    stacks = [StackTimes(stack, Ratio.of(plain, stack)) for stack in (shared, own)]
    return StepsRow(members, timed_steps(members, scale), plain, *stacks)
