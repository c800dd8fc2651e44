"""What a sweep says that runs take is what their own dry runs say, also of runs whose sources are not there yet."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from escapedim.cli import costing
from escapedim.cli.costing import COMPARISON, RunCosts, shares
from escapedim.cli.estimating import estimated
from escapedim.errors import BadInput, EscapedimError
from escapedim.sweeping.runs import SweepRun, expand
from escapedim.sweeping.sweep_plan import SweepPlan
from escapedim.training.estimate import Estimate
from tests.cli.conftest import Cli

SETTINGS = {
    "train": {"task": "teacher", "hidden": 4, "steps": "30it", "replicates": 3},
    "prune": {"hidden": "6,5", "rounds": 2, "steps": "20it", "replicates": 2, "arms": "ticket,random", "keep": "30%"},
    "widen": {"task": "relu-teacher:k=3", "widths": "3:4", "steps": "20it", "replicates": 4, "isolate": 3},
}
REWIND = {"to": "init,30%,50%", "round": 2, "retrain": "weights,reinit", "complement": "redraw", "draws": 2}


def told(cli: Cli, *command: str, settings: dict) -> dict:
    """What the command's own dry run says."""
    with open("settings.yaml", "w") as file:
        yaml.safe_dump(settings, file)
    ended = cli(*command, "--config", "settings.yaml", "--jobs", "3", "--dry-run", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    return {key: found[key] for key in ("networks", "net_steps", "estimated_wall_s", "estimated_memory_mb")}


def rounded(found: Estimate) -> dict:
    return {
        "networks": found.networks,
        "net_steps": found.net_steps,
        "estimated_wall_s": round(found.seconds, 1),
        "estimated_memory_mb": round(found.memory_mb),
    }


@pytest.mark.parametrize("command", SETTINGS)
def test_as_the_command_itself_says(cli: Cli, command):
    assert rounded(estimated(command, SETTINGS[command], None, 3)) == told(cli, command, settings=SETTINGS[command])


@pytest.mark.parametrize("settings", [REWIND, {}], ids=["given", "defaults"])
def test_a_rewind_run_before_and_after_its_prune_run(cli: Cli, settings):
    before = estimated("rewind", settings, SETTINGS["prune"], 3)
    with open("prune.yaml", "w") as file:
        yaml.safe_dump(SETTINGS["prune"], file)
    assert cli("prune", "--config", "prune.yaml", "--jobs", "1", "--quiet").code == 0
    assert rounded(before) == told(cli, "rewind", "lottery.json", settings=settings)


def test_a_rewind_run_that_its_prune_run_will_not_allow():
    with pytest.raises(BadInput, match="round 3: the prune run has rounds 1 to 2"):
        estimated("rewind", {**REWIND, "round": 3}, SETTINGS["prune"], 1)


def runs_of(**changes) -> list[SweepRun]:
    plan = {"name": "a", "command": "train", "base": SETTINGS["train"], "grid": {"hidden": [3, 4]}, "seeds": 100}
    return expand(SweepPlan.model_validate({**plan, "base": {"task": "teacher", "steps": "30it"}, **changes}))


def test_runs_that_differ_in_their_seed_are_asked_for_once(monkeypatch):
    asked = []

    def answers(wanted):
        asked.extend(wanted)
        return [vars(Estimate(1, 2, 3.0, 4.0)) for _ in wanted]

    monkeypatch.setattr(costing, "_answers", answers)
    costs, runs = RunCosts(), runs_of()
    for _ in range(2):
        costs.ask(shares(runs, 2))
    assert [one["settings"]["hidden"] for one in asked] == [3, 4]
    assert costs.of(runs[7], 1) == Estimate(1, 2, 3.0, 4.0)


def test_runs_share_processes_as_a_sweep_does(monkeypatch):
    def answers(wanted):
        return [vars(Estimate(2, 10, 6.0 / one["jobs"], 100.0 * one["settings"]["hidden"])) for one in wanted]

    monkeypatch.setattr(costing, "_answers", answers)
    costs = RunCosts()
    runs = runs_of(seeds=2, then=[{"command": "widen"}, {"command": "compare"}], grid={"hidden": [3, 4, 5]})
    runs = [run for run in runs if run.command != "widen"]
    costs.ask(shares(runs, 4))
    found = costs.together(runs, 4)
    assert (found.networks, found.net_steps) == (12, 60)
    assert found.seconds == 12.0 + COMPARISON.seconds  # six runs on four processes: two after each other
    assert found.memory_mb == 2 * 500 + 2 * 400  # the four largest
    one = runs[:1]
    costs.ask(shares(one, 4))
    assert costs.together(one, 4).seconds == 1.5


def test_a_real_process_answers_and_refuses():
    costs, runs = RunCosts(), runs_of(seeds=1)
    with pytest.raises(BadInput, match=r"^widen: .*isolate"):
        costs.ask([*shares(runs, 1), (SweepRun(0, "widen", {"widths": "3:4", "isolate": 9}), 1)])
    assert costs.of(runs[0], 1) == estimated("train", runs[0].settings, None, 1)


def test_a_process_that_fails_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EscapedimError, match="could not be estimated"):
        RunCosts().ask(shares(runs_of(seeds=1), 1))
