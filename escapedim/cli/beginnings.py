"""What a command begins with: the model of its settings, and the finished run that it starts from, if there is one.

Nothing here imports torch: wrong options are refused, and workers started, before anything does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from escapedim.cli.settings import Layer
from escapedim.errors import BadInput
from escapedim.pruning.config import PruneConfig
from escapedim.records.finished import FinishedRun
from escapedim.records.results import LotteryResult
from escapedim.rewinding.config import NOT_TAKEN, RewindConfig, rewind_base
from escapedim.text import excerpt
from escapedim.training.config import TrainConfig, TrainingConfig
from escapedim.widening.config import WidenConfig, WidenFromConfig

C = TypeVar("C", bound=TrainingConfig)
NOT_TAKEN_OF_MEMBERS = NOT_TAKEN | {"by", "embedding", "perturbation", "layer", "sources", "transient"}
MODELS: dict[str, type[TrainingConfig]] = {
    "train": TrainConfig,
    "prune": PruneConfig,
    "widen": WidenConfig,
    "rewind": RewindConfig,
}


@dataclass(frozen=True)
class Beginning:
    """A model of settings; with a finished `run` also the settings that are taken from there."""

    model: type[TrainingConfig]
    run: FinishedRun | None = None
    base: Layer | None = None


def begin(command: str, source: Path | None) -> Beginning:
    """Return what a command begins with; `source` is the summary of the run that `rewind` or `widen` starts from.

    Raises
    ------
    BadInput
        No finished summary of a kind that the command can start from, or one that this version cannot read.
    """
    if source is None:
        return Beginning(MODELS[command])
    return _of_prune(source) if command == "rewind" else _of_members(source)


def _of_prune(path: Path) -> Beginning:
    run = FinishedRun.read(path, ("lottery",))
    origin = configured(run, PruneConfig)
    base = rewind_base(origin, origin.rewind_to, last_round(run), run.name)
    return Beginning(RewindConfig, run, (str(path), base))


def _of_members(path: Path) -> Beginning:
    run = FinishedRun.read(path, ("train", "widen"))
    origin_of_members(run)  # which refuses members that cannot be widened
    taken = {key: value for key, value in run.summary.config.items() if key in WidenFromConfig.model_fields}
    taken = {key: value for key, value in taken.items() if key not in NOT_TAKEN_OF_MEMBERS}
    base: dict[str, Any] = {"hidden": [], "widths": []} | taken | {"source": run.name}
    return Beginning(WidenFromConfig, run, (str(path), base))


def lottery_of(run: FinishedRun) -> LotteryResult:
    """Return the result of a finished prune run."""
    assert isinstance(run.summary.result, LotteryResult), "the kind says so"
    return run.summary.result


def last_round(run: FinishedRun) -> int:
    """Return the number of the last round of a finished prune run."""
    return lottery_of(run).rounds[-1].round


def origin_of_members(run: FinishedRun) -> TrainConfig | WidenConfig:
    """Return the configuration of a finished train or widen run whose members can be widened.

    Raises
    ------
    BadInput
        Its members come from another run, or were not trained with all weights at one learning rate.
    """
    if "source" in run.summary.config:
        raise BadInput(
            f"{run.path}: expected members that were trained from their draws, found those of widen --from; "
            "name the run that they came from."
        )
    found: TrainConfig | WidenConfig
    found = configured(run, TrainConfig) if run.summary.kind == "train" else configured(run, WidenConfig)
    if isinstance(found, WidenConfig) and (found.lazy or found.lr_per_width or not found.widths):
        raise BadInput(
            f"{run.path}: expected members trained with all weights at one learning rate, found lazy or lr_per_width; "
            "repeat that run without."
        )
    return found


def configured(run: FinishedRun, model: type[C]) -> C:
    """Return the configuration of a finished run.

    Raises
    ------
    BadInput
        It does not fit the model.
    """
    try:
        return model.model_validate(run.summary.config)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "config"
        raise BadInput(
            f"{run.path}: its configuration does not fit ({excerpt(place)}); repeat the command that wrote it."
        ) from None
