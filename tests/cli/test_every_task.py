"""Both commands on every task without data on disk, from the command line to the report."""

import json

import pytest

from tests.cli.conftest import Cli, result_of

TASKS = ["relu-teacher", "teacher", "erf-channel", "parity", "parity:samples=40", "life", "xor"]
SHORT = ("--steps", "15it", "--replicates", "2", "--jobs", "1")


@pytest.mark.parametrize("task", TASKS)
def test_train_and_prune_run_and_report(cli: Cli, tmp_path, task):
    trained = cli("train", "--task", task, *SHORT)
    assert trained.code == 0, trained.err
    assert f"of 2 replicates succeed ({result_of(tmp_path / 'train.json')['success_criterion']})" in trained.out
    pruned = cli("prune", "--task", task, *SHORT, "--rounds", "2", "--fraction", "0.3")
    assert pruned.code == 0, pruned.err
    assert "diverged" not in pruned.out
    assert set(result_of(tmp_path / "lottery.json")["rounds"][2]["arms"]) == {"ticket", "reinit", "shuffle", "random"}
    for file in ("train.json", "lottery.json"):
        assert cli("report", file).code == 0


def test_a_default_that_is_written_out_is_the_same_run(cli: Cli, tmp_path):
    ids = []
    for task in ("relu-teacher", "relu-teacher:k=6", "relu-teacher:k=5"):
        assert cli("train", "--task", task, *SHORT).code == 0
        ids.append(json.loads((tmp_path / "train.json").read_text())["id"])
    assert ids[0] == ids[1] != ids[2]
    assert len(list(tmp_path.glob("escapedim-runs/*"))) == 2
