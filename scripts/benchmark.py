"""Benchmark: escapedim against a plain PyTorch loop that does the same work.

Two rows, measured in one run, in turns (A B A B ...), so that a machine that slows down slows down both sides.
`prune` times the default `escapedim prune` as a process of its own, start included; `steps` times training steps of
the engine in one thread. The plain loop is what one writes by hand: one network after another, `nn.Sequential`,
`torch.optim.Adam`, data in memory, masks multiplied in after every step. It is spared the start of a process, saving,
and all evaluation but one a network.

Before anything is timed, both sides run a few steps in float64 and must end with the same parameters.

    python scripts/benchmark.py            # some minutes; --quick: under one; --full: times all of the plain loop
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

import escapedim
from escapedim.cli.settings import Given, resolve, usable_cores
from escapedim.errors import BadInput, EscapedimError
from escapedim.models.mlp import MLP
from escapedim.pruning.config import PruneConfig
from escapedim.pruning.experiment import prune_experiment
from escapedim.pruning.plan import Plan
from escapedim.records.atomic import write_atomic
from escapedim.records.provenance import commit_of, now
from escapedim.reporting.render import make_console
from escapedim.tasks.base import Task
from escapedim.training.batches import DataOrder
from escapedim.training.data import Data
from escapedim.training.descent import Job, descend
from escapedim.training.experiment import make_model
from escapedim.training.initial import drawn_row, initial_row, order_seed
from escapedim.training.recipe import Recipe
from escapedim.training.units import Arrays, Context

ROWS = ("prune", "steps")
MEMBERS = (1, 8, 64, 512)
DEFAULT_THREADS = torch.get_num_threads()  # before this module changes it
WARM_UP_STEPS = 3  # in which buffers are made
LEAST_STEPS = 5  # timed steps of a large stack
CHECKED_STEPS = 5
TOLERANCE = 1e-9  # in float64, where lr is 1e-3 and an honest difference 1e-15

Masks = list[Tensor]
Seconds = tuple[float, float]  # of training, of everything


@dataclass(frozen=True)
class Scale:
    """How much is measured: repeats, rounds of `prune`, and network steps of one timing of either row."""

    repeats: int = 5
    rounds: int = 10
    plain_steps: int = 5000  # five networks of 1,000 steps, the length of the default run
    net_steps: int = 1000


QUICK = Scale(repeats=2, rounds=1, plain_steps=2500, net_steps=300)


@dataclass(frozen=True)
class Setting:
    """What both sides train, from the tool's own defaults."""

    config: PruneConfig
    task: Task

    @classmethod
    def of(cls, **flags: Any) -> Setting:
        """Resolve flags as `escapedim prune` does."""
        settings = resolve(PruneConfig, Given(flags))
        return cls(settings.config, settings.task)

    @cached_property
    def model(self) -> MLP:
        """The network."""
        return make_model(self.config, self.task)

    @cached_property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.config.recipe(self.task)

    @cached_property
    def plan(self) -> Plan:
        """What is pruned."""
        return self.config.plan(self.model, self.recipe)

    @cached_property
    def data(self) -> Data:
        """The samples as tensors."""
        return Data.of(self.task, self.recipe.dtype, "cpu")

    @cached_property
    def labels(self) -> Tensor:
        """Labels of the training part `(samples,)`."""
        return self.data.train.targets.argmax(1)

    def order(self, replicate: int, number: int) -> DataOrder:
        """Data order of a replicate in a round."""
        seed = order_seed(self.model, self.config.seed, replicate, number)
        return DataOrder(seed, self.recipe.samples, self.recipe.batch_size)

    def initial(self, replicate: int) -> Tensor:
        """Initial weights of a replicate `(parameters,)`."""
        return initial_row(self.model, self.recipe.dtype, self.config.seed, replicate)


# The plain loop


def plain_network(model: MLP, row: Tensor) -> nn.Sequential:
    """Build a network as one writes it, with the weights of a row `(parameters,)`."""
    layers = [layer for sizes in pairwise(model.sizes) for layer in (nn.Linear(*sizes), nn.ReLU())]
    network = nn.Sequential(*layers[:-1]).to(row.dtype)
    vector_to_parameters(row.clone(), network.parameters())
    return network


def as_row(network: nn.Sequential) -> Tensor:
    """Parameters of a network as a row `(parameters,)`."""
    return parameters_to_vector(network.parameters()).detach()


def weights(network: nn.Sequential) -> list[Tensor]:
    """The prunable tensors, from the input on."""
    return [parameter for parameter in network.parameters() if parameter.dim() == 2]


def plain_train(setting: Setting, network: nn.Sequential, order: DataOrder, steps: int, masks: Masks) -> float:
    """Train one network, with no masks where the list is empty; return the seconds."""
    x, labels, pruned = setting.data.train.x, setting.labels, weights(network)[: len(masks)]
    began = time.perf_counter()
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.recipe.lr)
    for step in range(steps):
        chosen = order.batch(step)
        optimizer.zero_grad()
        F.cross_entropy(network(x[chosen]), labels[chosen]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        apply_masks(pruned, masks)
    return time.perf_counter() - began


@torch.no_grad()
def apply_masks(tensors: Sequence[Tensor], masks: Masks) -> None:
    """Set what is masked to 0."""
    for tensor, mask in zip(tensors, masks, strict=True):
        tensor.mul_(mask)


def plain_masks(plan: Plan, masks: Masks, scores: Sequence[Tensor]) -> Masks:
    """Remove the lowest-scored share of every layer's survivors."""
    removed = []
    for fraction, mask, score in zip(plan.fractions.values(), masks, scores, strict=True):
        order = torch.where(mask > 0, score, torch.inf).flatten().argsort(stable=True)
        flat = mask.flatten().clone()
        flat[order[: round(fraction * int(mask.sum()))]] = 0
        removed.append(flat.view_as(mask))
    return removed


@dataclass(frozen=True)
class Spent:
    """Seconds of pruning on one side: of the training of each dense and each pruned network, and of all the rest."""

    dense_s: Sequence[float]
    pruned_s: Sequence[float]
    rest_s: float

    def scaled(self, share: Setting, whole: Setting) -> Seconds:
        """Estimate the seconds of training, and of everything, that the whole takes where this was a share of it."""
        longer = whole.recipe.steps / share.recipe.steps
        dense = whole.config.replicates
        pruned = dense * whole.config.rounds * len(whole.plan.arms)
        training_s = longer * (dense * statistics.mean(self.dense_s) + pruned * statistics.mean(self.pruned_s))
        rest_s = self.rest_s * (dense + pruned) / (len(self.dense_s) + len(self.pruned_s))
        return training_s, training_s + rest_s


class PlainPrune:
    """Magnitude pruning with rewinding to the start, and the controls, one network after another."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._draws = torch.Generator().manual_seed(setting.config.seed)
        self._dense_s: list[float] = []
        self._pruned_s: list[float] = []

    def run(self) -> tuple[Tensor, Spent]:
        """Do all of the experiment; return the last ticket's weights `(parameters,)` and what it took."""
        began = time.perf_counter()
        for replicate in range(self._setting.config.replicates):
            ticket = self._replicate(replicate)
        rest_s = time.perf_counter() - began - sum(self._dense_s) - sum(self._pruned_s)
        return as_row(ticket), Spent(self._dense_s, self._pruned_s, rest_s)

    def _replicate(self, replicate: int) -> nn.Sequential:
        ticket = plain_network(self._setting.model, self._setting.initial(replicate))
        self._dense_s.append(self._train(ticket, replicate, 0, []))
        masks = {arm: [torch.ones_like(weight) for weight in weights(ticket)] for arm in ("ticket", "random")}
        for number in range(1, self._setting.config.rounds + 1):
            masks = self._next_masks(masks, ticket)
            for arm in reversed(self._setting.plan.arms):  # the ticket last
                ticket = plain_network(self._setting.model, self._start(arm, replicate))
                apply_masks(weights(ticket), masks[arm])
                self._pruned_s.append(self._train(ticket, replicate, number, masks[arm]))
        return ticket

    def _next_masks(self, last: Mapping[str, Masks], ticket: nn.Sequential) -> dict[str, Masks]:
        kept = plain_masks(self._setting.plan, last["ticket"], [weight.detach().abs() for weight in weights(ticket)])
        chance = [torch.rand(mask.shape, generator=self._draws) for mask in kept]
        orders = [torch.randperm(mask.numel(), generator=self._draws) for mask in kept]
        return {
            "ticket": kept,
            "reinit": kept,
            "shuffle": [mask.flatten()[order].view_as(mask) for mask, order in zip(kept, orders, strict=True)],
            "random": plain_masks(self._setting.plan, last["random"], chance),
        }

    def _start(self, arm: str, replicate: int) -> Tensor:
        if arm != "reinit":
            return self._setting.initial(replicate)
        seed = int(torch.randint(2**31, (1,), generator=self._draws))
        return drawn_row(self._setting.model, self._setting.recipe.dtype, seed)

    def _train(self, network: nn.Sequential, replicate: int, number: int, masks: Masks) -> float:
        order = self._setting.order(replicate, number)
        seconds = plain_train(self._setting, network, order, self._setting.recipe.steps, masks)
        with torch.no_grad():
            network(self._setting.data.test.x).argmax(1)
        return seconds


# The engine


def engine_job(setting: Setting, rows: Tensor, own_orders: bool) -> Job:
    """Members `(members, parameters)` that share one data order, or have one each."""
    seeds = [order_seed(setting.model, setting.config.seed, member * own_orders, 0) for member in range(len(rows))]
    return Job(setting.model, setting.task.loss, setting.recipe, rows, None, seeds)


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
    """Do all of the experiment by the tool's own units, in this process; return what `PlainPrune.run` does.

    A pruned network's seconds are its share of the stack of all arms. The rest is not timed.
    """
    done: dict[str, Arrays] = {}
    dense_s, pruned_s = [], []
    for unit in prune_experiment(setting.config, setting.task).units:
        watch, earlier = Stopwatch(), {key: done[key] for key in unit.needs}
        done[unit.key] = unit(Context(setting.task, setting.data, "cpu", watch), earlier, None).arrays
        unit_s = watch.step_s * setting.recipe.steps
        if unit.needs:
            pruned_s.append(unit_s / len(setting.plan.arms))
        else:
            dense_s.append(unit_s)
    ended = [torch.from_numpy(done[unit.key][f"ticket.end.{name}"]).flatten() for name in setting.model.shapes]
    return torch.cat(ended), Spent(dense_s, pruned_s, math.nan)


# The oracle: both do the same work


def check_same_work() -> None:
    """Hold both sides of both rows against each other, over a few steps in float64.

    Raises
    ------
    EscapedimError
        They end with different parameters.
    """
    setting = Setting.of(
        dtype="float64", steps=f"{CHECKED_STEPS}it", rounds=1, replicates=1, arms="ticket", device="cpu"
    )
    with threads(1):
        _hold("the last ticket", PlainPrune(setting).run()[0], engine_prune(setting)[0])
        _hold("a stack with one data order", *_both_stacks(setting, own_orders=False))
        _hold("a stack with own data orders", *_both_stacks(setting, own_orders=True))


def _both_stacks(setting: Setting, own_orders: bool) -> tuple[Tensor, Tensor]:
    rows = torch.stack([setting.initial(member) for member in range(3)])
    networks = [plain_network(setting.model, row) for row in rows]
    for member, network in enumerate(networks):
        plain_train(setting, network, setting.order(member * own_orders, 0), CHECKED_STEPS, [])
    job = engine_job(setting, rows, own_orders)
    return torch.stack(list(map(as_row, networks))), descend(job, setting.data, job.begin(), lambda: False).params


def _hold(what: str, plain: Tensor, engine: Tensor) -> None:
    difference = float((plain - engine).abs().max())
    if not difference <= TOLERANCE:
        raise EscapedimError(
            f"{what}: after {CHECKED_STEPS} steps the plain loop and escapedim differ by {difference:.1e}, "
            f"more than {TOLERANCE:.0e}: they do not do the same work, and nothing was timed."
        )


# Measuring


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of repeats, which are kept too."""

    median: float
    min: float
    max: float
    values: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise repeats."""
        return cls(statistics.median(values), min(values), max(values), values)


@dataclass(frozen=True)
class Ratio:
    """How many times longer the plain loop takes: the quotient of medians, and the range of the paired quotients."""

    ratio: float
    min: float
    max: float

    @classmethod
    def of(cls, plain: Spread, tool: Spread) -> Ratio:
        """Divide repeats that were measured in turns."""
        pairs = [slow / fast for slow, fast in zip(plain.values, tool.values, strict=True)]
        return cls(plain.median / tool.median, min(pairs), max(pairs))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class PlainTimes:
    """The plain loop of the row `prune` with a number of torch threads: seconds, scaled to the whole work."""

    threads: int
    all_s: Spread
    training_s: Spread


@dataclass(frozen=True)
class PruneRow:
    """`escapedim prune` as a process, against the plain loop.

    `ratio` compares the process with the faster plain loop. `tool_run_s` is the wall time that the tool's summary
    states: all but the start of the process. `training_ratio` compares training alone, with one thread on both sides;
    `engine_training_s` is scaled from the same share of the work as the times of `plain`, which has one thread first.
    """

    command: str
    jobs: int
    net_steps: int
    plain_net_steps: int
    tool_s: Spread
    tool_run_s: Spread
    tool_peak_rss_mb: float
    engine_training_s: Spread
    plain: Sequence[PlainTimes]
    ratio: Ratio
    training_ratio: Ratio


def measure_prune(scale: Scale, full: bool) -> PruneRow:
    """Time in turns: the tool, the plain loop with one thread and with torch's default, the engine with one."""
    whole = Setting.of(rounds=scale.rounds)
    share = whole if full else _share(whole, scale.plain_steps)
    counts = sorted({1, DEFAULT_THREADS})
    tool: list[ToolTimes] = []
    plain: dict[int, list[Seconds]] = {count: [] for count in counts}
    engine: list[Seconds] = []
    for _ in range(scale.repeats):
        tool.append(run_tool(whole))
        for count in counts:
            with threads(count):
                plain[count].append(PlainPrune(share).run()[1].scaled(share, whole))
        with threads(1):
            engine.append(engine_prune(share)[1].scaled(share, whole))
    return _prune_row(whole, share, tool, {count: _plain_times(count, plain[count]) for count in counts}, engine)


def _share(whole: Setting, plain_steps: int) -> Setting:
    """Return rounds 0 and 1 of one replicate, with so many network steps in all."""
    steps = max(1, plain_steps // (1 + len(whole.plan.arms)))
    return Setting.of(rounds=1, replicates=1, steps=f"{steps}it")


def _plain_times(count: int, repeats: Sequence[Seconds]) -> PlainTimes:
    training, everything = zip(*repeats, strict=True)
    return PlainTimes(count, all_s=Spread.of(everything), training_s=Spread.of(training))


def _prune_row(
    whole: Setting,
    share: Setting,
    tool: Sequence[ToolTimes],
    plain: Mapping[int, PlainTimes],
    engine: Sequence[Seconds],
) -> PruneRow:
    faster = min(plain.values(), key=lambda times: times.all_s.median)
    tool_s, training_s = Spread.of([one.wall_s for one in tool]), Spread.of([training for training, _ in engine])
    return PruneRow(
        command=" ".join(tool_arguments(whole)),
        jobs=min(whole.config.jobs, whole.config.replicates),  # units of one replicate wait for each other
        net_steps=tool[0].net_steps,
        plain_net_steps=prune_experiment(share.config, share.task).net_steps,
        tool_s=tool_s,
        tool_run_s=Spread.of([one.run_s for one in tool]),
        tool_peak_rss_mb=max(one.peak_rss_mb for one in tool),
        engine_training_s=training_s,
        plain=list(plain.values()),
        ratio=Ratio.of(faster.all_s, tool_s),
        training_ratio=Ratio.of(plain[1].training_s, training_s),
    )


@dataclass(frozen=True)
class ToolTimes:
    """One process: its wall time, and what its summary states."""

    wall_s: float
    run_s: float
    net_steps: int
    peak_rss_mb: float


def tool_arguments(setting: Setting) -> list[str]:
    """Return the command that is timed, without where its files go."""
    return ["escapedim", "prune", "--rounds", str(setting.config.rounds), "--force", "--quiet"]


def run_tool(setting: Setting) -> ToolTimes:
    """Run the command in a fresh folder.

    Raises
    ------
    EscapedimError
        It fails, or does not take as many steps as it should.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", *tool_arguments(setting), "--out", "lottery.json"]
        began = time.perf_counter()
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        wall_s = time.perf_counter() - began
        if ended.returncode:
            raise EscapedimError(f"{' '.join(command)} ended with code {ended.returncode}: {ended.stderr[-500:]}")
        cost = json.loads(Path(folder, "lottery.json").read_text())["cost"]
    expected = prune_experiment(setting.config, setting.task).net_steps
    if cost["net_steps"] != expected:
        raise EscapedimError(f"escapedim prune took {cost['net_steps']:,} network steps, not {expected:,}.")
    return ToolTimes(wall_s, cost["wall_s"], expected, cost["peak_rss_mb"])


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


# Reporting


def machine() -> dict[str, Any]:
    """Say what was measured where."""
    return {
        "argv": sys.argv,
        "started": now(),
        "git": commit_of(Path(escapedim.__file__)),
        "versions": {name: version(name) for name in ("escapedim", "torch", "numpy")}
        | {"python": platform.python_version()},
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "torch_threads": DEFAULT_THREADS,
        "load_average": os.getloadavg(),
    }


def _cpu_model() -> str:
    with_names = Path("/proc/cpuinfo")
    lines = with_names.read_text().splitlines() if with_names.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def show_prune(row: PruneRow, console: Console) -> None:
    """Print the row `prune` as a table, and what its numbers are."""
    table = _table("", "median", "min..max")
    table.add_row(f"escapedim, {row.jobs} processes of one thread", *_cells(row.tool_s))
    table.add_row("  without its start", *_cells(row.tool_run_s))
    for plain in row.plain:
        table.add_row(f"plain loop, torch threads: {plain.threads}", *_cells(plain.all_s))
    table.add_row("ratio, all in all", *_ratio_cells(row.ratio), style="bold")
    table.add_row("training alone, one thread: escapedim", *_cells(row.engine_training_s))
    table.add_row("training alone, one thread: plain loop", *_cells(row.plain[0].training_s))
    table.add_row("ratio, training alone", *_ratio_cells(row.training_ratio), style="bold")
    table.add_row("peak memory of escapedim, all processes", f"{row.tool_peak_rss_mb:,.0f} MiB", "")
    console.print(f"{row.command}: {row.net_steps:,} network steps", style="bold")
    console.print(table)
    if row.plain_net_steps < row.net_steps:
        console.print(
            f"Plain loop and training alone: timed over {row.plain_net_steps:,} network steps of rounds 0 and 1, "
            f"and scaled up by {row.net_steps / row.plain_net_steps:.1f}; --full runs all of them."
        )
    console.print(
        "The first ratio is the time of the faster plain loop, in a process that has started, over escapedim's.\n"
    )


def show_steps(rows: Sequence[StepsRow], console: Console) -> None:
    """Print the row `steps` as a table."""
    table = _table("members", "plain loop", "shared data order", "ratio", "own data orders", "ratio")
    for row in rows:
        stacks = [(_lines(*_cells(s.net_step_ms, 3)), _lines(*_ratio_cells(s.ratio))) for s in (row.shared, row.own)]
        table.add_row(str(row.members), _lines(*_cells(row.plain_ms, 3)), *stacks[0], *stacks[1])
    console.print("Training steps, one thread: milliseconds per network step", style="bold")
    console.print(table)
    console.print("A network step is one step of one network: wall time / steps / members. Median, min..max.\n")


def _table(*columns: str) -> Table:
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _cells(spread: Spread, digits: int = 1) -> tuple[str, str]:
    unit = " s" if digits == 1 else ""
    return f"{spread.median:,.{digits}f}{unit}", f"{spread.min:,.{digits}f}..{spread.max:,.{digits}f}"


def _ratio_cells(ratio: Ratio) -> tuple[str, str]:
    return f"{ratio.ratio:.2f} ×", f"{ratio.min:.2f}..{ratio.max:.2f}"


def _lines(*cells: str) -> str:
    return "\n".join(cells)


# The command


def benchmark(
    rows: Sequence[str], scale: Scale, full: bool, members: Sequence[int], console: Console
) -> dict[str, Any]:
    """Check, measure, and print the rows that were asked for; return what goes into the JSON file."""
    check_same_work()
    report = {"schema": "escapedim.benchmark/1", **machine(), "scale": asdict(scale), "rows": {}}
    if "prune" in rows:
        prune = measure_prune(scale, full)
        show_prune(prune, console)
        report["rows"]["prune"] = asdict(prune)
    if "steps" in rows:
        steps = measure_steps(scale, members)
        show_steps(steps, console)
        report["rows"]["steps"] = [asdict(row) for row in steps]
    return report


def _listed(rows: str) -> list[str]:
    listed = [row.strip() for row in rows.split(",")]
    if set(listed) - set(ROWS):
        raise BadInput(f"--rows takes {', '.join(ROWS)}, found {rows!r}.")
    return listed


def _counts(members: str) -> list[int]:
    listed = [count.strip() for count in members.split(",")]
    if not all(count.isdecimal() and int(count) for count in listed):
        raise BadInput(f"--members takes whole numbers from 1 on, such as 1,8,64, found {members!r}.")
    return [int(count) for count in listed]


app = typer.Typer(add_completion=False)


@app.command()
def main(
    rows: Annotated[str, typer.Option(help=f"What to measure: {', '.join(ROWS)}.")] = ",".join(ROWS),
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats and one round of prune: under a minute.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Run all of the plain loop instead of a share.")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repeats, of which the medians are given.")] = None,
    plain_steps: Annotated[int | None, typer.Option(min=50, help="Network steps of that share.")] = None,
    net_steps: Annotated[int | None, typer.Option(min=1, help="Network steps of a timing of 'steps'.")] = None,
    members: Annotated[str, typer.Option(help="Members of the stacks of 'steps'.")] = ",".join(map(str, MEMBERS)),
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers go.")] = Path("benchmark.json"),
) -> None:
    """Measure escapedim against a plain PyTorch loop that does the same work."""
    given = {"repeats": repeats, "plain_steps": plain_steps, "net_steps": net_steps}
    scale = replace(QUICK if quick else Scale(), **{name: value for name, value in given.items() if value is not None})
    try:
        report = benchmark(_listed(rows), scale, full, _counts(members), make_console(sys.stdout))
        write_atomic(json_file, json.dumps(report, indent=1).encode())
    except EscapedimError as error:
        typer.echo(f"benchmark: {error}", err=True)
        raise typer.Exit(error.exit_code) from None


if __name__ == "__main__":
    app()
