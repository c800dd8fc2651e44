"""The console script: subcommands, and the one place that turns errors into a sentence and an exit code.

Only typer is imported here; a command imports what it needs when it runs, so that `--help` is quick and needs no torch.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from escapedim import __version__
from escapedim.cli import options as opt
from escapedim.cli import signals, streams
from escapedim.cli.streams import standard_output

app = typer.Typer(
    cls=streams.Group,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measures why wide neural networks train well: lottery tickets or escape dimensions.",
)
command = partial(app.command, cls=streams.StreamedCommand)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"escapedim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@command()
def train(
    task: opt.Task = None,
    model: opt.Model = None,
    hidden: opt.Hidden = None,
    activation: opt.Activation = None,
    seed: opt.Seed = None,
    replicates: opt.Replicates = None,
    keep: opt.Keep = None,
    steps: opt.Steps = None,
    lr: opt.Lr = None,
    optimizer: opt.Optimizer = None,
    schedule: opt.Schedule = None,
    batch_size: opt.BatchSize = None,
    dtype: opt.Dtype = None,
    device: opt.Device = None,
    jobs: opt.Jobs = None,
    preset: opt.Preset = None,
    config: opt.Config = None,
    override: opt.Override = None,
    out: opt.Out = None,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    force: opt.Force = False,
) -> None:
    """Train replicates of one architecture; keep initial, rewind-point and final weights.

    Writes train.json and prints a report of it. The same command again continues, or finds everything done.
    """
    _execute("train", locals())


@command()
def prune(
    task: opt.Task = None,
    model: opt.Model = None,
    hidden: opt.Hidden = None,
    activation: opt.Activation = None,
    seed: opt.Seed = None,
    replicates: opt.Replicates = None,
    keep: opt.Keep = None,
    rounds: opt.Rounds = None,
    fraction: opt.Fraction = None,
    output_fraction: opt.OutputFraction = None,
    density: opt.Density = None,
    scope: opt.Scope = None,
    granularity: opt.Granularity = None,
    criterion: opt.Criterion = None,
    rewind_to: opt.RewindTo = None,
    arms: opt.Arms = None,
    steps: opt.Steps = None,
    lr: opt.Lr = None,
    optimizer: opt.Optimizer = None,
    schedule: opt.Schedule = None,
    batch_size: opt.BatchSize = None,
    dtype: opt.Dtype = None,
    device: opt.Device = None,
    jobs: opt.Jobs = None,
    preset: opt.Preset = None,
    config: opt.Config = None,
    override: opt.Override = None,
    out: opt.Out = None,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    force: opt.Force = False,
) -> None:
    """Find lottery tickets by iterative magnitude pruning with rewinding, with all arms as controls.

    Writes lottery.json and prints a report of it. The same command again continues, or finds everything done; more
    --rounds or --replicates extend it.
    """
    _execute("prune", locals())


@command()
def widen(
    task: opt.Task = None,
    model: opt.Model = None,
    widths: opt.WidthList = None,
    activation: opt.Activation = None,
    seed: opt.Seed = None,
    replicates: opt.Members = None,
    success: opt.Success = None,
    parametrization: opt.Parametrization = None,
    lazy: opt.Lazy = None,
    lr_per_width: opt.LrPerWidth = None,
    isolate: opt.Isolate = None,
    subsets: opt.Subsets = None,
    complement: opt.Complement = None,
    tickets: opt.Tickets = None,
    draws: opt.Draws = None,
    at: opt.At = None,
    restarts: opt.Restarts = None,
    step_halving: opt.StepHalving = None,
    source: opt.From = None,
    escape: opt.Escape = None,
    sources: opt.Sources = None,
    by: opt.By = None,
    embedding: opt.Embedding = None,
    layer: opt.Layer = None,
    perturbation: opt.Perturbation = None,
    transient: opt.Transient = None,
    steps: opt.Steps = None,
    lr: opt.Lr = None,
    optimizer: opt.Optimizer = None,
    schedule: opt.Schedule = None,
    batch_size: opt.BatchSize = None,
    dtype: opt.Dtype = None,
    device: opt.Device = None,
    jobs: opt.Jobs = None,
    preset: opt.Preset = None,
    config: opt.Config = None,
    override: opt.Override = None,
    out: opt.Out = None,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    force: opt.Force = False,
) -> None:
    """Train many networks of one hidden layer at each of many widths; say how many succeed and where each one stopped.

    Failed members are widened by a unit and trained on; with --from those of another run. Writes widen.json and prints
    a report of it. The same command again continues, or finds everything done; more --widths or --replicates extend it.
    """
    _execute("widen", locals())


@command()
def rewind(
    source: Annotated[
        Path, typer.Argument(help="Summary of a finished prune run.", metavar="[FILE]", show_default=True)
    ] = Path("lottery.json"),
    to: opt.To = None,
    retrain: opt.Retrain = None,
    round: opt.Round = None,
    weights_from: opt.WeightsFrom = None,
    schedule_from: opt.ScheduleFrom = None,
    complement: opt.Around = None,
    draws: opt.Draws = None,
    instability: opt.Instability = None,
    replay: opt.Replay = None,
    task: opt.Task = None,
    device: opt.Device = None,
    jobs: opt.Jobs = None,
    config: opt.Config = None,
    override: opt.Override = None,
    out: opt.Out = None,
    dry_run: opt.DryRun = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
    force: opt.Force = False,
) -> None:
    """Train the tickets of a finished prune run anew: from other points, in other modes, in other surroundings.

    Writes rewind.json and prints a report of it. The same command again continues, or finds everything done.
    """
    _execute("rewind", locals())


@command()
def compare(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Summaries of one task and recipe, in any order; @LIST stands for those in a file of paths.",
            metavar="FILE...",
        ),
    ],
    allow: opt.Allow = None,
    fail_if: opt.FailIf = None,
    base_width: opt.BaseWidth = None,
    minimal: opt.Minimal = None,
    margin: opt.Margin = 0.05,
    level: opt.Level = 0.005,
    seed: opt.CompareSeed = 0,
    out: Annotated[Path, typer.Option(help="Where the summary goes.")] = Path("compare.json"),
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Hold what was measured against what lottery tickets and escape dimensions predict, row by row.

    Writes compare.json and prints a report of it. Exit code 3 says that a --fail-if condition is true.
    """
    from escapedim.cli import comparing
    from escapedim.comparison.compare import CompareSettings

    settings = CompareSettings(tuple(allow or ()), base_width, minimal, margin, level, seed)
    raise typer.Exit(comparing.run(files, settings, fail_if or (), out, json, quiet))


@command()
def report(
    files: Annotated[list[Path], typer.Argument(help="Summaries such as lottery.json.", metavar="FILE...")],
    figures: opt.Figures = None,
    html: opt.Html = None,
    markdown: opt.Markdown = None,
    csv: opt.Csv = None,
    json: opt.Json = False,
) -> None:
    """Render summaries in the terminal; with options, as figures and pages too.

    Several files go into one page. What cannot be drawn is named on standard error; compare.json alone draws everything
    that compare had.
    """
    from escapedim.records import summary
    from escapedim.reporting.export.export import Targets, export
    from escapedim.reporting.render import make_console, render

    summaries = [summary.read(path) for path in files]
    targets = Targets(figures, html, markdown, csv)
    if targets.any():
        with summary.taken_as_written(files):
            export(zip(files, summaries, strict=True), targets, streams.tell)
    with standard_output(), summary.taken_as_written(files):
        if json:
            texts = [summary.read_bytes(path).decode().rstrip() for path in files]  # with keys that only others know
            typer.echo(texts[0] if len(texts) == 1 else f"[{','.join(texts)}]")
            return
        console = make_console(sys.stdout)
        for number, found in enumerate(summaries):
            if number:
                console.print()
            render(found, console)


@command()
def sweep(
    context: typer.Context,
    plan: Annotated[Path, typer.Argument(help="A plan such as sweeps/quick.yaml.", metavar="PLAN")],
    out: Annotated[Path | None, typer.Option(help="Folder of its runs; sweep-NAME by default.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes in all; the cores by default.")] = None,
    device: opt.Device = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Runs that are started, at most.")] = None,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Every N-th run of a stage, from I = 0 on.")] = "0/1",
    stage: Annotated[int | None, typer.Option(help="One stage only, from 0.")] = None,
    retry: Annotated[bool, typer.Option("--retry/--no-retry", help="Run again what failed.")] = True,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs and what they take, and run nothing.")
    ] = False,
    shards: Annotated[int, typer.Option(min=0, help="With --dry-run: command lines of so many shards.")] = 0,
    status: Annotated[bool, typer.Option("--status", help="Say where the runs stand, from files alone.")] = False,
    collect: Annotated[bool, typer.Option("--collect", help="Write what there is, and run nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Status or dry run as JSON.")] = False,
    slurm: Annotated[
        bool, typer.Option("--slurm", help="Print batch scripts for Slurm.", rich_help_panel="Slurm")
    ] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Submit them.", rich_help_panel="Slurm")] = False,
    array_limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Tasks of an array, at most; a stage with more takes several. The cluster's MaxArraySize by default.",
            rich_help_panel="Slurm",
        ),
    ] = None,
    runs_per_task: Annotated[int, typer.Option(min=1, help="Runs of a task.", rich_help_panel="Slurm")] = 1,
    running: Annotated[
        int | None, typer.Option(min=1, help="Tasks that run at the same time.", rich_help_panel="Slurm")
    ] = None,
    time: Annotated[str, typer.Option(help="Wall-clock time of a task.", rich_help_panel="Slurm")] = "2:00:00",
    partition: Annotated[str | None, typer.Option(help="Partition.", rich_help_panel="Slurm")] = None,
    cpus: Annotated[int, typer.Option(min=1, help="Cores of a task.", rich_help_panel="Slurm")] = 1,
    notice: Annotated[int, typer.Option(min=10, help="Seconds before the end to save.", rich_help_panel="Slurm")] = 120,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="More for sbatch, such as gres=gpu:1.", rich_help_panel="Slurm"),
    ] = None,
) -> None:
    """Run what is missing of a plan of many runs, and collect what they found.

    The same command again continues; any of its processes may be killed at any moment.
    """
    from escapedim.cli import sweeping
    from escapedim.sweeping.runner import Asked
    from escapedim.sweeping.slurm import Cluster

    asked = Asked(
        jobs=jobs or sweeping.default_jobs(),
        retry=retry,
        fail_fast=fail_fast,
        limit=limit,
        shard=sweeping.parse_shard(shard),
        stage=stage,
        device=device,
        patient=shard != "0/1" or stage is not None,
    )
    sources = {name: context.get_parameter_source(name) for name in context.params}
    sweeping.check_together([name for name, source in sources.items() if source and source.name == "COMMANDLINE"])
    more = tuple(item.removeprefix("--") for item in sbatch or ())
    asked_of_slurm = Cluster(time, partition, cpus, running, notice, runs_per_task, array_limit, more, device, retry)
    cluster = asked_of_slurm if slurm or submit else None
    wanted = sweeping.Wanted(dry_run, shards, status, collect, json, cluster, submit)
    raise typer.Exit(sweeping.sweep(plan, out, asked, wanted))


@command()
def count(
    minimal: Annotated[int, typer.Option(help="Width of the smallest network that solves the task.")] = 4,
    widths: Annotated[str, typer.Option(help="Widths, such as 4:12 or 4:8,16,32.")] = "4:12",
    json: opt.Json = False,
) -> None:
    """Count critical subspaces by width, in exact integers: those of bad points against those of global minima."""
    from escapedim.landscape.counting import counts
    from escapedim.reporting.counting import as_json, table
    from escapedim.width_grammar import parse_widths

    found = counts(minimal, parse_widths(widths))
    with standard_output():
        typer.echo(as_json(minimal, found) if json else table(minimal, found))


@command()
def doctor(json: opt.Json = False) -> None:
    """Print versions, device, threads, Slurm and writable folders: a block to paste into a bug report."""
    from escapedim.cli.doctor import diagnose

    with standard_output():
        diagnose(as_json=json)


_SUMMARIES = {"train": "train.json", "prune": "lottery.json", "widen": "widen.json", "rewind": "rewind.json"}


def _execute(name: str, given: dict[str, Any]) -> None:
    """Run a command with all that it was given: settings by the names of their fields, and the rest of its options."""
    from escapedim.cli.beginnings import MODELS, begin
    from escapedim.cli.settings import Given, resolve

    source = given.pop("source", None)
    begun = begin(name, source)
    fields = MODELS[name].model_fields
    flags = {key: value for key, value in given.items() if key in fields and value is not None}
    out = given["out"] or Path(_SUMMARIES[name])
    if source is not None:
        _check_apart(source, out)
    settings = resolve(
        begun.model, Given(flags, given["override"] or (), given["config"], given.get("preset"), begun.base)
    )
    # A train run is often a single stack.
    if name != "train" and not given["dry_run"] and settings.config.jobs > 1 and settings.config.device == "cpu":
        _start_fork_server()
    from escapedim.cli.commands import command_of
    from escapedim.cli.execution import Output, execute

    output = Output(out, given["dry_run"], given["json"], given["quiet"], given["force"])
    execute(command_of(name, begun.run), settings, output)


def _start_fork_server() -> None:
    """Let the workers' torch be imported while this process imports its own, which takes as long.

    Whoever needs workers starts the server where it does not run, and says what is wrong where it cannot.
    """
    from escapedim.errors import EscapedimError
    from escapedim.training import fork_server

    signals.AT_END.add(fork_server.end)
    with contextlib.suppress(OSError, EscapedimError):
        fork_server.start()


def _check_apart(source: Path, out: Path) -> None:
    """Refuse to put a summary in the place of that from which it starts: the same command could not continue then."""
    from escapedim.errors import BadInput

    if out.exists() and out.samefile(source):
        raise BadInput(f"--out {out} is the summary that this run starts from; choose another --out.")


TRACEBACK = "ESCAPEDIM_TRACEBACK"
LONGEST_SENTENCE = 8000  # ours: about a screen and a half


def run(command_line: Callable[[], Any], before_telling: Callable[[], None] = lambda: None) -> int:
    """Run a command line and return its exit code; errors become one sentence on standard error.

    A fault of escapedim itself has its traceback too where ESCAPEDIM_TRACEBACK is 1.
    """
    from escapedim.errors import EscapedimError

    try:
        command_line()
    except EscapedimError as error:
        before_telling()
        if error.__cause__ is not None and os.environ.get(TRACEBACK) == "1":
            traceback.print_exc()
        _tell(str(error))
        return error.exit_code
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            _tell(f"{str(error.filename)[:80]}...: a name that no file can have; choose a shorter one.")
            return 2
        _tell(f"{error}; what was finished is saved.")
        return 1
    except MemoryError:
        _tell("out of memory; what was finished is saved: use a higher limit or a machine with more memory.")
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        if os.environ.get(TRACEBACK) == "1":
            traceback.print_exc()
        _tell(
            f"a fault of escapedim: {type(error).__name__}: {error}; please report it with the output of "
            f"`escapedim doctor` ({TRACEBACK}=1 shows where it is)."
        )
        return 1
    return 0


def _tell(sentence: str) -> None:
    """Write an error in one line; one that quotes half a file is cut in the middle, and keeps its remedy."""
    words, half = " ".join(sentence.split()), LONGEST_SENTENCE // 2
    streams.note(words if len(words) <= LONGEST_SENTENCE else f"{words[:half]} ... {words[-half:]}")


def main() -> None:
    """Run the command line of this process and end it; `escapedim.__main__` is the console script."""
    streams.prepare()
    # A signal that comes after its reason has been told would tell another; one at exit, where Python gives them back,
    # would kill.
    code = run(lambda: app(prog_name="escapedim"), signals.ignore)
    signals.ignore()
    sys.exit(code)
