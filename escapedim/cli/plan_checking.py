"""Checks of a plan's settings before anything runs, by the models of the commands; torch is not needed for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from escapedim.cli.settings import Given, resolve
from escapedim.comparison.compatibility import KEYS
from escapedim.errors import BadInput, nearest
from escapedim.pruning.config import PruneConfig
from escapedim.records.strict_json import canonical
from escapedim.rewinding.config import RewindConfig
from escapedim.sweeping.runs import Run
from escapedim.tasks.registry import load_task
from escapedim.training.config import TrainConfig, TrainingConfig
from escapedim.widening.config import WidenConfig

MODELS: dict[str, type[TrainingConfig]] = {"train": TrainConfig, "prune": PruneConfig, "widen": WidenConfig}
COMPARE = ("allow", "base_width", "minimal", "margin", "level", "seed")
_SET_BY_SWEEP = ("jobs", "device")
MOST_ERRORS = 20


def check(path: Path, runs: Sequence[Run]) -> None:
    """Check the settings of all runs.

    Raises
    ------
    BadInput
        All errors at once, each with its stage and the settings that it is about.
    """
    found = list(dict.fromkeys(_errors(runs)))
    if found:
        more = f"; {len(found) - MOST_ERRORS} errors more" if len(found) > MOST_ERRORS else ""
        raise BadInput(f"{path}: {'; '.join(found[:MOST_ERRORS])}{more}.")


def _errors(runs: Sequence[Run]) -> Iterator[str]:
    load, seen = cache(load_task), set[str]()
    for run in runs:
        key = canonical([run.stage, {**run.settings, "seed": _checked_as(run.settings.get("seed", 0))}])
        if key in seen:
            continue
        seen.add(key)
        place = f"stage {run.stage} ({run.command})"
        taken = [key for key in run.settings if key in _SET_BY_SWEEP and run.command != "compare"]
        if "jobs" in taken:
            yield f"{place}: jobs is set by the sweep; leave it out"
            continue
        try:
            if run.command in MODELS:
                resolve(MODELS[run.command], Given({}, base=("the plan", run.settings)), load)
            else:
                _check_keys(run)
        except BadInput as error:
            yield f"{place}: {str(error).removesuffix('.')}"


def _checked_as(seed: object) -> object:
    """Return a seed that is as good as this one, so that settings that differ in a good one are checked once."""
    return 0 if type(seed) is int and 0 <= seed < 2**63 else seed


def _check_keys(run: Run) -> None:
    """Check what can be known of a run whose sources are not there yet."""
    known = COMPARE if run.command == "compare" else tuple(RewindConfig.model_fields)
    for key in run.settings:
        if key not in known:
            raise BadInput(f"unknown key '{key}'; {nearest(key, known)}")
    for key in run.settings.get("allow", ()) if run.command == "compare" else ():
        if key not in KEYS:
            raise BadInput(f"allow: expected some of {', '.join(KEYS)}, found {key!r}")
