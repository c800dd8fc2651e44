from __future__ import annotations

import json
import signal

import jsonschema
import pytest
from safetensors.numpy import load_file

from escapedim.cli import execution
from escapedim.records import summary
from escapedim.reporting.restarts import seconds_per_member
from tests.cli.conftest import Cli, result_of
from tests.cli.test_train_command import signal_at_step

TINY = ("--widths", "2,3", "--steps", "20it", "--replicates", "4", "--jobs", "1")


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    """Reports have tests of their own."""
    monkeypatch.setattr(execution, "render", lambda summary, console: None)


def without_files(result: dict) -> dict:
    return {**result, "checkpoints": {}}


def fresh_result(cli: Cli, tmp_path, *options: str) -> dict:
    ended = cli("widen", *options, "--out", "fresh/widen.json")
    assert ended.code == 0, ended.err
    return without_files(result_of(tmp_path / "fresh/widen.json"))


TASKS = {
    "digits": (),
    "xor": ("--steps", "100it"),
    "relu-teacher:k=3": ("--steps", "300it"),
    "erf-channel": ("--steps", "100it"),
}


@pytest.mark.parametrize("task", TASKS)
def test_the_summary_validates_against_the_schema(cli: Cli, tmp_path, task):
    ended = cli("widen", "--task", task, *TINY, *TASKS[task], "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    jsonschema.validate(document, summary.json_schema())
    assert document == json.loads((tmp_path / "widen.json").read_text())
    assert (document["kind"], document["status"]) == ("widen", "complete")
    widths = document["result"]["widths"]
    assert [(entry["width"], entry["members"]) for entry in widths] == [(2, 4), (3, 4)]
    for entry in widths:
        low, high = entry["success_interval"]
        assert low <= entry["success_rate"] <= high
        assert sum(entry["endings"].values()) == 4
    files = {path.name: load_file(path) for path in tmp_path.glob("escapedim-runs/widen-*/checkpoints/*")}
    assert {f"checkpoints/{name}" for name in files} == set(document["result"]["checkpoints"])
    counted = {name: arrays for name, arrays in files.items() if name.startswith("width-")}
    assert sorted(arrays["layer1.weight"].shape[:2] for arrays in counted.values()) == [(4, 2), (4, 3)]


@pytest.mark.parametrize("task", ["digits", "relu-teacher:k=3"])
def test_more_widths_and_replicates_give_what_a_fresh_run_gives(cli: Cli, tmp_path, task):
    options = ("--task", task, "--steps", "200it" if task != "digits" else "20it", "--jobs", "1")
    for widths, replicates in (("3", "2"), ("2:4", "2"), ("3", "5"), ("2:4,6", "5")):
        ended = cli("widen", *options, "--widths", widths, "--replicates", replicates)
        assert ended.code == 0, ended.err
    extended = without_files(result_of(tmp_path / "widen.json"))
    assert [entry["width"] for entry in extended["widths"]] == [2, 3, 4, 6]
    assert extended == fresh_result(cli, tmp_path, *options, "--widths", "2:4,6", "--replicates", "5")
    assert len(list(tmp_path.glob("escapedim-runs/widen-*"))) == 1


def test_the_same_command_again_finds_everything_done(cli: Cli, tmp_path):
    assert cli("widen", *TINY).code == 0
    before = result_of(tmp_path / "widen.json"), json.loads((tmp_path / "widen.json").read_text())["cost"]["net_steps"]
    assert cli("widen", *TINY).code == 0
    after = json.loads((tmp_path / "widen.json").read_text())
    assert (after["result"], after["cost"]["net_steps"]) == before
    # The counted members; 4 failed ones of each width, with and without a unit more; and as many fresh ones at 4.
    assert before[1] == (2 * 4 + 2 * 4 * 2 + 4) * 20


def test_the_time_of_every_stack_is_beside_a_result_that_does_not_depend_on_it(cli: Cli, tmp_path):
    for name in ("one", "other"):
        assert cli("widen", *TINY, "--out", f"{name}/widen.json").code == 0
    one, other = (summary.read(tmp_path / name / "widen.json") for name in ("one", "other"))
    assert one.result == other.result
    assert {f"checkpoints/{key}.safetensors" for key in one.cost.unit_s} == set(one.result.checkpoints)
    seconds = seconds_per_member(one)
    assert seconds.keys() == {2, 3}
    assert min(seconds.values()) > 0


CHANGED = {
    "more of both": ("2:4", "6", (2, 3, 4), 6),
    "other widths": ("5", "4", (2, 5), 4),
    "fewer replicates": ("2,3", "2", (2, 3), 4),
}


@pytest.mark.parametrize("case", CHANGED)
def test_an_interrupted_run_keeps_the_stacks_that_were_begun(cli: Cli, tmp_path, monkeypatch, case):
    widths, replicates, all_widths, most = CHANGED[case]
    options = ("--steps", "20it", "--jobs", "1")
    with monkeypatch.context() as patched:
        signal_at_step(patched, 10)
        assert cli("widen", *TINY).code == 143
    interrupted = json.loads((tmp_path / "widen.json").read_text())
    assert interrupted["status"] == "interrupted"
    (paused,) = tmp_path.glob("escapedim-runs/widen-*/checkpoints/*")
    assert paused.name.startswith("width-000002-members-000000-000003.paused")
    ended = cli("widen", *options, "--widths", widths, "--replicates", replicates)
    assert ended.code == 0, ended.err
    assert ("more than was asked for" in ended.err) == (case != "more of both")
    extended = without_files(result_of(tmp_path / "widen.json"))
    assert tuple(entry["width"] for entry in extended["widths"]) == all_widths
    asked = ",".join(map(str, all_widths))
    assert extended == fresh_result(cli, tmp_path, *options, "--widths", asked, "--replicates", str(most))
    assert not list(tmp_path.glob("escapedim-runs/widen-*/checkpoints/*paused*"))


def test_processes_do_what_one_process_does(cli: Cli, tmp_path):
    options = (*TINY[:4], "--replicates", "3", "--task", "relu-teacher:k=3")
    assert cli("widen", *options, "--jobs", "2").code == 0
    assert without_files(result_of(tmp_path / "widen.json")) == fresh_result(cli, tmp_path, *options, "--jobs", "1")


def test_switches_and_settings_reach_the_run(cli: Cli, tmp_path):
    options = ("--lazy", "--parametrization", "mup:base=4", "--success", "train_accuracy>=0.2", "--lr-per-width")
    ended = cli("widen", "--widths", "2", "--steps", "5it", "--replicates", "2", "--jobs", "1", *options)
    assert ended.code == 0, ended.err
    document = json.loads((tmp_path / "widen.json").read_text())
    jsonschema.validate(document, summary.json_schema())
    config, (entry,) = document["config"], document["result"]["widths"]
    assert (config["lazy"], config["parametrization"], config["lr_per_width"]) == (True, "mup:base=4", True)
    assert document["result"]["success_criterion"] == "train_accuracy >= 0.2"
    assert len(entry["lr_sweep"]) == 5
    assert entry["reasons"] == {"only a part of the parameters was trained": 2}
    assert document["cost"]["net_steps"] == (5 * 20 + 2) * 5


def test_lazy_and_trained_networks_begin_alike_and_end_apart(cli: Cli, tmp_path):
    final = {}
    for name, switch in {"trained": (), "lazy": ("--lazy",)}.items():
        assert cli("widen", *TINY, *switch, "--out", f"{name}/widen.json").code == 0
        (file,) = tmp_path.glob(f"{name}/escapedim-runs/widen-*/checkpoints/width-000003-*")
        final[name] = load_file(file)
    assert cli("train", "--hidden", "3", "--steps", "20it", "--replicates", "4", "--jobs", "1").code == 0
    (file,) = tmp_path.glob("escapedim-runs/train-*/checkpoints/*")
    trained = load_file(file)
    assert (final["lazy"]["layer1.weight"] == trained["step0.layer1.weight"]).all()
    assert (final["lazy"]["layer1.bias"] == 0).all()
    assert (final["lazy"]["layer2.weight"] != trained["step0.layer2.weight"]).any()
    assert (final["trained"]["layer1.weight"] == trained["step20.layer1.weight"]).all()


REFUSED = {
    ("--widths", "two"): "2:12,16,32",
    ("--widths", "2:5000"): "more than 1000",
    ("--parametrization", "mup:bass=4"): "did you mean 'base'?",
    ("-o", "widhts=3"): "did you mean 'widths'?",
    ("-o", "widths=[2, true]"): "not true or false",
    ("-o", "lazy=maybe"): "lazy",
    ("--task", "relu-teacher", "--lazy"): "outgoing weights are fixed",
    ("--task", "relu-teacher", "--success", "train_accuracy>=0.9"): "measures no 'train_accuracy'",
}


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_written(cli: Cli, tmp_path, options, dry):
    steps = () if "--steps" in options else ("--steps", "5it")
    widths = () if "widths" in " ".join(options) else ("--widths", "2,3")
    ended = cli("widen", *widths, *steps, "--replicates", "2", "--jobs", "1", *options, *dry)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("escapedim: ")
    assert ended.err.count("\n") == 1
    assert REFUSED[options] in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_the_task_fixes_may_be_repeated(cli: Cli):
    ended = cli("widen", *TINY, "--task", "relu-teacher:k=3", "--activation", "relu", "--batch-size", "full",
                "--optimizer", "gd", "--dry-run")  # fmt: skip
    assert ended.code == 0, ended.err


def test_a_dry_run_says_what_would_be_done(cli: Cli, tmp_path):
    ended = cli("widen", "--dry-run", "--json", "--widths", "2:4", "--replicates", "7", "--lr-per-width")
    plan = json.loads(ended.out)
    assert plan["config"]["widths"] == [2, 3, 4]
    assert plan["networks"] == 3 * (7 + 5 * 20)
    assert plan["net_steps"] == plan["networks"] * 1000
    assert plan["sources"]["widths"] == "flag"
    assert list(tmp_path.iterdir()) == []


def test_default_widths_come_from_the_task(cli: Cli):
    for task, widths in {"digits": [*range(2, 13), 14, 16, 24, 32, 48, 80], "relu-teacher:k=4": [4, 5, 6]}.items():
        plan = json.loads(cli("widen", "--task", task, "--dry-run", "--json").out)
        assert plan["config"]["widths"] == widths
        assert plan["sources"]["widths"].startswith("task ")
        assert plan["config"]["replicates"] == 100


def test_a_signal_handler_is_given_back(cli: Cli, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        signal_at_step(patched, 5)
        assert cli("widen", *TINY).code == 143
    assert signal.getsignal(signal.SIGTERM) is before
