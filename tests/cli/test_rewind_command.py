"""`escapedim rewind`, from a finished prune run to the summary and its report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load_file

from escapedim.cli import execution
from escapedim.cli.main import app, run
from escapedim.records import summary
from tests.cli.conftest import Cli, result_of
from tests.cli.test_train_command import signal_at_step

PRUNE = ("prune", "--hidden", "8,6", "--rounds", "3", "--steps", "40it", "--replicates", "3", "--jobs", "1")
COSINE = (*PRUNE, "--schedule", "cosine", "--rewind-to", "4it", "--arms", "ticket,random")
UNITS = ("prune", "--task", "relu-teacher:k=3", "--hidden", "5", "--granularity", "unit", "--rounds", "2",
         "--steps", "60it", "--replicates", "4", "--jobs", "1")  # fmt: skip
RUNS = {"plain": PRUNE, "cosine": COSINE, "units": UNITS, "train": ("train", *PRUNE[1:3], *PRUNE[5:])}
EVERYTHING = ("--to", "init,4it,50%", "--retrain", "weights,lr,finetune,reinit,shuffle", "--round", "1,3",
              "--weights-from", "end,2it", "--schedule-from", "10%,end", "--draws", "2", "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    for name, command in RUNS.items():
        out = folder / name / "summary.json"
        assert run(lambda command=command, out=out: app([*command, "--quiet", "--out", str(out)])) == 0
    return folder


@pytest.fixture
def source(finished: Path, tmp_path: Path) -> Path:
    """Copies that a test may damage."""
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_in_the_summary_and_in_the_report(cli: Cli, tmp_path, source):
    before = contents(source)
    ended = cli("rewind", "runs/plain/summary.json", *EVERYTHING)
    assert ended.code == 0, ended.err
    assert contents(source) == before
    document = json.loads((tmp_path / "rewind.json").read_text())
    jsonschema.validate(document, summary.json_schema())
    result = document["result"]
    named = {"weights", "lr", "finetune", "reinit", "shuffle"}
    cube = {"end at 10%", "end at end", "2it at 10%", "2it at end"}
    assert {entry["mode"] for entry in result["modes"]} == named | cube
    assert {entry["round"] for entry in result["modes"]} == {1, 3}
    assert {entry["to"] for entry in result["modes"] if entry["mode"] in named} == {0, 4, 20}
    kinds = ["masked", "original", "redraw", "scale:3", "scale:10", "frozen"]
    assert [entry["complement"] for entry in result["complements"]] == 2 * kinds
    assert all(set(entry["subnetworks"]) == {"ticket", "reinit", "random"} for entry in result["complements"])
    assert all(all(entry["invariants"].values()) for entry in (*result["modes"], *result["complements"]))
    for words in (
        "retraining reaches",
        "Complement: ",
        "Instability: ",
        "Invariants hold everywhere",
        "number for number",
    ):
        assert words in " ".join(ended.out.split())


@pytest.mark.parametrize("name", ["plain", "cosine", "units"])
def test_the_runs_own_tickets_come_out_again_number_for_number(cli: Cli, tmp_path, source, name):
    ended = cli("rewind", f"runs/{name}/summary.json", "--round", "1:2", "--jobs", "1", "--complement", "none")
    assert ended.code == 0, ended.err
    rounds = {entry["round"]: entry for entry in result_of(source / name / "summary.json")["rounds"]}
    result = result_of(tmp_path / "rewind.json")
    own = [entry for entry in result["modes"] if entry["mode"] == "weights" and entry["to"] == result["rewind_to"]]
    assert [entry["round"] for entry in own] == [1, 2]
    for entry in own:
        assert entry["equals_run"] is True
        assert entry["arm"] == rounds[entry["round"]]["arms"]["ticket"]
    if name == "plain":
        again = [entry for entry in result["modes"] if (entry["mode"], entry["to"]) == ("reinit", 0)]
        assert [entry["arm"] for entry in again] == [rounds[number]["arms"]["reinit"] for number in (1, 2)]


def test_arms_of_the_run_come_out_again_as_controls(cli: Cli, tmp_path, source):
    options = ("--retrain", "shuffle", "--complement", "masked", "--no-instability", "--round", "2", "--jobs", "1")
    assert cli("rewind", "runs/plain/summary.json", *options).code == 0
    arms = result_of(source / "plain" / "summary.json")["rounds"][2]["arms"]
    result = result_of(tmp_path / "rewind.json")
    (shuffle,) = [entry for entry in result["modes"] if entry["to"] == 0]
    assert shuffle["arm"] == arms["shuffle"]
    (masked,) = result["complements"]
    for kind in ("ticket", "reinit", "random"):
        assert masked["subnetworks"][kind]["whole_accuracy"] == arms[kind]["test_accuracy"]
        assert masked["subnetworks"][kind]["alone_accuracy"] == arms[kind]["test_accuracy"]
        assert masked["subnetworks"][kind]["distance"] == [0.0, 0.0, 0.0]


def test_under_a_schedule_fine_tuning_is_another_training(cli: Cli, tmp_path, source):
    options = ("--retrain", "lr,finetune", "--to", "4it,50%", "--complement", "none", "--no-instability", "--jobs", "1")
    assert cli("rewind", "runs/cosine/summary.json", *options).code == 0
    modes = result_of(tmp_path / "rewind.json")["modes"]
    assert all(entry["same_as"] is None for entry in modes)
    lr, finetune = ({entry["to"]: entry for entry in modes if entry["mode"] == name} for name in ("lr", "finetune"))
    assert lr.keys() == finetune.keys() == {4, 20}
    assert all(lr[step]["arm"] != finetune[step]["arm"] for step in lr)
    assert {entry["schedule_from"] for entry in finetune.values()} == {"end"}
    assert cli("rewind", "runs/plain/summary.json", *options).code == 0
    same = result_of(tmp_path / "rewind.json")["modes"]
    assert {entry["same_as"] for entry in same if entry["mode"] == "finetune"} == {"lr"}


def test_a_point_that_was_not_kept_is_replayed_exactly(cli: Cli, tmp_path, source):
    options = ("--to", "7it", "--round", "2", "--jobs", "1", "--complement", "original")
    refused = cli("rewind", "runs/plain/summary.json", *options)
    assert refused.code == 2
    assert "kept no weights at step 7, but at 0, 1, 2, 4, 8, 20, 40" in refused.err
    assert "--replay" in refused.err
    ended = cli("rewind", "runs/plain/summary.json", *options, "--replay")
    assert ended.code == 0, ended.err
    assert result_of(tmp_path / "rewind.json")["replay_exact"] is True
    assert cli(*PRUNE, "--keep", "7it", "--out", "kept/lottery.json").code == 0
    (replayed,) = tmp_path.glob("escapedim-runs/rewind-*/checkpoints/replay-*")
    rows = load_file(replayed)["step7"]
    for replicate, row in enumerate(rows):
        (kept,) = tmp_path.glob(f"kept/escapedim-runs/lottery-*/checkpoints/round-000-replicate-{replicate:04d}.*")
        arrays = load_file(kept)
        names = [f"layer{n}.{kind}" for n in (1, 2, 3) for kind in ("weight", "bias")]
        assert np.array_equal(row, np.concatenate([arrays[f"step7.{name}"].ravel() for name in names]))
    assert cli("rewind", "kept/lottery.json", *options, "--out", "kept/rewind.json").code == 0
    one, other = (result_of(tmp_path / name) for name in ("rewind.json", "kept/rewind.json"))
    assert one["modes"] == other["modes"]
    assert one["complements"] == other["complements"]


def test_a_run_that_is_stopped_ends_as_if_it_had_not_been(cli: Cli, tmp_path, source, monkeypatch):
    monkeypatch.setattr(execution, "render", lambda summary, console: None)
    command = ("rewind", "runs/plain/summary.json", "--jobs", "1", "--to", "init,7it", "--replay")
    assert cli(*command, "--out", "untouched/rewind.json").code == 0
    for step in (5, 60, 60):
        with monkeypatch.context() as patched:
            signal_at_step(patched, step)
            assert cli(*command).code == 143
    assert cli(*command).code == 0
    assert result_of(tmp_path / "rewind.json") == result_of(tmp_path / "untouched" / "rewind.json")


def test_processes_do_what_one_process_does(cli: Cli, tmp_path, source, monkeypatch):
    monkeypatch.setattr(execution, "render", lambda summary, console: None)
    for jobs in ("1", "2"):  # each in a folder of its own
        assert cli("rewind", "runs/plain/summary.json", "--jobs", jobs, "--out", f"{jobs}/rewind.json").code == 0
    assert result_of(tmp_path / "1/rewind.json") == result_of(tmp_path / "2/rewind.json")


def damaged(source: Path, change) -> None:
    path = source / "plain" / "summary.json"
    document = json.loads(path.read_text())
    del document["digest"]
    change(document)
    path.write_text(json.dumps(document))


def running(source: Path) -> None:
    damaged(source, lambda document: document.update(status="interrupted"))


def another_version(source: Path) -> None:
    damaged(source, lambda document: document["provenance"].update(version="0.0.9"))


def flipped(source: Path) -> None:
    path = sorted((source / "plain").rglob("round-002*.safetensors"))[0]
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def missing(source: Path) -> None:
    sorted((source / "plain").rglob("round-002*.safetensors"))[0].unlink()


def no_json(source: Path) -> None:
    (source / "plain" / "summary.json").write_text("[]")


def nothing(source: Path) -> None:
    pass


FROM = "runs/plain/summary.json"
REFUSED = {
    "a train run": (nothing, "runs/train/summary.json", (), "expected a lottery summary, found a train summary"),
    "interrupted": (running, FROM, (), "expected a finished run, found one that is interrupted"),
    "another version": (another_version, FROM, (), "was written by escapedim 0.0.9, this is"),
    "no summary": (no_json, FROM, (), "runs/plain/summary.json"),
    "no file": (nothing, "none.json", (), "cannot read none.json"),
    "flipped bit": (flipped, FROM, (), "truncated, damaged or edited"),
    "missing checkpoint": (missing, FROM, (), "round-002-replicate-0000.safetensors"),
    "a round that is not there": (nothing, FROM, ("--round", "2,7"), "round 7: the prune run has rounds 1 to 3"),
    "after the end": (nothing, FROM, ("--to", "41it"), "after the end of the run at 40"),
    "no shuffled masks": (nothing, "runs/cosine/summary.json", ("--retrain", "shuffle"), "--arms ticket,shuffle"),
    "another task": (nothing, FROM, ("--task", "xor"), "were trained on digits, found xor"),
    "another recipe": (nothing, FROM, ("-o", "lr=0.1"), "have 0.0012, found 0.1; leave it out"),
    "replicates": (nothing, FROM, ("-o", "replicates=9"), "have 3, found 9"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_rewound_is_refused_in_a_sentence_and_left_as_it_is(cli: Cli, tmp_path, source, case):
    damage, path, options, message = REFUSED[case]
    damage(source)
    before = contents(tmp_path)
    ended = cli("rewind", path, *options, "--jobs", "1")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert ended.err.startswith("escapedim: ")
    assert ended.err.count("\n") == 1
    assert message in ended.err
    assert contents(tmp_path) == before


def test_networks_that_diverged_are_results(cli: Cli, tmp_path):
    steep = ("--hidden", "8", "--rounds", "1", "--steps", "60it", "--replicates", "3", "--jobs", "1")
    assert cli("prune", *steep, "--optimizer", "sgd", "--lr", "1e3").code == 0
    ended = cli("rewind", "--jobs", "1")
    assert ended.code == 0, ended.err
    result = result_of(tmp_path / "rewind.json")
    assert any(None in entry["arm"]["test_accuracy"] for entry in result["modes"])
    assert any(None in line["barriers"] for line in result["instability"])
    for line in result["instability"]:
        known = [value for value in line["barriers"] if value is not None]
        assert line["mean"] == (pytest.approx(np.mean(known)) if known else None)


def test_the_originals_of_a_run_are_not_overwritten(cli: Cli, source):
    (original,) = (source / "plain").glob("escapedim-runs/*/lottery.json")
    before = original.read_bytes()
    ended = cli("rewind", FROM, "--jobs", "1", "--out", str(original))
    assert (ended.code, original.read_bytes()) == (2, before)
    assert "is inside a run folder" in ended.err
