"""Families of networks from the command line: every command on a convolutional one, and what is refused."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import jsonschema
import pytest
from safetensors.numpy import load_file

from escapedim.cli.main import app, run
from escapedim.records import summary
from tests.cli.conftest import Cli, result_of

CONV = ("--model", "conv-2:width=2")
SHORT = ("--replicates", "2", "--steps", "20it", "--jobs", "1")
# Weights of width 2 on the 8×8 pixels of the digits, of which the maximum leaves 4×4 places of each channel.
TOTALS = {
    "conv1.weight": 2 * 9,
    "conv2.weight": 2 * 2 * 9,
    "dense1.weight": 2 * 16 * 8,
    "dense2.weight": 8 * 8,
    "output.weight": 8 * 10,
}
RUNS = {
    "train": ("train", *CONV, "--steps", "20it", "--replicates", "3", "--jobs", "1"),
    "prune": ("prune", *CONV, "--rounds", "1", *SHORT),
    "units": ("prune", *CONV, "--rounds", "2", "--granularity", "unit", "--fraction", "0.5", *SHORT),
}
NO_SURFACE = "no surface is known for this kind of network"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs, a folder each."""
    folder = tmp_path_factory.mktemp("finished")
    for name, command in RUNS.items():
        out = folder / name / "summary.json"
        assert run(lambda command=command, out=out: app([*command, "--quiet", "--out", str(out)])) == 0
    return folder


def valid(path: Path) -> dict:
    document = json.loads(path.read_text())
    jsonschema.validate(document, summary.json_schema())
    assert document["status"] == "complete"
    return document


def test_train_says_why_no_ending_is_decided(cli: Cli, finished):
    document = valid(finished / "train" / "summary.json")
    result = document["result"]
    assert (document["config"]["model"], document["config"]["hidden"]) == ("conv-2:width=2", [])
    assert result["parameters"] == sum(TOTALS.values()) + 2 + 2 + 8 + 8 + 10
    assert (result["endings"], result["ending"], result["reason"]) == (
        {"undecided": 3},
        ["undecided"] * 3,
        [NO_SURFACE] * 3,
    )
    ended = cli("report", str(finished / "train" / "summary.json"))
    assert ended.code == 0, ended.err
    assert ended.out.startswith("digits, conv-2:width=2, relu;")
    assert f"undecided 3 ({NO_SURFACE})" in " ".join(ended.out.split())


def test_pruned_weights_are_counted_layer_by_layer(finished):
    dense, pruned = valid(finished / "prune" / "summary.json")["result"]["rounds"]
    assert {layer["name"]: layer["surviving"] for layer in dense["layers"]} == TOTALS
    left = {name: total - round((0.1 if name == "output.weight" else 0.2) * total) for name, total in TOTALS.items()}
    assert {layer["name"]: layer["surviving"] for layer in pruned["layers"]} == left
    assert (pruned["surviving"], pruned["total"]) == (sum(left.values()), sum(TOTALS.values()))
    assert list(pruned["arms"]) == ["ticket", "reinit", "shuffle", "random"]
    assert all(all(entry["invariants"].values()) for entry in (dense, pruned))
    assert None not in pruned["arms"]["ticket"]["test_accuracy"]


def test_pruned_channels_take_all_that_belongs_to_them(finished):
    rounds = valid(finished / "units" / "summary.json")["result"]["rounds"]
    assert [[layer["units_alive"] for layer in entry["layers"]] for entry in rounds] == [
        [2, 2, 8, 8, 10], [1, 1, 4, 4, 10], [1, 1, 2, 2, 10],
    ]  # fmt: skip
    assert [[layer["surviving"] for layer in entry["layers"]] for entry in rounds] == [
        list(TOTALS.values()), [9, 9, 16 * 4, 4 * 4, 4 * 10], [9, 9, 16 * 2, 2 * 2, 2 * 10],
    ]  # fmt: skip
    assert all(all(entry["invariants"].values()) for entry in rounds)


@pytest.mark.parametrize("name", ["prune", "units"])
def test_tickets_come_out_again_when_they_are_rewound(cli: Cli, tmp_path, finished, name):
    ended = cli("rewind", str(finished / name / "summary.json"), "--round", "1", "--to", "init,2it", "--jobs", "1")
    assert ended.code == 0, ended.err
    result, arms = valid(tmp_path / "rewind.json")["result"], result_of(finished / name / "summary.json")["rounds"][1]
    assert {(entry["mode"], entry["to"]) for entry in result["modes"]} >= {
        ("weights", 0),
        ("weights", 2),
        ("reinit", 0),
    }
    for mode, arm in (("weights", "ticket"), ("reinit", "reinit")):
        (again,) = [entry for entry in result["modes"] if (entry["mode"], entry["to"]) == (mode, 0)]
        assert again["arm"] == arms["arms"][arm]
        assert again["equals_run"] is True
    assert all(all(entry["invariants"].values()) for entry in (*result["modes"], *result["complements"]))
    assert "number for number" in " ".join(ended.out.split())


WIDEN = ("widen", "--model", "conv-2", "--widths", "1:2", "--replicates", "4", "--steps", "20it", "--jobs", "1")
BOTH = ("--success", "train_accuracy>=0.13")  # which some members meet and some do not


def test_widen_with_all_that_is_measured_beside_it(cli: Cli, tmp_path):
    options = ("--isolate", "1", "--subsets", "3", "--complement", "1", "--draws", "2", "--restarts", "1")
    ended = cli(*WIDEN, *BOTH, *options, "--transient", "5it")
    assert ended.code == 0, ended.err
    document = valid(tmp_path / "widen.json")
    result = document["result"]
    assert (document["config"]["model"], document["config"]["layer"]) == ("conv-2", 0)
    narrow, wide = result["widths"]
    assert [(entry["width"], entry["members"], entry["endings"]) for entry in (narrow, wide)] == [
        (1, 4, {"undecided": 4}), (2, 4, {"undecided": 4}),
    ]  # fmt: skip
    assert narrow["reasons"] == wide["reasons"] == {NO_SURFACE: 4}
    assert wide["parameters"] == sum(TOTALS.values()) + 30
    (isolation,) = result["isolation"]
    assert (isolation["width"], isolation["sampled"], isolation["wins_given_none"]) == (2, True, None)
    assert [(size["units"], size["trained"], size["there"]) for size in isolation["sizes"]] == [(1, 3, 2 * 2 * 70 * 70)]
    assert isolation["sizes"][0]["winning"]["of"] == 4 * 3
    # Glorot's spread, by the numbers that a kernel or matrix of either width reads and writes.
    assert isolation["rescaled"] == pytest.approx(
        {
            "conv1.weight": ((9 + 18) / (9 + 9)) ** 0.5,
            "conv2.weight": 2**0.5,
            "dense1.weight": 2**0.5,
            "dense2.weight": 2**0.5,
            "output.weight": ((8 + 10) / (4 + 10)) ** 0.5,
        }
    )
    (complement,) = result["complement"]
    won = narrow["successes"]
    assert 0 < won < 4
    assert (len(complement["winners"]["tickets"]), len(complement["losers"]["tickets"])) == (won, 4 - won)
    assert [one["networks"] for one in complement["winners"]["surrounded"]] == [2 * won] * 3
    first = result["escape"][0]
    assert (first["layer"], first["by"], first["from_width"], first["to_width"]) == (0, 1, 1, 2)
    assert (first["sources"], first["source_ending"], first["judged_by"]) == (4 - won, "failed", "success")
    assert first["controls"]["fresh_wide"]["of"] == 4  # the counted members of width 2
    assert first["controls"]["fresh_wide"]["count"] == wide["successes"]
    assert (first["critical"], first["reason"]) == (None, "no ending of theirs was certified")
    assert [entry["width"] for entry in result["transient"]] == [entry["from_width"] for entry in result["escape"]]
    assert [(entry["narrow"], entry["width"]) for entry in result["restarts"]] == [(1, 2)]
    files = {path.stem: load_file(path) for path in tmp_path.glob("escapedim-runs/widen-*/checkpoints/width-*")}
    assert {key: arrays["conv2.weight"].shape for key, arrays in files.items()} == {
        f"width-00000{width}-members-000000-000003": (4, width, width, 3, 3) for width in (1, 2)
    }


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [("0", (2, 3)), ("1", (2, 3)), ("2", (2, 3)), ("4", (8, 9))],
    ids=["all", "conv1", "conv2", "dense2"],
)
def test_members_of_a_train_run_are_widened_in_any_group_or_in_all(cli: Cli, tmp_path, finished, layer, sizes):
    source = finished / "train" / "summary.json"
    ended = cli("widen", "--from", str(source), "--layer", layer, "--transient", "5it", "--jobs", "1")
    assert ended.code == 0, ended.err
    document = valid(tmp_path / "widen.json")
    assert document["config"]["model"] == "conv-2:width=2"
    (entry,), (transient,) = (document["result"][name] for name in ("escape", "transient"))
    assert (entry["layer"], entry["from_width"], entry["to_width"]) == (int(layer), *sizes)
    assert (entry["sources"], entry["replicates"], entry["source_ending"]) == (3, [0, 1, 2], "failed")
    assert entry["loss_before"] == result_of(source)["train_loss"]
    assert entry["controls"]["fresh_narrow"]["of"] == entry["controls"]["fresh_wide"]["of"] == 3
    assert (transient["width"], transient["sources"], transient["steps"]) == (sizes[0], 3, 5)
    assert all(after < before for before, after in zip(entry["loss_before"], entry["loss_after"], strict=True))


REFUSED = {
    ("prune", "--model", "conv2"): "found 'conv2' (flag); did you mean 'conv-2'?",
    ("train", "--model", "conv-2:wdith=3"): "found wdith=3; did you mean 'width'?",
    ("prune", "--model", "conv-2:width=0"): "on digits: expected a width of at least 1, found 0; write conv-2:width=8.",
    ("train", "--model", "conv-2:width=1.5"): "expected an integer for 'width', found 1.5",
    ("train", "--model", "mlp:width=2"): "expected no parameters, found width=2; write 'mlp' alone.",
    ("prune", *CONV, "--hidden", "5"): "write conv-2:width=8, without hidden.",
    ("widen", *CONV, "--widths", "1:2"): "write model conv-2, without width.",
    (
        "train",
        "--task",
        "xor",
        *CONV,
    ): "expected a task whose samples are images, found rows of numbers; write --model mlp",
    ("widen", "--task", "xor", "--model", "conv-2", "--widths", "2"): "found rows of numbers; write --model mlp",
    ("train", "--task", "relu-teacher", "--model", "conv-2"): "model: the task relu-teacher fixes it at mlp",
    ("prune", "--task", "relu-teacher", "--model", "conv-2"): "model: the task relu-teacher fixes it at mlp",
    ("widen", "--task", "relu-teacher", "--model", "conv-2"): "model: the task relu-teacher fixes it at mlp",
    (
        "widen",
        "--model",
        "conv-2",
        "--widths",
        "2",
        "--lazy",
    ): "one hidden layer of a fully connected net; leave them out.",
    ("widen", "--model", "conv-2", "--widths", "2", "--layer", "5"): "expected a hidden layer from 1 to 4, found 5",
    ("widen", "--model", "conv-2", "--widths", "2", "--embedding", "null"): "write null:drawn=true or split.",
    (
        "widen",
        "--model",
        "conv-2",
        "--widths",
        "2",
        "--embedding",
        "zero-in",
    ): "'zero-in' on conv 1x8x8 2-2-pool-8-8-10 relu",
}


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_written(cli: Cli, tmp_path, command, dry):
    ended = cli(*command, "--replicates", "2", "--steps", "5it", "--jobs", "1", *dry)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert ended.err.startswith("escapedim: ")
    assert ended.err.count("\n") == 1
    assert REFUSED[command] in ended.err
    assert list(tmp_path.iterdir()) == []


def test_another_width_or_family_than_that_of_the_members_is_refused(cli: Cli, tmp_path, finished):
    for model in ("conv-2:width=3", "mlp"):
        ended = cli("widen", "--from", str(finished / "train" / "summary.json"), "--model", model, "--jobs", "1")
        assert (ended.code, ended.out) == (2, ""), ended.err
        assert ended.err.count("\n") == 1
        assert "conv-2:width=2" in ended.err
        assert list(tmp_path.iterdir()) == []


def test_every_command_that_compare_proposes_can_be_given(cli: Cli, tmp_path, finished):
    ended = cli("compare", str(finished / "prune" / "summary.json"), "--quiet")
    assert ended.code == 0, ended.err
    proposed = [row["command"] for row in result_of(tmp_path / "compare.json")["rows"]]
    assert sum("--model conv-2" in command for command in proposed) >= 6
    for command in set(proposed):
        ended = cli(*shlex.split(command)[1:], "--dry-run")
        assert ended.code == 0, (command, ended.err)
