"""The row `small`: full-batch gradient descent of many small networks, against the plain loop and against JAX.

All sides run in turns: in one thread on one and the same core, and on all usable cores, where the engine runs as
processes of one thread, torch and JAX in threads. The engine trains stacks of the size that the tool chooses, as
`escapedim widen` does; the plain loop trains a share of the networks. On one core torch's own ways to many networks are
measured too, and the floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from benchmarking.engine_processes import engine_processes
from benchmarking.engine_side import WARM_UP_STEPS, engine_step_s, width_job
from benchmarking.floor import floor_step_s
from benchmarking.jax_side import PROGRAMS, JaxSide, jax_side
from benchmarking.plain_loop import plain_descend, plain_network
from benchmarking.setting import WidthSetting
from benchmarking.timing import Ratio, Scale, Spread, one_core, threads
from benchmarking.torch_side import TorchSide, compiled_side, eager_side, why_not_compiled
from escapedim.machine import usable_cores
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


FLOOR = "activations, products, sums alone"
TORCH_STEPS = 10  # of all members at once, of which a step takes as long as many of ours


@dataclass(frozen=True)
class OtherTimes:
    """Another side on one core, or the floor: microseconds per network step, and how many times as long it takes."""

    name: str
    compile_s: float
    net_step_us: Spread
    ratio: Ratio


@dataclass(frozen=True)
class SmallTimes:
    """Microseconds per network step of each side on so many cores; `jax` is None where it is not installed.

    `processes` are the engine's, of one thread each; `plain_threads` are those with which the plain loop was faster.
    `others` are torch's own ways and the floor, `left_out` says why one of them is not there.
    """

    processes: int
    engine_us: Spread
    plain_threads: int
    plain_us: Spread
    plain_ratio: Ratio
    jax: JaxRow | None
    others: Sequence[OtherTimes] = ()
    left_out: str = ""


@dataclass(frozen=True)
class SmallRow:
    """The sides on one core, which is None where none is held, and on all cores, None where there is but one.

    `plain_net_steps` are the network steps of one timing of the plain loop; all others take `steps` of every network.
    """

    network: str
    members: int
    samples: int
    stack: int
    steps: int
    plain_net_steps: int
    core: int | None
    one_core: SmallTimes
    all_cores: SmallTimes | None


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
    """Time in turns: the engine, the plain loop, each program of JAX, on one core and then on all."""
    setting = small_setting(10**6)  # so long a run that it is not examined between the timed steps
    cores = usable_cores()
    with ExitStack() as running:
        with one_core() as core:
            alone = _Alone(setting, running.enter_context(jax_side(setting)), scale)
        together = _AllCores(setting, running, cores, scale) if cores > 1 else None
        turns: list[tuple[dict[str, float], dict[str, float]]] = []
        for _ in range(scale.repeats):
            with one_core():
                one = alone.turn()
            turns.append((one, {} if together is None else together.turn()))
        return SmallRow(
            network=setting.model.name,
            members=MEMBERS,
            samples=setting.recipe.samples,
            stack=stack_size(setting.model, setting.recipe),
            steps=scale.small_steps,
            plain_net_steps=scale.net_steps,
            core=core,
            one_core=alone.times([one for one, _ in turns]),
            all_cores=None if together is None else together.times([every for _, every in turns]),
        )


class _OneCore:
    """All sides in one thread; who calls it sees to the core."""

    processes = 1

    def __init__(self, setting: WidthSetting, jax: JaxSide | None, scale: Scale) -> None:
        self._setting, self._jax, self._scale = setting, jax, scale
        self._compile_s = {} if jax is None else {program: jax.compile(program, self._steps) for program in PROGRAMS}
        for count in self._plain_threads:
            self._plain_us(count, WARM_UP_STEPS)

    def turn(self) -> dict[str, float]:
        """Microseconds per network step of every side."""
        turn = {"engine": self._engine_us()}
        turn |= {_plain(count): self._plain_us(count, self._scale.net_steps) for count in self._plain_threads}
        if self._jax is not None:
            turn |= {program: _us(self._jax.run(program, self._steps), self._steps) for program in PROGRAMS}
        return turn

    def times(self, turns: Sequence[Mapping[str, float]]) -> SmallTimes:
        """Summarise the turns."""
        spreads = {side: Spread.of([turn[side] for turn in turns]) for side in turns[0]}
        plain_threads = min(self._plain_threads, key=lambda count: spreads[_plain(count)].median)
        plain, engine = spreads[_plain(plain_threads)], spreads["engine"]
        jax = None if self._jax is None else _jax_row(self._jax.version, self._compile_s, spreads)
        return SmallTimes(self.processes, engine, plain_threads, plain, Ratio.of(plain, engine), jax)

    @property
    def _steps(self) -> int:
        return self._scale.small_steps

    @property
    def _plain_threads(self) -> Sequence[int]:
        return [1]

    def _engine_us(self) -> float:
        with threads(1):
            return engine_us(self._setting, self._steps)

    def _plain_us(self, count: int, steps: int) -> float:
        with threads(count):
            return plain_step_us(self._setting, steps)


class _Alone(_OneCore):
    """As before, with torch's own ways to many networks, and the floor."""

    def __init__(self, setting: WidthSetting, jax: JaxSide | None, scale: Scale) -> None:
        super().__init__(setting, jax, scale)
        self._torch: dict[str, TorchSide] = {"torch.func, vmap of grad": eager_side(setting)}
        self._left_out = why_not_compiled() if scale.compiled else "torch.compile was left out: --compile measures it."
        with threads(1):
            if not self._left_out:
                self._torch["torch.compile of it"] = compiled_side(setting)
            for side in self._torch.values():
                side.run(1)

    def turn(self) -> dict[str, float]:
        """Microseconds per network step of every side."""
        turn, steps = super().turn(), min(TORCH_STEPS, self._steps)
        members = stack_size(self._setting.model, self._setting.recipe)
        with threads(1):
            turn |= {name: _us(side.run(steps), steps) for name, side in self._torch.items()}
            turn[FLOOR] = 1e6 * floor_step_s(self._setting, members, self._steps) / members
        return turn

    def times(self, turns: Sequence[Mapping[str, float]]) -> SmallTimes:
        """Summarise the turns."""
        times = super().times(turns)
        others = []
        for name in (*self._torch, FLOOR):
            spread = Spread.of([turn[name] for turn in turns])
            compile_s = self._torch[name].compile_s if name in self._torch else 0.0
            others.append(OtherTimes(name, compile_s, spread, Ratio.of(spread, times.engine_us)))
        return replace(times, others=others, left_out=self._left_out)


class _AllCores(_OneCore):
    """The engine as so many processes of one thread; the plain loop with one thread and with so many; JAX with its own.

    Its processes are started on all cores, and end with `running`.
    """

    def __init__(self, setting: WidthSetting, running: ExitStack, cores: int, scale: Scale) -> None:
        self.processes = cores
        self._engine = running.enter_context(engine_processes(setting, cores))
        super().__init__(setting, running.enter_context(jax_side(setting, one_thread=False)), scale)

    @property
    def _plain_threads(self) -> Sequence[int]:
        return [1, self.processes]

    def _engine_us(self) -> float:
        return _us(self._engine.run(self._steps), self._steps)


def _plain(count: int) -> str:
    return f"plain loop, {count}"


def _us(seconds: float, steps: int) -> float:
    """Microseconds per network step, where every network took so many."""
    return 1e6 * seconds / (steps * MEMBERS)


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
