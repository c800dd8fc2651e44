from __future__ import annotations

import json

import pytest
from safetensors.numpy import load_file

from tests.cli.conftest import TINY, Cli, result_of


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


def test_more_replicates_extend_to_what_a_fresh_run_gives_to_rounding(cli: Cli, tmp_path):
    options = ("--hidden", "8", "--steps", "20it", "--jobs", "1", "--dtype", "float64")
    for replicates in ("3", "5"):
        assert cli("train", *options, "--replicates", replicates).code == 0
    cli("train", *options, "--replicates", "5", "--out", "fresh/train.json")
    extended, fresh = result_of(tmp_path / "train.json"), result_of(tmp_path / "fresh/train.json")
    assert extended["replicates"] == fresh["replicates"] == [0, 1, 2, 3, 4]
    assert extended["train_loss"] == pytest.approx(fresh["train_loss"], rel=1e-12)
    assert len(list(tmp_path.glob("escapedim-runs/train-*/checkpoints/*"))) == 2


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
    cli("train", *TINY, "--dtype", "float64")
    cli("prune", *TINY, "--dtype", "float64", "--rounds", "1")
    dense = result_of(tmp_path / "lottery.json")["rounds"][0]["arms"]["dense"]
    trained = result_of(tmp_path / "train.json")
    for key, values in dense.items():
        assert trained[key] == pytest.approx(values, rel=1e-12), key


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
    assert "no accuracy, so matching and winning are not defined" in " ".join(ended.out.split())
    assert "test accuracy" not in ended.out.lower()
