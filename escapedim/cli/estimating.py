"""What runs of a plan will take, by the estimates of their own commands: a process that reads and writes JSON.

`escapedim sweep` asks for it in a process of its own, since the commands import torch and a sweep does not. Standard
input has a list of `{"command", "settings", "source", "jobs"}`, where `source` has the settings of a rewind run's prune
run; standard output gets the list of the estimates, `{"refused": sentence}` where the command would refuse the run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from escapedim.cli import commands
from escapedim.cli.settings import Given, resolve
from escapedim.errors import BadInput
from escapedim.pruning.config import PruneConfig
from escapedim.rewinding.config import RewindConfig, rewind_base
from escapedim.rewinding.experiment import planned
from escapedim.rewinding.source import Expected
from escapedim.tasks.base import Task
from escapedim.tasks.registry import load_task
from escapedim.training.config import TrainConfig
from escapedim.training.estimate import Estimate
from escapedim.training.networks import network_of
from escapedim.training.points import kept_steps
from escapedim.widening.config import WidenConfig

Load = Callable[[str], Task]
Values = Mapping[str, Any]


def estimated(command: str, settings: Values, source: Values | None, jobs: int, load: Load = load_task) -> Estimate:
    """Estimate one run with so many processes.

    Raises
    ------
    BadInput
        What the command itself would say to these settings.
    """
    given = Given({"jobs": jobs}, base=("the plan", settings))
    if command == "train":
        train = resolve(TrainConfig, given, load)
        return commands.TRAIN.estimate(train.config, train.task)
    if command == "prune":
        prune = resolve(PruneConfig, given, load)
        return commands.PRUNE.estimate(prune.config, prune.task)
    if command == "widen":
        widen = resolve(WidenConfig, given, load)
        return commands.WIDEN.estimate(widen.config, widen.task)
    return _rewind(settings, source or {}, jobs, load)


def _rewind(settings: Values, source: Values, jobs: int, load: Load) -> Estimate:
    """Estimate a rewind run whose prune run need not be there."""
    origin = resolve(PruneConfig, Given({}, base=("the plan", source)), load)
    pruned, recipe = origin.config, origin.config.recipe(origin.task)
    base = {**rewind_base(pruned, pruned.rewind_to, pruned.rounds, "lottery"), **settings}
    found = resolve(RewindConfig, Given({"jobs": jobs}, base=("the plan", base)), load)
    model, points = network_of(pruned, origin.task), kept_steps((*pruned.keep, pruned.rewind_to), recipe)
    expected = Expected.after(model, pruned.dtype, pruned.rounds, pruned.replicates, points)
    _, replays, stacks = planned(found.config, found.task, expected, pruned.arms)
    return commands.rewind_estimate(found.config, found.task, [*replays, *stacks])


def answers(asked: Iterable[Values]) -> list[dict[str, Any]]:
    """Answer what is asked, as above."""
    load, found = cache(load_task), list[dict[str, Any]]()
    for one in asked:
        try:
            found.append(asdict(estimated(**one, load=load)))
        except BadInput as error:
            found.append({"refused": str(error)})
    return found


def main() -> None:
    """Answer what standard input asks."""
    json.dump(answers(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
