from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from escapedim.errors import BadInput
from escapedim.sweeping.runs import ON_DISK, expand
from escapedim.sweeping.sweep_plan import SweepPlan
from escapedim.tasks.registry import FROM_PATH


def runs(**plan):
    return expand(SweepPlan.model_validate({"name": "a", "command": "prune", **plan}))


def test_a_run_is_named_by_all_that_it_is_made_of():
    one, other = runs(seeds=2)
    assert one.name != other.name
    assert one.name == runs(seeds=1)[0].name
    assert runs(name="b", seeds=1)[0].name == one.name
    assert one.summary(Path("out")) == Path("out") / "runs" / one.name / "lottery.json"


def test_the_same_run_twice_is_one():
    assert len(runs(list=[{"lr": 1}, {"lr": 2}], then=[{"command": "prune", "base": {"lr": 1}}])) == 2
    assert len(runs(then=[{"command": "prune"}])) == 1


def test_rewind_takes_every_prune_run_before_it():
    found = runs(seeds=3, then=[{"command": "rewind", "grid": {"draws": [1, 2]}}])
    rewinds = [run for run in found if run.command == "rewind"]
    assert len(rewinds) == 6
    assert {run.sources[0].name for run in rewinds} == {run.name for run in found if run.command == "prune"}


def test_compare_puts_one_task_and_recipe_together():
    found = runs(
        grid={"task": ["xor", "digits"]},
        seeds=2,
        then=[{"command": "rewind"}, {"command": "widen", "grid": {"task": ["xor", "digits"]}}, {"command": "compare"}],
    )
    compared = [run for run in found if run.command == "compare"]
    assert len(compared) == 2
    for run in compared:
        tasks = {(one.sources[0] if one.command == "rewind" else one).settings["task"] for one in run.sources}
        assert len(tasks) == 1
        assert [one.command for one in run.sources] == ["prune", "prune", "rewind", "rewind", "widen"]


TOO_MANY = {
    "seeds": ({"seeds": 2_000_000}, "a: more than 100,000 runs (in stage 0); make its grid smaller."),
    "huge": ({"seeds": 10**4000, "grid": {"lr": list(range(1000))}}, "a: more than 100,000 runs"),
    "stages add up": ({"seeds": 60_000, "then": [{"command": "widen", "seeds": 60_000}]}, "(in stage 1)"),
    "rewinds multiply": (
        {"seeds": 40_000, "then": [{"command": "rewind", "grid": {"draws": list(range(1, 1001))}}]}, "(in stage 1)"),
    "comparisons multiply": (
        {"seeds": 2000, "then": [{"command": "compare", "grid": {"seed": list(range(1000))}}]},
        "a: comparisons that name more than 1,000,000 summaries in all (up to stage 1)"),
    "comparisons add up": (
        {"seeds": 1000, "then": [{"command": "compare", "base": {"level": level}, "grid": {"seed": list(range(400))}}
                                 for level in (0.001, 0.002, 0.003)]}, "(up to stage 3)"),
    "groups multiply": (
        {"grid": {"lr": [n / 1e4 for n in range(1, 601)]},
         "then": [{"command": "compare", "grid": {"seed": list(range(1000))}}]}, "a: more than 100,000 runs (in stage"),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_MANY)
def test_more_runs_than_anybody_means_are_refused_before_they_are_made(case):
    plan, words = TOO_MANY[case]
    with pytest.raises(BadInput, match=re.escape(words)):
        runs(**plan)


def test_a_hundred_thousand_runs_are_no_slip():
    assert len(runs(seeds=50_000, then=[{"command": "rewind"}])) == 100_000


def test_a_run_changes_with_its_source():
    one = [run for run in runs(seeds=1, then=[{"command": "rewind"}]) if run.command == "rewind"]
    other = [run for run in runs(seeds=[1], then=[{"command": "rewind"}]) if run.command == "rewind"]
    assert one[0].name != other[0].name


def test_other_data_under_the_same_path_are_another_run(tmp_path):
    def names(value: float) -> list[str]:
        x = np.full((20, 2), value) + np.arange(20)[:, None]
        np.savez(tmp_path / "mine.npz", x_train=x, y_train=x[:, 0], x_test=x, y_test=x[:, 0])
        found = runs(
            base={"task": f"npz:{tmp_path / 'mine.npz'}"}, then=[{"command": "rewind"}, {"command": "compare"}]
        )
        return [run.name for run in found]

    first = names(0.0)
    assert names(0.0) == first
    assert not set(names(1.0)) & set(first)


def test_tasks_on_disk_are_those_that_take_a_path():
    assert set(ON_DISK) == set(FROM_PATH)
