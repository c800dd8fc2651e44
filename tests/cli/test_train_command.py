from __future__ import annotations

import itertools
import json
import signal

import pytest
from safetensors.numpy import load_file

from escapedim.training.workers import Ticker
from tests.cli.conftest import TINY, Cli, result_of


def signal_at_step(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let SIGTERM come while a run takes its step of this number."""
    calls, tick = itertools.count(1), Ticker.__call__

    def signalled(self: Ticker, members: int) -> bool:
        if next(calls) == step:
            signal.raise_signal(signal.SIGTERM)
        return tick(self, members)

    monkeypatch.setattr(Ticker, "__call__", signalled)


def test_keeps_initial_rewind_point_and_final_weights(cli: Cli, tmp_path):
    ended = cli("train", *TINY, "--keep", "7it")
    assert ended.code == 0, ended.err
    result = result_of(tmp_path / "train.json")
    assert result["kept_steps"] == [0, 1, 2, 4, 7, 10, 20]
    (file,) = tmp_path.glob("escapedim-runs/train-*/checkpoints/*")
    arrays = load_file(file)
    assert {name.split(".")[0] for name in arrays} == {f"step{step}" for step in result["kept_steps"]}
    assert arrays["step0.layer1.weight"].shape == (2, 8, 64)
    first, second = arrays["step0.layer1.weight"]
    assert (first != second).all()


def test_more_replicates_extend_to_what_a_fresh_run_gives(cli: Cli, tmp_path):
    options = ("--hidden", "8", "--steps", "20it", "--jobs", "1")
    for replicates in ("1", "3", "5"):
        assert cli("train", *options, "--replicates", replicates).code == 0
    cli("train", *options, "--replicates", "5", "--out", "fresh/train.json")
    extended, fresh = result_of(tmp_path / "train.json"), result_of(tmp_path / "fresh/train.json")
    assert extended["replicates"] == [0, 1, 2, 3, 4]
    assert {**extended, "checkpoints": {}} == {**fresh, "checkpoints": {}}
    assert len(list(tmp_path.glob("escapedim-runs/train-*/checkpoints/*"))) == 3


@pytest.mark.parametrize("replicates", ["2", "7"])
def test_another_number_of_replicates_goes_on_with_the_stack_that_was_interrupted(
    cli: Cli, tmp_path, monkeypatch, replicates
):
    options = ("train", "--hidden", "8", "--steps", "20it", "--jobs", "1")
    with monkeypatch.context() as patched:
        signal_at_step(patched, 10)
        assert cli(*options, "--replicates", "4").code == 143
    (paused,) = tmp_path.glob("escapedim-runs/train-*/checkpoints/*")
    assert "paused" in paused.name
    ended = cli(*options, "--replicates", replicates)
    assert ended.code == 0, ended.err
    assert ("more than was asked for" in ended.err) == (replicates == "2")
    cli(*options, "--replicates", str(max(4, int(replicates))), "--out", "fresh/train.json")
    extended, fresh = result_of(tmp_path / "train.json"), result_of(tmp_path / "fresh/train.json")
    assert {**extended, "checkpoints": {}} == {**fresh, "checkpoints": {}}
    stored = {path.stem for path in tmp_path.glob("escapedim-runs/train-*/checkpoints/*")}
    assert "replicates-000000-000003" in stored
    assert not any("paused" in name for name in stored)


def test_summary_counts_successes_with_their_interval(cli: Cli, tmp_path):
    cli("train", "--hidden", "16", "--steps", "300it", "--replicates", "3", "--jobs", "1")
    result = result_of(tmp_path / "train.json")
    assert result["members"] == 3
    assert result["successes"] == sum(result["success"])
    low, high = result["success_interval"]
    assert low <= result["success_rate"] <= high
    assert result["success"] == [accuracy >= 0.95 for accuracy in result["train_accuracy"]]
    assert result["endings"] == {"undecided": 3}
    assert result["parameters"] == 65 * 16 + 17 * 10


def test_the_dense_network_of_prune_is_that_of_train(cli: Cli, tmp_path):
    cli("train", *TINY)
    cli("prune", *TINY, "--rounds", "1")
    dense = result_of(tmp_path / "lottery.json")["rounds"][0]["arms"]["dense"]
    trained = result_of(tmp_path / "train.json")
    for key, values in dense.items():
        assert trained[key] == values, key


def test_npz_regression_has_losses_and_success_only(cli: Cli, tmp_path):
    import numpy as np

    random = np.random.default_rng(0)
    x = random.normal(size=(120, 3))
    y = x @ random.normal(size=(3, 1))
    np.savez(tmp_path / "mine.npz", x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    ended = cli("prune", "--task", "npz:mine.npz", "--hidden", "8", "--steps", "400it", "--replicates", "2",
                "--rounds", "1", "--jobs", "1", "--lr", "0.01")  # fmt: skip
    assert ended.code == 0, ended.err
    arm = json.loads((tmp_path / "lottery.json").read_text())["result"]["rounds"][0]["arms"]["dense"]
    assert arm["test_accuracy"] is None
    assert arm["success"] == [True, True]
    assert "no accuracy on held-out samples, so matching and winning are not defined" in " ".join(ended.out.split())
    assert "test accuracy" not in ended.out.lower()
