"""One path for every command that trains: dry run, run folder, workers, summary, report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Generic, TypeVar

from escapedim.cli.settings import Settings
from escapedim.cli.signals import Interrupts
from escapedim.cli.streams import note, standard_output
from escapedim.errors import BadInput, EscapedimError, Interrupted
from escapedim.machine import available_mb
from escapedim.records import provenance
from escapedim.records.folders import RunPaths, check_out
from escapedim.records.identity import run_id
from escapedim.records.results import LotteryResult
from escapedim.records.rewinding import RewindResult
from escapedim.records.run import Run
from escapedim.records.summary import Kind, Summary, encode
from escapedim.reporting.progress import Progress, open_progress
from escapedim.reporting.render import make_console, render
from escapedim.tasks.base import Task
from escapedim.training.config import TrainingConfig
from escapedim.training.estimate import Estimate
from escapedim.training.experiment import Experiment
from escapedim.training.running import run_works
from escapedim.training.workers import Backend, make_backend

C = TypeVar("C", bound=TrainingConfig)
Shares = Mapping[str, float]


@dataclass(frozen=True)
class Command(Generic[C]):
    """What tells one command from another.

    `extended(config, keys)` returns the configuration with at least what the works `keys` that were begun cover,
    and `experiment(config, task, keys)` the works, those among them;
    `plan` says for a dry run which share each round leaves, by layer.
    """

    kind: Kind
    experiment: Callable[[C, Task, Iterable[str]], Experiment]
    extended: Callable[[C, Iterable[str]], C]
    estimate: Callable[[C, Task], Estimate]
    plan: Callable[[C, Task], list[Shares]]


@dataclass(frozen=True)
class Output:
    """What the user wants to see and where the summary goes."""

    out: Path
    dry_run: bool = False
    json: bool = False
    quiet: bool = False
    force: bool = False


def execute(command: Command[C], settings: Settings[C], output: Output) -> None:
    """Do what a command says, from its settings to the report."""
    _check_device(settings.config)
    identity = run_id(command.kind, settings.config, settings.task.identity)
    estimate = command.estimate(settings.config, settings.task)
    _check_memory(estimate)
    if output.dry_run:
        from escapedim.cli.dry_run import describe_plan

        paths = RunPaths.locate(output.out, command.kind, identity, output.force)
        replaced = check_out(output.out, paths.label)
        paths.check()
        command.experiment(settings.config, settings.task, ())  # which refuses what does not fit together
        plan = command.plan(settings.config, settings.task)
        with standard_output():
            describe_plan(settings, identity, paths, estimate, plan, as_json=output.json)
        if replaced:
            note(replaced)
        return
    with Interrupts() as interrupts, closing(Run.open(output.out, command.kind, identity, output.force)) as run:
        summary = _train(command, settings, run, interrupts, output)
    _show(summary, output)


def _train(command: Command[C], settings: Settings[C], run: Run, interrupts: Interrupts, output: Output) -> Summary:
    config = command.extended(settings.config, run.keys())
    experiment = command.experiment(config, settings.task, run.keys())
    origin = provenance.collect(
        sys.argv, version("torch"), config.device, config.jobs, {"root": config.seed}, run.paths.relative_folder
    )
    origin = origin.model_copy(update={"data": settings.task.identity.get("data")})
    run.begin(config.model_dump(mode="json"), origin, experiment.describe)
    for sentence in run.notes:
        note(sentence)
    progress = open_progress(experiment.net_steps, run.planned_steps(), experiment.label, sys.stderr, output.quiet)
    if config != settings.config:
        progress.say(f"this run has more than was asked for; continuing with {_differences(settings.config, config)}.")
    if all(run.has(work.key) for work in experiment.works):
        progress.say("this run was finished before, and nothing is trained; --force starts anew beside it.")
    jobs = _useful_jobs(config, experiment)
    try:
        with (
            progress,
            closing(make_backend(settings.task, config.dtype, config.device, jobs, interrupts.came)) as backend,
        ):
            complete = run_works(experiment.works, run, backend, _Watch(run, backend, interrupts, progress))
    except BaseException:  # a library that runs out of memory may raise one that is no Exception
        with suppress(OSError, EscapedimError):  # a full disk, say: the first error is the one to tell
            run.write("failed")
        raise
    if not complete:
        run.write("interrupted")
        raise Interrupted(
            f"stopped by a signal; everything is saved in {run.paths.folder}: the same command continues.",
            interrupts.exit_code,
        )
    return _finish(run)


def _finish(run: Run) -> Summary:
    """Write the last summary. A mask or a rewind that did not happen is a fault of the tool, and no result."""
    result = run.result()
    broken = result.violations() if isinstance(result, LotteryResult | RewindResult) else []
    if broken:
        run.write("failed")
        raise EscapedimError(f"invariant violated ({'; '.join(broken)}); do not use {run.paths.summary}.")
    return run.write("complete")


class _Watch:
    """What the loop over works tells and asks: signals, progress, memory."""

    def __init__(self, run: Run, backend: Backend, interrupts: Interrupts, progress: Progress) -> None:
        self._run, self._backend, self._interrupts, self._progress = run, backend, interrupts, progress
        self._done_before = run.planned_steps()

    def stopping(self) -> bool:
        return self._interrupts.came()

    def poll(self) -> None:
        self._progress.update(self._done_before + self._backend.steps())
        self._run.note_memory(provenance.peak_rss_mb(self._backend.pids()))


def _useful_jobs(config: TrainingConfig, experiment: Experiment) -> int:
    first = sum(not work.needs for work in experiment.works)  # no more can ever be under way at once
    return max(1, min(config.jobs, first))


def _differences(asked: TrainingConfig, got: TrainingConfig) -> str:
    before, after = asked.model_dump(), got.model_dump()
    return ", ".join(f"{key} {value}" for key, value in after.items() if value != before[key])


def _check_device(config: TrainingConfig) -> None:
    if config.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise BadInput("--device cuda: this torch finds no CUDA device; use --device cpu, or see escapedim doctor.")


def _check_memory(estimate: Estimate) -> None:
    free_mb = available_mb()
    if free_mb is not None and estimate.memory_mb > free_mb:
        raise BadInput(
            f"this run needs about {estimate.memory_mb:,.0f} MB of memory, {free_mb:,.0f} MB are free; "
            "use fewer --jobs, smaller networks, a smaller --batch-size or another machine."
        )


def _show(summary: Summary, output: Output) -> None:
    with standard_output(f"the summary is saved in {output.out}"):
        if output.json:
            sys.stdout.write(encode(summary).decode())
        if not output.quiet:
            render(summary, make_console(sys.stderr if output.json else sys.stdout))
