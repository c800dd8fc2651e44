"""From the members of a width to its entry in the summary: rates, quantiles, endings, levels, thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from escapedim.comparison.statistics import wilson
from escapedim.landscape.levels import levels
from escapedim.landscape.vocabulary import Ending
from escapedim.records.results import Level, Quantiles, RateTrial, Threshold, Width
from escapedim.tasks.base import Criterion, Task
from escapedim.training.certification import stop_below
from escapedim.training.work import Metrics
from escapedim.widening.stack import Setting, loss_name

QUANTILES = {"minimum": 0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "maximum": 1}
LOSS_FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)  # of a loss threshold; ours
DISTANCES = (0.0, 0.001, 0.01, 0.02, 0.05, 0.1)  # of accuracies from 1 where all must be right; ours
ERROR_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the distance of an accuracy threshold from 1; ours


def describe_width(setting: Setting, task: Task, stacks: Sequence[Metrics], pilots: Sequence[Metrics]) -> Width:
    """Return a width's entry from the metrics of its finished stacks and pilots; the task has the run's criterion."""
    names = stacks[0]["columns"]
    columns: dict[str, list[Any]] = {name: [v for stack in stacks for v in stack["columns"][name]] for name in names}
    members, successes = len(columns["success"]), sum(columns["success"])
    reasons = Counter(reason for reason in columns["reason"] if reason)
    return Width(
        width=setting.width,
        parameters=setting.model.size,
        members=members,
        successes=successes,
        success_rate=successes / members,
        success_interval=wilson(successes, members),
        endings=dict(Counter(columns["ending"]).most_common()),
        marginal=sum(columns["marginal"]),
        levels=_levels(columns),
        reasons=dict(reasons.most_common()),
        loss_quantiles=quantiles(columns[loss_name(task)]),
        moved_quantiles=quantiles(columns["moved"]),
        median_steps=float(np.median(columns["steps"])),
        restarted=sum(columns["restarted"]),
        lr=stacks[0]["lr"],
        lr_sweep=[_trial(pilot) for pilot in sorted(pilots, key=lambda pilot: float(pilot["lr"]))] or None,
        threshold_sensitivity=sensitivity(task.criterion, columns[task.criterion.metric], stop_below(task)),
    )


def quantiles(values: Sequence[float | None]) -> Quantiles:
    """Return the quantiles of the values that are there."""
    finite = [value for value in values if value is not None]
    if not finite:
        return Quantiles()
    return Quantiles(**{name: float(np.quantile(finite, share)) for name, share in QUANTILES.items()})


def sensitivity(criterion: Criterion, values: Sequence[float | None], stopped: float | None) -> list[Threshold]:
    """Return how many members would fail at other thresholds; one without a value fails at all of them.

    Losses below `stopped` are left out: members were stopped there, and how far they would have come is not known.
    """
    found = []
    for threshold in _thresholds(criterion):
        if stopped is not None and threshold < stopped:
            continue
        other = Criterion(criterion.metric, criterion.comparison, threshold)
        failures = sum(value is None or not other.met({criterion.metric: value}) for value in values)
        interval = wilson(failures, len(values))
        assert interval is not None, "a width has members"
        found.append(
            Threshold(
                threshold=threshold,
                failures=failures,
                failure_rate=failures / len(values),
                failure_interval=interval,
            )
        )
    return found


def _thresholds(criterion: Criterion) -> list[float]:
    """Return thresholds around the criterion's: of accuracies by their distance from 1, of losses by themselves.

    The criterion's own is among them to the last bit, so that its failures are those that are counted elsewhere;
    accuracies below 0 are left out.
    """
    own = criterion.threshold
    if "accuracy" not in criterion.metric:
        found = [own * factor for factor in LOSS_FACTORS]
    elif own == 1:
        found = [1 - distance for distance in DISTANCES]
    else:
        found = [own if factor == 1 else 1 - (1 - own) * factor for factor in ERROR_FACTORS]
    return list(dict.fromkeys(threshold for threshold in found if threshold >= 0))


def _levels(columns: Mapping[str, list[Any]]) -> list[Level]:
    loss = _floats(columns["level"])
    found = levels(
        ending=np.array([Ending(name) for name in columns["ending"]], dtype=object),
        loss=loss,
        limit_loss=loss,
        marginal=np.array(columns["marginal"]),
        smallest_eigenvalue=_floats(columns["smallest_eigenvalue"]),
        negative_directions=np.array([count or 0 for count in columns["negative_directions"]]),
    )
    return [Level(**{**asdict(level), "ending": level.ending.value}) for level in found]


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _trial(pilot: Metrics) -> RateTrial:
    finite = [loss if loss is not None else np.inf for loss in pilot["losses"]]
    median = float(np.median(finite))
    return RateTrial(
        lr=pilot["lr"],
        members=len(finite),
        median_loss=median if np.isfinite(median) else None,
        failures=pilot["failures"],
    )
