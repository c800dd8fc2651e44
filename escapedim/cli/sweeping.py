"""`escapedim sweep`: a plan of many runs, from its YAML file to its collected results."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from escapedim.cli import slurm_jobs
from escapedim.cli.plan_checking import check, recipes
from escapedim.cli.plan_dry_run import GivenPlan, dry_run
from escapedim.cli.plan_states import counted_states, status
from escapedim.cli.signals import Interrupts
from escapedim.cli.streams import note, standard_output, tell
from escapedim.errors import BadInput, EscapedimError, Interrupted
from escapedim.machine import usable_cores
from escapedim.records.folders import prepare_folder
from escapedim.reporting.numbers import counted, duration
from escapedim.sweeping.attempt import Ended
from escapedim.sweeping.collecting import check_collected, collect
from escapedim.sweeping.runner import Asked, chosen, execute
from escapedim.sweeping.runs import SweepRun, expand
from escapedim.sweeping.slurm import Cluster
from escapedim.sweeping.state import Standing, standing, standings
from escapedim.sweeping.sweep_plan import SweepPlan, read
from escapedim.text import whole_number

_SLURM = {"array_limit", "runs_per_task", "running", "time", "partition", "cpus", "notice", "sbatch", "device", "retry"}
_MODES = {
    "status": {"json"},
    "collect": set[str](),
    "dry_run": {"json", "shards", "shard", "stage", "jobs", "device"},
    "submit": {"slurm", *_SLURM},
    "slurm": _SLURM,
    "": {"jobs", "device", "limit", "shard", "stage", "retry", "fail_fast"},
}
"""What a plan may be asked for, the first that is given, and what goes with it; "" is to run it."""
_FLAGS = {"retry": "--no-retry"}


@dataclass(frozen=True)
class Wanted:
    """What is to be done with a plan besides running it."""

    dry_run: bool = False
    shards: int = 0
    status: bool = False
    collect: bool = False
    json: bool = False
    cluster: Cluster | None = None
    submit: bool = False


def sweep(path: Path, out: Path | None, asked: Asked, wanted: Wanted) -> int:
    """Do what was asked for with a plan, and return the exit code.

    Raises
    ------
    BadInput
        A plan that cannot be, all its errors at once; a shard or stage that it has not.
    """
    plan = read(path)
    runs = expand(plan, recipes())
    folder = out or Path(f"sweep-{plan.name}")
    _check_asked(plan, asked, wanted)
    if wanted.status:
        status(plan, runs, folder, wanted.json)
        return 0
    check(path, plan, runs)
    collects = not wanted.dry_run and (wanted.collect or wanted.submit or (asked.stage, asked.shard) == (None, (0, 1)))
    if collects:  # before anything runs: at the end it would be told too late
        check_collected(plan, runs, folder)
    if wanted.cluster is not None:
        (slurm_jobs.submit if wanted.submit else slurm_jobs.print_scripts)(plan, runs, path, folder, wanted.cluster)
        return 0
    if wanted.dry_run:
        dry_run(GivenPlan(plan, path, out, asked, wanted.shards), runs, wanted.json)
        return 0
    if wanted.collect:
        return _collect(plan, runs, folder)
    return _run(plan, runs, folder, asked, path)


def check_together(given: Collection[str]) -> None:
    """Refuse options that would have no effect beside others; all by their names as parameters.

    Raises
    ------
    BadInput
        Such an option, or two things that cannot be done at once.
    """
    mode = next(mode for mode in _MODES if mode in given or not mode)
    for option in given:
        if option not in {mode, "plan", "out", "shards", *_MODES[mode]}:  # _check_asked knows more of `shards`
            beside = f"beside {_flag(mode)}" if mode else "when a plan is run"
            raise BadInput(f"{_flag(option)} has no effect {beside}; leave it out.")


def _flag(option: str) -> str:
    return _FLAGS.get(option, f"--{option.replace('_', '-')}")


def parse_shard(text: str) -> tuple[int, int]:
    """Read `I/N`, I from 0.

    Raises
    ------
    BadInput
        Another form, or an index beyond the number of shards.
    """
    index, of = map(whole_number, text.partition("/")[::2])
    if index is not None and of is not None and index < of:
        return index, of
    raise BadInput(f"--shard: expected I/N with I from 0 to N-1, such as 0/10, found {text!r:.80}.")


def _check_asked(plan: SweepPlan, asked: Asked, wanted: Wanted) -> None:
    if wanted.shards and not wanted.dry_run:
        raise BadInput("--shards: prints command lines with --dry-run; add it, or run one shard with --shard I/N.")
    if wanted.shards and asked.shard != (0, 1):
        raise BadInput("--shards: prints command lines of all shards, and --shard names one; leave one of them out.")
    if asked.device not in (None, "cpu", "cuda"):
        raise BadInput(f"--device: expected cpu or cuda, found {asked.device!r:.40}.")
    stages = len(plan.stages)
    if asked.stage is not None and not 0 <= asked.stage < stages:
        raise BadInput(f"--stage: expected a stage from 0 to {stages - 1}, found {asked.stage}.")


def _run(plan: SweepPlan, runs: Sequence[SweepRun], folder: Path, asked: Asked, path: Path) -> int:
    prepare_folder(folder)
    mine = chosen(runs, asked)
    due = sum(one.state != "complete" for one in standings(mine, folder))
    with Interrupts() as interrupts:
        ended = execute(runs, folder, asked, interrupts.came, _Said(due))
    if interrupts.came():
        raise Interrupted(
            f"stopped by a signal; everything is saved in {folder}: the same command continues.", interrupts.exit_code
        )
    found = standings(mine, folder)
    note(f"{plan.name}: {counted_states(Counter(one.state for one in found), len(mine))}.")
    left = [one for one in found if one.state != "complete"]
    if len(mine) == len(runs) and not left:
        return _collect(plan, runs, folder)
    _explain(left, {one.run.name: one for one in ended}, folder, path)
    return 0


def _explain(left: Sequence[Standing], ended: Mapping[str, Ended], folder: Path, path: Path) -> None:
    """Say why runs are not complete; that some failed, or cannot start since others did, is an error."""
    last = [ended[one.run.name] for one in left if one.run.name in ended]
    failed = [one for one in last if one.state == "failed"]
    if failed or any(one.state == "failed" for one in left):
        count = len(failed) or sum(one.state == "failed" for one in left)
        raise EscapedimError(f"{counted(count, 'run')} failed; see escapedim sweep {path} --status.")
    stopped = [one for one in last if one.state == "stopped"]
    if stopped:
        raise EscapedimError(f"{counted(len(stopped), 'run')} stopped by a signal; the same command continues.")
    waits = {
        standing(source, folder).state: source for one in left for source in one.run.sources if one.state == "missing"
    }
    for state in ("failed", "missing", "running"):
        if state in waits:
            text = f"what is missing needs {waits[state].name}, which is {state}"
            if state == "failed":
                raise EscapedimError(f"{text}; see escapedim sweep {path} --status.")
            note(f"{text}; repeat the command when it is complete.")
            return


class _Said:
    """One line a run that has ended; that one is held by somebody else is said once."""

    def __init__(self, due: int) -> None:
        self._due, self._ended, self._held = due, set[str](), set[str]()

    def __call__(self, ended: Ended) -> None:
        name, held = ended.run.name, ended.state == "held"
        if held and name in self._held:
            return
        (self._held if held else self._ended).add(name)
        detail = f": {ended.detail}" if ended.detail else ""
        place = "" if held else f"{len(self._ended)} of {self._due}: "
        tell(f"{place}{name} {ended.state}{detail}")


def _collect(plan: SweepPlan, runs: Sequence[SweepRun], folder: Path) -> int:
    from escapedim.records import summary
    from escapedim.reporting.render import make_console, render

    if not folder.is_dir():
        raise BadInput(f"{folder} does not exist; run escapedim sweep first, or give its --out.")
    files = collect(plan, runs, folder)
    took = sum(one.wall_s or 0.0 for one in standings(runs, folder))
    note(f"wrote {', '.join(map(str, files))} ({duration(took)} of runs).")
    with standard_output():
        console = make_console(sys.stdout)
        for number, file in enumerate(files[1:]):
            if number:
                console.print()
            render(summary.read(file), console)
    return 0


def default_jobs() -> int:
    """Return how many processes a sweep may use."""
    return usable_cores()
