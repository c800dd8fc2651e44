"""The row `prune`: the default `escapedim prune` as a process of its own, start included, against the plain loop.

The plain loop runs a share of the work and is scaled up, unless all of it is asked for. Training alone is compared too,
with one thread on both sides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarking.engine_side import engine_prune
from benchmarking.plain_loop import PlainPrune
from benchmarking.processes import ToolTimes, run_command
from benchmarking.setting import Seconds, Setting
from benchmarking.timing import DEFAULT_THREADS, Ratio, Scale, Spread, threads
from escapedim.errors import EscapedimError
from escapedim.pruning.experiment import prune_experiment


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
        command=" ".join(["escapedim", *tool_arguments(whole)]),
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


def tool_arguments(setting: Setting) -> list[str]:
    """Return the arguments of the command that is timed, without where its files go."""
    return ["prune", "--rounds", str(setting.config.rounds), "--force", "--quiet"]


def run_tool(setting: Setting) -> ToolTimes:
    """Run the command in a fresh folder.

    Raises
    ------
    EscapedimError
        It fails, or does not take as many steps as it should.
    """
    with tempfile.TemporaryDirectory() as folder:
        times = run_command(tool_arguments(setting), Path(folder), "lottery.json")
    expected = prune_experiment(setting.config, setting.task).net_steps
    if times.net_steps != expected:
        raise EscapedimError(f"escapedim prune took {times.net_steps:,} network steps, not {expected:,}.")
    return times
