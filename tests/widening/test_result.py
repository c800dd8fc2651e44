"""The entry of a width against numpy and counting by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from escapedim.comparison.statistics import wilson
from escapedim.models.mlp import MLP
from escapedim.tasks.base import Criterion, Task
from escapedim.widening.parametrization import Scales
from escapedim.widening.result import describe_width, quantiles, sensitivity
from escapedim.widening.stack import Setting
from tests.training.plain import toy

PROBLEM = toy("squared")


def setting_of(task: Task) -> Setting:
    return Setting(MLP((4, 5, 3), "tanh"), PROBLEM.recipe, Scales(None, None), task.criterion, 0)


def columns(**changes: list) -> dict[str, list]:
    """Five members: two global minima of different loss, two equal bad ones, one diverged."""
    made = {
        "train_loss": [1e-4, 2e-4, 0.5, 0.5 + 1e-10, None],
        "success": [True, True, False, False, False],
        "ending": ["global minimum", "global minimum", "bad minimum", "bad minimum", "diverged"],
        "reason": ["", "", "", "", ""],
        "marginal": [False, False, True, False, False],
        "smallest_eigenvalue": [None, None, 0.3, 0.2, None],
        "negative_directions": [None, None, 0, 0, None],
        "level": [1e-4, 2e-4, 0.5, 0.5 + 1e-10, None],
        "moved": [1.0, 2.0, 3.0, 4.0, None],
        "steps": [50, 100, 30, 30, 7],
        "restarted": [False, True, False, False, True],
    }
    return made | changes


def stacks(sizes: tuple[int, ...] = (2, 3), **changes: list) -> list[dict]:
    whole, start, made = columns(**changes), 0, []
    for size in sizes:
        part = {name: values[start : start + size] for name, values in whole.items()}
        made.append({"columns": part, "lr": 0.1, "net_steps": 1})
        start += size
    return made


def test_an_entry_counts_its_members():
    task = replace(PROBLEM.task, criterion=Criterion("train_loss", "<", 1e-3))
    entry = describe_width(setting_of(task), task, stacks(), [])
    assert (entry.width, entry.parameters, entry.members, entry.successes) == (5, 5 * 5 + 6 * 3, 5, 2)
    assert entry.success_rate == 0.4
    assert entry.success_interval == wilson(2, 5)
    assert entry.endings == {"global minimum": 2, "bad minimum": 2, "diverged": 1}
    assert (entry.marginal, entry.restarted, entry.lr, entry.median_steps) == (1, 2, 0.1, 30)
    assert entry.lr_sweep is None
    assert [(level.ending, level.members, level.loss) for level in entry.levels] == [
        ("global minimum", 2, 1e-4),
        ("bad minimum", 2, 0.5),
    ]
    assert entry.levels[1].smallest_eigenvalue == 0.2
    assert entry.levels[1].marginal
    assert entry.loss_quantiles.median == np.median([1e-4, 2e-4, 0.5, 0.5 + 1e-10])
    assert entry.moved_quantiles
    assert entry.moved_quantiles.maximum == 4.0


def test_how_members_were_stacked_is_not_in_the_entry():
    task = replace(PROBLEM.task, criterion=Criterion("train_loss", "<", 1e-3))
    entries = [describe_width(setting_of(task), task, stacks(sizes), []) for sizes in ((5,), (2, 3), (1, 1, 1, 1, 1))]
    assert entries[0] == entries[1] == entries[2]


def test_reasons_are_counted_most_frequent_first():
    changed = stacks(ending=["undecided"] * 5, level=[None] * 5, reason=["a", "b", "b", "", "b"])
    entry = describe_width(setting_of(PROBLEM.task), PROBLEM.task, changed, [])
    assert list(entry.reasons.items()) == [("b", 3), ("a", 1)]
    assert entry.levels == []


def test_trials_are_in_the_order_of_their_rates():
    pilots = [
        {"lr": 0.2, "losses": [1.0, None, 3.0], "failures": 1},
        {"lr": 0.05, "losses": [None, None, 3.0], "failures": 3},
        {"lr": 0.1, "losses": [1.0, 2.0, 4.0], "failures": 0},
    ]
    entry = describe_width(setting_of(PROBLEM.task), PROBLEM.task, stacks(), pilots)
    assert entry.lr_sweep
    assert [(trial.lr, trial.members, trial.median_loss, trial.failures) for trial in entry.lr_sweep] == [
        (0.05, 3, None, 3),
        (0.1, 3, 2.0, 0),
        (0.2, 3, 3.0, 1),
    ]


def test_quantiles_are_those_of_the_finite_values():
    random = np.random.default_rng(1)
    values = random.normal(size=37)
    found = quantiles([*values, None, None])
    ordered = np.sort(values)

    def interpolated(share: float) -> float:
        place = share * 36
        low = math.floor(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, 36)] - ordered[low])

    shares = {"minimum": 0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "maximum": 1}
    assert found.model_dump() == {name: pytest.approx(interpolated(share)) for name, share in shares.items()}
    assert set(quantiles([None, None]).model_dump().values()) == {None}


# Other thresholds.


def by_hand(values: list, fails) -> int:
    return sum(1 for value in values if value is None or fails(value))


def test_where_all_must_be_right_accuracies_are_varied_by_shares_of_wrong_ones():
    found = sensitivity(Criterion("train_accuracy", ">=", 1.0), [1.0, 0.995, 0.96, 0.5, None], None)
    counted = {round(entry.threshold, 9): entry.failures for entry in found}
    assert counted == {1.0: 4, 0.999: 4, 0.99: 3, 0.98: 3, 0.95: 2, 0.9: 2}


@pytest.mark.parametrize("own", [0.95, 0.9, 0.3, 0.1, 0.7])
def test_accuracies_are_varied_by_their_distance_from_1(own):
    values = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.94, 0.95, 0.96, 0.98, 0.99, 1.0, None]
    found = sensitivity(Criterion("train_accuracy", ">=", own), values, None)
    thresholds = [entry.threshold for entry in found]
    wanted = [1 - (1 - own) * factor for factor in (0.25, 0.5, 1, 2, 4)]
    assert thresholds == pytest.approx(sorted({round(t, 9) for t in wanted if t >= 0}, reverse=True))
    assert own in thresholds
    for entry in found:
        assert entry.failures == by_hand(values, lambda value, least=entry.threshold: value < least)
        assert entry.failure_rate == entry.failures / len(values)
        assert entry.failure_interval == wilson(entry.failures, len(values))
    at_own = next(entry for entry in found if entry.threshold == own)
    assert at_own.failures == by_hand(values, lambda value: not Criterion("a", ">=", own).met({"a": value}))


def test_losses_are_varied_by_factors_of_ten_and_strictness_is_kept():
    values = [0.0, 1e-5, 1e-4, 1e-3, 2e-3, 0.01, 0.05, 1.0, None]
    for comparison, fails in (("<", lambda v, t: v >= t), ("<=", lambda v, t: v > t)):
        found = sensitivity(Criterion("train_loss", comparison, 1e-3), values, None)
        assert [entry.threshold for entry in found] == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
        for entry in found:
            assert entry.failures == by_hand(values, lambda value, t=entry.threshold, f=fails: f(value, t))


def test_thresholds_at_which_members_were_stopped_before_are_left_out():
    """Members stopped at 1e-3 would all fail at 1e-4, whatever they could do."""
    found = sensitivity(Criterion("train_loss", "<", 1e-3), [9e-4, 9.9e-4, 0.5], 1e-3)
    assert [entry.threshold for entry in found] == pytest.approx([1e-3, 1e-2, 1e-1])
    assert [entry.failures for entry in found] == [1, 1, 1]
