"""The row `small`: full-batch gradient descent of many small networks, against the plain loop and against JAX.

All sides run in one thread on one and the same core, in turns. The engine trains stacks of the size that the tool
chooses, one after another, as `escapedim widen` does; the plain loop trains a share of the networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarking.engine_side import WARM_UP_STEPS, engine_step_s, width_job
from benchmarking.jax_side import PROGRAMS, JaxSide, jax_side
from benchmarking.plain_loop import plain_descend, plain_network
from benchmarking.setting import WidthSetting
from benchmarking.timing import Ratio, Scale, Spread, one_core, threads
from escapedim.training.experiment import stack_size

MEMBERS = 512
UNITS = 16
TASK = "teacher:inputs=4,width=4,activation=tanh,samples=500"


@dataclass(frozen=True)
class JaxTimes:
    """One program of JAX: seconds of its compilation, which is not counted, and microseconds per network step."""

    program: str
    compile_s: float
    net_step_us: Spread


@dataclass(frozen=True)
class JaxRow:
    """JAX: its programs, and how many times longer the better of them takes than the engine."""

    version: str
    programs: Sequence[JaxTimes]
    ratio: Ratio


@dataclass(frozen=True)
class SmallRow:
    """Microseconds per network step of each side; `jax` is None where it is not installed, `core` where none is held.

    `plain_net_steps` are the network steps of one timing of the plain loop; all others take `steps` of every network.
    """

    network: str
    members: int
    samples: int
    stack: int
    steps: int
    plain_net_steps: int
    core: int | None
    engine_us: Spread
    plain_us: Spread
    plain_ratio: Ratio
    jax: JaxRow | None


def small_setting(steps: int) -> WidthSetting:
    """Return the networks and their samples, for so many steps."""
    return WidthSetting.of(
        task=TASK,
        widths=UNITS,
        replicates=MEMBERS,
        optimizer="gd",
        lr=0.1,
        schedule="constant",
        steps=f"{steps}it",
        dtype="float64",
        device="cpu",
    )


def measure_small(scale: Scale) -> SmallRow:
    """Time in turns: the engine, the plain loop, each program of JAX."""
    setting = small_setting(10**6)  # so long a run that it is not examined between the timed steps
    with threads(1), one_core() as core, jax_side(setting) as jax:
        compile_s = {} if jax is None else {program: jax.compile(program, scale.small_steps) for program in PROGRAMS}
        plain_step_us(setting, WARM_UP_STEPS)
        times = [_turn(setting, jax, scale) for _ in range(scale.repeats)]
        spreads = {side: Spread.of([turn[side] for turn in times]) for side in times[0]}
        jax_row = None if jax is None else _jax_row(jax.version, compile_s, spreads)
    return SmallRow(
        network=setting.model.name,
        members=MEMBERS,
        samples=setting.recipe.samples,
        stack=stack_size(setting.model, setting.recipe),
        steps=scale.small_steps,
        plain_net_steps=scale.net_steps,
        core=core,
        engine_us=spreads["engine"],
        plain_us=spreads["plain"],
        plain_ratio=Ratio.of(spreads["plain"], spreads["engine"]),
        jax=jax_row,
    )


def _turn(setting: WidthSetting, jax: JaxSide | None, scale: Scale) -> dict[str, float]:
    """Microseconds per network step of every side."""
    steps = scale.small_steps
    turn = {"engine": engine_us(setting, steps), "plain": plain_step_us(setting, scale.net_steps)}
    if jax is not None:
        turn |= {program: 1e6 * jax.run(program, steps) / (steps * MEMBERS) for program in PROGRAMS}
    return turn


def engine_us(setting: WidthSetting, steps: int) -> float:
    """Microseconds per network step of all stacks, one after another."""
    times_s = [engine_step_s(width_job(setting, rows), setting.data, steps) for rows in setting.stacks]
    return 1e6 * sum(times_s) / MEMBERS


def plain_step_us(setting: WidthSetting, steps: int) -> float:
    """Microseconds per step of the plain loop."""
    return 1e6 * plain_descend(setting, plain_network(setting.model, setting.initial(0)), steps) / steps


def _jax_row(version: str, compile_s: Mapping[str, float], spreads: Mapping[str, Spread]) -> JaxRow:
    best = min(PROGRAMS, key=lambda program: spreads[program].median)
    programs = [JaxTimes(program, compile_s[program], spreads[program]) for program in PROGRAMS]
    return JaxRow(version, programs, Ratio.of(spreads[best], spreads["engine"]))
