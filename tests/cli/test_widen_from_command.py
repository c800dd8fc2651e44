"""`escapedim widen --from`: failed members of a finished run, and summaries from which none can be had."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from escapedim.cli.main import app, run
from escapedim.records import summary
from tests.cli.conftest import Cli, result_of
from tests.cli.test_train_command import signal_at_step

TASK = ("--task", "relu-teacher:k=3", "--jobs", "1")
TRAIN = ("train", *TASK, "--hidden", "2", "--replicates", "5")
WIDEN = ("widen", *TASK, "--widths", "2,3", "--replicates", "5", "--no-escape")
DEEP = ("train", "--hidden", "4,3", "--steps", "15it", "--replicates", "3", "--jobs", "1")
PRUNE = ("prune", "--hidden", "4", "--rounds", "1", "--steps", "5it", "--replicates", "1", "--jobs", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs, a folder each."""
    folder = tmp_path_factory.mktemp("finished")
    for name, command in {"train": TRAIN, "widen": WIDEN, "deep": DEEP, "prune": PRUNE}.items():
        out = folder / name / "summary.json"
        assert run(lambda command=command, out=out: app([*command, "--quiet", "--out", str(out)])) == 0
    return folder


@pytest.fixture
def source(finished: Path, tmp_path: Path) -> Path:
    """Copies of them that a test may damage."""
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["train", "widen"])
def test_failed_members_are_widened_and_the_source_is_left_alone(cli: Cli, tmp_path, source, name):
    before = contents(source)
    ended = cli("widen", "--from", f"runs/{name}/summary.json", "--by", "1", "--embedding", "split", "--jobs", "1")
    assert ended.code == 0, ended.err
    document = json.loads((tmp_path / "widen.json").read_text())
    jsonschema.validate(document, summary.json_schema())
    assert contents(source) == before
    result = document["result"]
    assert result["widths"] == []
    narrow = [entry for entry in result["escape"] if entry["from_width"] == 2]
    assert sum(entry["sources"] for entry in narrow) == 5  # a student with two units never learns three
    for entry in narrow:
        assert entry["source_ending"] == "bad minimum"
        assert (entry["judged_by"], entry["to_width"], entry["critical"]) == ("ending", 3, True)
        assert entry["negative_directions"]["min"] >= 1
        assert entry["controls"]["noise_only"]["count"] == 0
        assert entry["controls"]["fresh_narrow"]["of"] == 5
        assert entry["controls"]["fresh_wide"]["of"] == 5
    assert "escape dimensions more than it and a fresh narrow draw" in " ".join(ended.out.split())


def test_by_several_units_and_another_hidden_layer(cli: Cli, tmp_path, source):
    options = ("--success", "train_accuracy>=1", "--by", "2", "--layer", "2", "--transient", "5it", "--jobs", "1")
    ended = cli("widen", "--from", "runs/deep/summary.json", *options)
    assert ended.code == 0, ended.err
    result = result_of(tmp_path / "widen.json")
    (entry,), (transient,) = result["escape"], result["transient"]
    assert (entry["layer"], entry["from_width"], entry["to_width"], entry["by"]) == (2, 3, 5, 2)
    assert (entry["sources"], entry["source_ending"], entry["judged_by"]) == (3, "failed", "success")
    assert (transient["width"], transient["by"], transient["steps"]) == (3, 2, 5)


def test_it_continues_however_often_it_is_stopped_and_finds_everything_done(cli: Cli, tmp_path, source, monkeypatch):
    options = ("--success", "train_accuracy>=1", "--transient", "5it", "--jobs", "1")
    command = ("widen", "--from", "runs/deep/summary.json", *options)
    assert cli(*command, "--out", "untouched.json").code == 0
    codes, paused = [143], set()
    while codes[-1] == 143 and len(codes) < 30:
        codes.append(stopped_at_step(monkeypatch, 20, cli, *command, "--out", "x/widen.json"))
        paused |= {path.name.split("-")[0] for path in tmp_path.glob("x/escapedim-runs/*/checkpoints/*paused*")}
    assert (codes[-1], paused) == (0, {"escape", "transient"})
    assert result_of(tmp_path / "x/widen.json") == result_of(tmp_path / "untouched.json")
    steps = json.loads((tmp_path / "x/widen.json").read_text())["cost"]["net_steps"]
    assert cli(*command, "--out", "x/widen.json").code == 0
    assert json.loads((tmp_path / "x/widen.json").read_text())["cost"]["net_steps"] == steps


def stopped_at_step(monkeypatch: pytest.MonkeyPatch, step: int, cli: Cli, *command: str) -> int:
    with monkeypatch.context() as patched:
        signal_at_step(patched, step)
        return cli(*command).code


def test_with_no_failed_member_there_is_nothing_to_widen(cli: Cli, source):
    ended = cli("widen", "--from", "runs/deep/summary.json", "--success", "train_accuracy>=0", "--jobs", "1")
    assert ended.code == 0, ended.err
    assert "There was no failed member to embed" in ended.out


def test_what_widen_from_wrote_names_no_members_to_widen(cli: Cli, tmp_path, source):
    options = ("--success", "train_accuracy>=1", "--jobs", "1")
    command = ("widen", "--from", "runs/deep/summary.json", *options)
    assert cli(*command).code == 0
    ended = cli("widen", "--from", "widen.json", *options, "--out", "again.json")
    assert (ended.code, ended.out) == (2, "")
    assert "found those of widen --from; name the run that they came from" in ended.err
    assert not (tmp_path / "again.json").exists()


def test_another_number_of_further_steps_starts_from_the_same_members(cli: Cli, tmp_path, source):
    losses = []
    for steps in ("15it", "5it"):
        options = ("--success", "train_accuracy>=1", "--steps", steps, "--jobs", "1", "--out", f"{steps}/widen.json")
        ended = cli("widen", "--from", "runs/deep/summary.json", *options)
        assert ended.code == 0, ended.err
        (entry,) = result_of(tmp_path / steps / "widen.json")["escape"]
        losses.append((entry["loss_before"], entry["loss_after"]))
    assert losses[0][0] == losses[1][0] == result_of(source / "deep" / "summary.json")["train_loss"]
    assert losses[0][1] != losses[1][1]


def checkpoint_of(source: Path, name: str) -> Path:
    return next(iter(sorted((source / name).rglob("*.safetensors"))))


def truncated(source: Path, name: str = "train") -> None:
    path = checkpoint_of(source, name)
    path.write_bytes(path.read_bytes()[:-9])


def missing(source: Path) -> None:
    checkpoint_of(source, "train").unlink()


def running(source: Path) -> None:
    path = source / "train" / "summary.json"
    document = json.loads(path.read_text())
    del document["digest"]
    path.write_text(json.dumps({**document, "status": "running"}))


def another_version(source: Path) -> None:
    path = source / "train" / "summary.json"
    document = json.loads(path.read_text())
    del document["digest"]
    document["provenance"]["version"] = "0.0.9"
    path.write_text(json.dumps(document))


def no_json(source: Path) -> None:
    (source / "train" / "summary.json").write_text("{]")


def nothing(source: Path) -> None:
    pass


FROM = "runs/train/summary.json"
REFUSED = {
    "truncated checkpoint": (truncated, FROM, (), "truncated, damaged or edited"),
    "missing checkpoint": (missing, FROM, (), "replicates-000000-000004.safetensors is missing; repeat the command"),
    "running": (running, FROM, (), "expected a finished run, found one that is running"),
    "another version": (another_version, FROM, (), "was written by escapedim 0.0.9, this is"),
    "no JSON": (no_json, FROM, (), "not a complete JSON file"),
    "no file": (nothing, "none.json", (), "cannot read none.json"),
    "a prune run": (nothing, "runs/prune/summary.json", (), "expected a train or widen summary, found a lottery"),
    "another task": (nothing, FROM, ("--task", "relu-teacher:k=4"), "were trained on relu-teacher:k=3"),
    "widths of a train run": (nothing, FROM, ("--widths", "4"), "has no members of width 4"),
    "widths that are not there": (nothing, "runs/widen/summary.json", ("--widths", "9"), "no members of width 9"),
    "another activation": (nothing, "runs/deep/summary.json", ("--activation", "tanh"), "have relu, found tanh"),
    "a layer that is not there": (nothing, "runs/deep/summary.json", ("--layer", "3"), "from 1 to 2, found 3"),
    "all layers of a deep mlp": (
        nothing,
        "runs/deep/summary.json",
        ("--layer", "0"),
        "and model mlp is none; found model mlp",
    ),
    "isolation": (nothing, FROM, ("--isolate", "1"), "'isolate' is a setting of widen, this is widen --from"),
    "replicates": (nothing, FROM, ("--replicates", "50"), "have 5, found 50"),
    "other hidden widths": (nothing, FROM, ("-o", "hidden=3"), "have (2,), found (3,); leave it out"),
    "a source of another name": (nothing, FROM, ("-o", "source=abc"), "found abc; leave it out"),
    "its own place": (nothing, FROM, ("--out", FROM), "is the summary that this run starts from"),
    "a step too long": (nothing, FROM, ("--transient", "200%"), "transient: expected from 1 to 200,000 steps"),
    "truncated checkpoint of a widen run": (
        lambda source: truncated(source, "widen"),
        "runs/widen/summary.json",
        (),
        "truncated, damaged or edited",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_widened_is_refused_in_a_sentence_and_left_as_it_is(cli: Cli, tmp_path, source, case):
    damage, path, options, message = REFUSED[case]
    damage(source)
    before = contents(tmp_path)
    ended = cli("widen", "--from", path, *options, "--jobs", "1")
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert ended.err.startswith("escapedim: ")
    assert ended.err.count("\n") == 1
    assert message in ended.err
    assert contents(tmp_path) == before
