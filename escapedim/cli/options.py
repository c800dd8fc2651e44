"""The options that commands share, declared once; one that was not given is None."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SHARED, _RECIPE, _PRUNING, _WIDENING, _RUNNING = "Experiment", "Recipe", "Pruning", "Widening", "Running"
_BESIDE, _ESCAPE, _REWINDING = "Isolation, complement, restarts", "Escape", "Rewinding"
_EVIDENCE, _FILES = "Evidence", "Files"

Task = Annotated[
    str | None,
    typer.Option(
        help="digits, mnist1d, relu-teacher:k=6, teacher, parity:n=30,k=3, life, xor, erf-channel, idx:DIR or "
        "npz:FILE.",
        rich_help_panel=_SHARED,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(help="Family of networks: mlp, or conv-2:width=8 on images.", rich_help_panel=_SHARED),
]
Hidden = Annotated[str | None, typer.Option(help="Hidden widths of an mlp, such as 300,100.", rich_help_panel=_SHARED)]
Activation = Annotated[
    str | None, typer.Option(help="relu, tanh, gelu, softplus, erf or sigmoid.", rich_help_panel=_SHARED)
]
Seed = Annotated[int | None, typer.Option(help="Root seed of every draw.", rich_help_panel=_SHARED)]
Replicates = Annotated[
    int | None,
    typer.Option(help="Repeats with other seeds; more of them continue a run.", rich_help_panel=_SHARED),
]
Keep = Annotated[
    str | None, typer.Option(help="More points at which weights are kept: 500it,3%.", rich_help_panel=_SHARED)
]
Preset = Annotated[str | None, typer.Option(help="Published set-up: lenet-300-100.", rich_help_panel=_SHARED)]
Config = Annotated[Path | None, typer.Option(help="YAML file of settings.", rich_help_panel=_SHARED)]
Override = Annotated[
    list[str] | None,
    typer.Option("-o", metavar="KEY=VALUE", help="Any setting, as in the YAML file.", rich_help_panel=_SHARED),
]

Steps = Annotated[str | None, typer.Option(help="Length of a run: 1000it or 20ep.", rich_help_panel=_RECIPE)]
Lr = Annotated[float | None, typer.Option(help="Learning rate.", rich_help_panel=_RECIPE)]
Optimizer = Annotated[str | None, typer.Option(help="adam, adamw, sgd:momentum=0.9 or gd.", rich_help_panel=_RECIPE)]
Schedule = Annotated[
    str | None,
    typer.Option(help="constant, cosine or step:at=50%/75%; each takes warmup=5%.", rich_help_panel=_RECIPE),
]
BatchSize = Annotated[str | None, typer.Option(help="Samples a step, or full.", rich_help_panel=_RECIPE)]
Dtype = Annotated[str | None, typer.Option(help="float32 or float64.", rich_help_panel=_RECIPE)]

Rounds = Annotated[
    int | None,
    typer.Option(help="Train-prune-rewind cycles; more of them continue a run.", rich_help_panel=_PRUNING),
]
Fraction = Annotated[
    float | None, typer.Option(help="Share of the survivors that a round removes.", rich_help_panel=_PRUNING)
]
OutputFraction = Annotated[
    float | None,
    typer.Option(help="The same for the output layer; by default half.", rich_help_panel=_PRUNING),
]
Density = Annotated[
    float | None,
    typer.Option(help="Prune once, down to this share of the weights.", rich_help_panel=_PRUNING),
]
Scope = Annotated[str | None, typer.Option(help="layer or global.", rich_help_panel=_PRUNING)]
Granularity = Annotated[str | None, typer.Option(help="weight or unit.", rich_help_panel=_PRUNING)]
Criterion = Annotated[
    str | None,
    typer.Option(
        help="magnitude, random, movement, magnitude-increase, magnitude-init or snip.",
        rich_help_panel=_PRUNING,
    ),
]
RewindTo = Annotated[str | None, typer.Option(help="init, 500it, 2ep or 1%.", rich_help_panel=_PRUNING)]
Arms = Annotated[
    str | None,
    typer.Option(help="ticket and its controls: ticket,reinit,shuffle,random.", rich_help_panel=_PRUNING),
]

WidthList = Annotated[
    str | None,
    typer.Option(
        "--widths",
        help="Widths of one hidden layer, such as 2:12,16,32; more continue a run.",
        rich_help_panel=_WIDENING,
    ),
]
Members = Annotated[
    int | None,
    typer.Option("--replicates", help="Networks at each width; more of them continue a run.", rich_help_panel=_SHARED),
]
Success = Annotated[
    str | None,
    typer.Option(help="Another criterion: 'train_accuracy>=0.99', 'loss<=1e-6'.", rich_help_panel=_WIDENING),
]
Parametrization = Annotated[
    str | None,
    typer.Option(help="standard, ntk or mup, as in mup:base=16.", rich_help_panel=_WIDENING),
]
Lazy = Annotated[
    bool | None,
    typer.Option("--lazy", help="Control: only the outgoing weights train.", rich_help_panel=_WIDENING),
]
LrPerWidth = Annotated[
    bool | None,
    typer.Option("--lr-per-width", help="Sweep five learning rates at each width.", rich_help_panel=_WIDENING),
]

Isolate = Annotated[
    str | None,
    typer.Option(
        metavar="UNITS",
        help="Train each member's subnetworks of 7 (6:7) units alone; or none.",
        rich_help_panel=_BESIDE,
    ),
]
Subsets = Annotated[
    int | None, typer.Option(help="Subnetworks of a size and member, at most.", rich_help_panel=_BESIDE)
]
Complement = Annotated[
    str | None,
    typer.Option(
        metavar="UNITS", help="Put networks of 7 units among fresh other units; or none.", rich_help_panel=_BESIDE
    ),
]
Tickets = Annotated[int | None, typer.Option(help="Winners, and losers, at most.", rich_help_panel=_BESIDE)]
Draws = Annotated[
    int | None, typer.Option(help="Fresh surroundings of each ticket (widen: retests too).", rich_help_panel=_BESIDE)
]
At = Annotated[
    str | None,
    typer.Option(metavar="WIDTHS", help="Where isolation and complement are measured.", rich_help_panel=_BESIDE),
]
Restarts = Annotated[
    str | None,
    typer.Option(metavar="WIDTH", help="Hold the best of k such networks against wider ones.", rich_help_panel=_BESIDE),
]
StepHalving = Annotated[
    bool | None,
    typer.Option("--step-halving", help="Train every member again with half the step.", rich_help_panel=_BESIDE),
]
From = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="FILE", help="Widen failed members of a train or widen run.", rich_help_panel=_ESCAPE
    ),
]
Escape = Annotated[
    bool | None,
    typer.Option("--escape/--no-escape", help="Widen failed members of each width.", rich_help_panel=_ESCAPE),
]
Sources = Annotated[int | None, typer.Option(help="Failed members of a width, at most.", rich_help_panel=_ESCAPE)]
By = Annotated[int | None, typer.Option(help="Units that are added.", rich_help_panel=_ESCAPE)]
Embedding = Annotated[
    str | None,
    typer.Option(help="split:alpha=0.5, null, null:drawn=true or zero-in.", rich_help_panel=_ESCAPE),
]
Layer = Annotated[int | None, typer.Option(help="Hidden layer that grows, from 1.", rich_help_panel=_ESCAPE)]
Perturbation = Annotated[
    str | None, typer.Option(help="noise:size=1e-4 or direction:size=1e-4.", rich_help_panel=_ESCAPE)
]
Transient = Annotated[
    str | None,
    typer.Option(metavar="STEPS", help="Widen for 500it (10%), merge back, train on.", rich_help_panel=_ESCAPE),
]

To = Annotated[
    str | None,
    typer.Option(metavar="POINTS", help="Where to rewind to: init,500it,10%.", rich_help_panel=_REWINDING),
]
Retrain = Annotated[
    str | None,
    typer.Option(metavar="MODES", help="weights, lr, finetune, reinit, shuffle, or none.", rich_help_panel=_REWINDING),
]
Round = Annotated[
    str | None, typer.Option(metavar="ROUNDS", help="Whose tickets: 5,10 or 1:10.", rich_help_panel=_REWINDING)
]
WeightsFrom = Annotated[
    str | None,
    typer.Option(metavar="POINTS", help="Further modes: a point, end or fresh.", rich_help_panel=_REWINDING),
]
ScheduleFrom = Annotated[
    str | None,
    typer.Option(metavar="POINTS", help="Further modes: a point, or end (last rate).", rich_help_panel=_REWINDING),
]
Around = Annotated[
    str | None,
    typer.Option(
        metavar="KINDS",
        help="masked, original, redraw, scale:3, scale:10, frozen, or none.",
        rich_help_panel=_REWINDING,
    ),
]
Instability = Annotated[
    bool | None,
    typer.Option("--instability/--no-instability", help="Barriers between copies.", rich_help_panel=_REWINDING),
]
Replay = Annotated[
    bool | None,
    typer.Option("--replay", help="Train round 0 again for points that were not kept.", rich_help_panel=_REWINDING),
]

Allow = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY", help="Permit that summaries differ in this setting, such as lr.", rich_help_panel=_EVIDENCE
    ),
]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COND",
        help="Exit with 3 if true: 'effective_tickets>5' (shares from 0 to 1), escape==undecided.",
        rich_help_panel=_EVIDENCE,
    ),
]
BaseWidth = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Width r of effective tickets (that of restarts or complement, or the smallest).",
        rich_help_panel=_EVIDENCE,
    ),
]
Minimal = Annotated[
    int | None,
    typer.Option(min=1, help="Smallest width that solves the task, for the counts.", rich_help_panel=_EVIDENCE),
]
Margin = Annotated[
    float,
    typer.Option(
        min=0.0, max=0.5, help="How far from 0 or equal still counts as that (share).", rich_help_panel=_EVIDENCE
    ),
]
Level = Annotated[
    float, typer.Option(min=1e-6, max=0.5, help="Family-wise level of directions and laws.", rich_help_panel=_EVIDENCE)
]
CompareSeed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the bootstrap.", rich_help_panel=_EVIDENCE)]

Device = Annotated[str | None, typer.Option(help="cpu or cuda.", rich_help_panel=_RUNNING)]
Jobs = Annotated[int | None, typer.Option(help="Processes of one thread each.", rich_help_panel=_RUNNING)]
Out = Annotated[Path | None, typer.Option(help="Where the summary goes.", rich_help_panel=_RUNNING)]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Print what would be done, and train nothing.", rich_help_panel=_RUNNING),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the summary as JSON on standard output.", rich_help_panel=_RUNNING),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no report.", rich_help_panel=_RUNNING)]
Force = Annotated[bool, typer.Option("--force", help="Start anew beside an old run.", rich_help_panel=_RUNNING)]

Figures = Annotated[
    Path | None, typer.Option(help="Folder for figures as PNG, PDF and SVG.", metavar="DIR", rich_help_panel=_FILES)
]
Html = Annotated[
    Path | None,
    typer.Option(help="One self-contained page with figures and tables.", metavar="FILE", rich_help_panel=_FILES),
]
Markdown = Annotated[
    Path | None, typer.Option(help="Sentences and tables as Markdown.", metavar="FILE", rich_help_panel=_FILES)
]
Csv = Annotated[
    Path | None, typer.Option(help="Folder for tables, a CSV file each.", metavar="DIR", rich_help_panel=_FILES)
]
