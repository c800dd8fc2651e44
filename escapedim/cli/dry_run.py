"""`--dry-run`: the resolved configuration with the source of every value, the plan, its cost, and the output paths."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TypeVar

from escapedim.cli.settings import Settings
from escapedim.cli.streams import show
from escapedim.records.folders import RunPaths
from escapedim.reporting.numbers import counted, duration, listed
from escapedim.reporting.page import prose
from escapedim.reporting.render import make_console
from escapedim.reporting.table import text_table
from escapedim.tasks.base import Task
from escapedim.training.config import TrainingConfig
from escapedim.training.estimate import Estimate

C = TypeVar("C", bound=TrainingConfig)


def describe_plan(
    settings: Settings[C],
    identity: str,
    paths: RunPaths,
    estimate: Estimate,
    plan: Sequence[Mapping[str, float]],
    as_json: bool,
) -> None:
    """Print what a run would do, and do nothing."""
    values = settings.config.model_dump(mode="json")
    task = settings.task
    if as_json:
        document = {
            "id": identity,
            "config": values,
            "sources": dict(settings.sources),
            "data": {
                **{part: len(getattr(task, part)) for part in ("train", "validation", "test")},
                "inputs": task.inputs,
                "outputs": task.outputs,
                "loss": task.loss,
                "success": str(task.criterion),
            },
            "plan": [{"round": number, **shares} for number, shares in enumerate(plan)],
            "networks": estimate.networks,
            "net_steps": estimate.net_steps,
            "estimated_wall_s": round(estimate.seconds, 1),
            "estimated_memory_mb": round(estimate.memory_mb),
            "run_folder": str(paths.folder),
            "out": str(paths.out),
        }
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    width = max(len(key) for key in values)
    shown = {key: _plain(value) for key, value in values.items()}
    column = max(len(text) for text in shown.values())
    lines = [f"{key:<{width}}  {text:<{column}}  {settings.sources[key]}" for key, text in shown.items()]
    cost = (
        f"{counted(estimate.networks, 'network')}, {counted(estimate.net_steps, 'network step')}: "
        f"about {duration(estimate.seconds)} and {estimate.memory_mb:,.0f} MB of memory."
    )
    if estimate.most:
        cost += " That is the most: networks that have landed in a minimum stop."
    paths_lines = [f"Summary:    {paths.out}", f"Run folder: {paths.folder}"]
    blocks = [
        prose(_understood(task), make_console(sys.stdout).width),
        ["Configuration, and where each value comes from:", *lines],
        _plan_lines(values, plan),
        [cost, *paths_lines],
    ]
    show("\n\n".join("\n".join(block) for block in blocks if block))


def _understood(task: Task) -> str:
    """Say what the task's data were taken for."""
    parts = {"training": task.train, "validation": task.validation, "test": task.test}
    samples = listed([f"{len(split):,} {name}" for name, split in parts.items() if len(split)])
    learned = f"values ({counted(task.outputs, 'output')})"
    if task.classifies:
        learned = f"{task.outputs} classes"
    elif task.signs:
        learned = "signs"
    given = f"{samples} samples of {counted(task.inputs, 'input')}"
    if task.stream:
        given = f"fresh samples at every step, and {given}"
    if not samples:
        given, learned = counted(task.inputs, "input"), "a closed form of the loss, without samples"
    return f"Task: {given}; {learned}; success is {task.criterion}."


def _plan_lines(values: Mapping[str, object], plan: Sequence[Mapping[str, float]]) -> list[str]:
    if not plan:
        return []
    what = "living units" if values["granularity"] == "unit" else "density"
    rows = [[str(number), *(f"{100 * share:.2f}" for share in shares.values())] for number, shares in enumerate(plan)]
    return [f"Planned {what} by round, in %:", *text_table(["round", *plan[0]], rows)]


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)
