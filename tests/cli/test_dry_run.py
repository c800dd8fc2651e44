from __future__ import annotations

import json

import numpy as np
import pytest

from tests.cli.conftest import TINY, Cli


def test_prints_sources_plan_cost_and_paths_and_trains_nothing(cli: Cli, tmp_path):
    ended = cli("prune", *TINY, "--rounds", "3", "-o", "lr=1e-3", "--dry-run")
    assert ended.code == 0, ended.err
    assert list(tmp_path.iterdir()) == []
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["lr", "0.001", "-o"] in lines
    assert ["hidden", "8", "flag"] in lines
    assert ["activation", "relu", "task", "digits"] in lines
    assert "26 networks, 520 network steps" in ended.out
    assert "escapedim-runs/lottery-" in ended.out


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (
            "digits",
            "1,293 training, 144 validation and 360 test samples of 64 inputs; 10 classes; success is train_acc",
        ),
        ("relu-teacher:k=3", "3 inputs; a closed form of the loss, without samples; success is train_loss < 0.001."),
        ("parity:n=30,k=3", "fresh samples at every step, and 4,000 test samples of 30 inputs; signs; success is test"),
        ("teacher", "500 training and 1,000 test samples of 4 inputs; values (1 output); success is train_loss <="),
        ("npz:mine.npz", "36 training, 4 validation and 20 test samples of 6 inputs; 3 classes; success is train_acc"),
    ],
)
def test_it_says_what_the_data_were_taken_for(cli: Cli, tmp_path, task, told):
    x, y = np.random.default_rng(0).normal(size=(60, 2, 3)), np.arange(60) % 3
    np.savez(tmp_path / "mine.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    ended = cli("train", "--task", task, "--dry-run")
    assert " ".join(ended.out.split()).startswith(f"Task: {told}"), ended


def test_one_is_singular(cli: Cli):
    out = cli("train", "--hidden", "8", "--replicates", "1", "--steps", "1it", "--dry-run").out
    assert "1 network, 1 network step: about" in out


def test_planned_densities_are_those_of_the_run(cli: Cli, tmp_path):
    planned = cli("prune", *TINY, "--rounds", "2", "--dry-run").out
    cli("prune", *TINY, "--rounds", "2")
    for entry in json.loads((tmp_path / "lottery.json").read_text())["result"]["rounds"]:
        shares = [f"{100 * layer['surviving'] / layer['total']:.2f}" for layer in entry["layers"]]
        row = [str(entry["round"]), *shares, f"{100 * entry['density']:.2f}"]
        assert row in [line.split() for line in planned.splitlines()]


def test_json_form_is_strict_json_with_the_same_identity(cli: Cli, tmp_path):
    plan = json.loads(cli("prune", *TINY, "--rounds", "2", "--dry-run", "--json").out)
    cli("prune", *TINY, "--rounds", "2")
    summary = json.loads((tmp_path / "lottery.json").read_text())
    assert plan["id"] == summary["id"]
    assert plan["net_steps"] == summary["cost"]["net_steps"]
    assert plan["config"] == summary["config"]
    assert set(plan["sources"]) == set(plan["config"])
    assert [entry["all"] for entry in plan["plan"]] == [entry["density"] for entry in summary["result"]["rounds"]]


def test_refuses_what_a_run_would_refuse(cli: Cli, tmp_path):
    (tmp_path / "mine.txt").write_text("text")
    assert cli("prune", *TINY, "--dry-run", "--out", "mine.txt").code == 2
    assert cli("train", *TINY, "--dry-run").code == 0


REFUSED = {
    ("--out", "/proc/x.json"): "cannot write in /proc",
    ("--out", "/proc/new/x.json"): "cannot write in /proc/new",
    ("--out", "file/x.json"): "found a file in its path",
    ("--hidden", "100000,100000"): "MB of memory",
    ("--task", "parity:n=10,k=3", "--hidden", "8", "--criterion", "snip"): "training samples",
}


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_refuses_the_output_the_memory_and_the_plan_as_a_run_does(cli: Cli, tmp_path, options):
    (tmp_path / "file").write_text("text")
    command = ("prune", *TINY, "--rounds", "1", *options)
    dry, real = cli(*command, "--dry-run"), cli(*command)
    assert (dry.code, real.code) == (2, 2)
    assert REFUSED[options] in dry.err
    assert dry.err == real.err or "MB are free" in dry.err
    assert dry.out == ""


def test_creates_no_folder(cli: Cli, tmp_path):
    assert cli("train", *TINY, "--dry-run", "--out", "a/b/train.json").code == 0
    assert list(tmp_path.iterdir()) == []


def test_unit_granularity_plans_units(cli: Cli):
    out = cli("prune", *TINY, "--granularity", "unit", "--fraction", "0.25", "--rounds", "1", "--dry-run").out
    assert "living units" in out
    assert ["1", "75.00", "75.00"] in [line.split() for line in out.splitlines()]
