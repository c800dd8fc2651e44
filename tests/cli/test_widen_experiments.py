"""The experiments beside width scaling, from the command line to the summary and its report."""

from __future__ import annotations

import itertools
import json
import signal
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import jsonschema
import pytest

from escapedim.cli.main import app, run
from escapedim.records import summary
from escapedim.widening.counted_members import WidthWork
from escapedim.widening.stack import StackWork
from tests.cli.conftest import Cli, result_of

STUDENTS = ("--task", "relu-teacher:k=3", "--widths", "3:4", "--steps", "200it", "--replicates", "8", "--jobs", "1")
DIGITS = ("--widths", "3:4", "--steps", "15it", "--replicates", "6", "--jobs", "1", "--success", "train_accuracy>=0.15")
EVERYTHING = ("--isolate", "2", "--complement", "3", "--restarts", "3", "--transient", "10%", "--step-halving")
RUNS = {"relu-teacher": (*STUDENTS, *EVERYTHING), "digits": (*DIGITS, *EVERYTHING)}
SECTIONS = ("isolation", "complement", "escape", "transient", "restarts", "step_halving")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Summaries of runs that nobody stopped, by name."""
    folder = tmp_path_factory.mktemp("untouched")
    for name, options in RUNS.items():
        command = ["widen", *options, "--quiet", "--out", str(folder / f"{name}.json")]
        assert run(lambda command=command: app(command)) == 0
    return {name: folder / f"{name}.json" for name in RUNS}


def without_files(result: dict) -> dict:
    return {**result, "checkpoints": {}}


@pytest.mark.parametrize("name", RUNS)
def test_every_experiment_is_in_the_summary_and_in_the_report(cli: Cli, untouched, name):
    ended = cli("report", str(untouched[name]))
    assert ended.code == 0, ended.err
    document = json.loads(untouched[name].read_text())
    jsonschema.validate(document, summary.json_schema())
    assert all(document["result"][section] for section in SECTIONS)
    for heading in ("Isolation: ", "Complement: ", "Escape: ", "Transient width: ", "Restarts: ", "Step halving: "):
        assert f"\n{heading}" in ended.out
    counted = [entry["members"] for entry in document["result"]["widths"]]
    assert [entry["members"] for entry in document["result"]["step_halving"]] == counted
    (complement,) = document["result"]["complement"]
    assert complement["winners"]["tickets"]
    assert complement["losers"]["tickets"]


PHASES = ("width", "isolation", "complement", "escape", "transient", "halved")


def signal_in(monkeypatch, phase: str) -> None:
    """Let SIGTERM come in a step of the stacks of a phase: the first one that has members stops."""

    def signalled(unit, context, *more, call):
        steps = itertools.count(1)

        def tick(members: int) -> bool:
            if unit.key.startswith(phase) and next(steps) == 4:
                signal.raise_signal(signal.SIGTERM)
            return context.tick(members)

        return call(unit, replace(context, tick=tick), *more)

    for kind in (WidthWork, StackWork):
        monkeypatch.setattr(kind, "__call__", partialmethod(signalled, call=kind.__call__))


def test_a_run_that_is_stopped_in_every_phase_ends_as_if_it_had_not_been(cli: Cli, tmp_path, monkeypatch, untouched):
    for phase in PHASES:
        with monkeypatch.context() as patched:
            signal_in(patched, phase)
            assert cli("widen", *RUNS["digits"]).code == 143, phase
        (paused,) = tmp_path.glob("escapedim-runs/widen-*/checkpoints/*paused*")
        assert paused.name.startswith(phase)
        assert json.loads((tmp_path / "widen.json").read_text())["status"] == "interrupted"
    assert cli("widen", *RUNS["digits"], "--quiet").code == 0
    assert result_of(tmp_path / "widen.json") == result_of(untouched["digits"])


def test_more_replicates_continue_to_what_a_fresh_run_gives(cli: Cli, tmp_path, untouched):
    for replicates in ("5", "8"):
        ended = cli("widen", *RUNS["relu-teacher"], "--replicates", replicates, "--quiet")
        assert ended.code == 0, ended.err
    assert without_files(result_of(tmp_path / "widen.json")) == without_files(result_of(untouched["relu-teacher"]))


def test_more_widths_continue_to_what_a_fresh_run_gives(cli: Cli, tmp_path):
    """With a larger width the fresh wide controls become its counted members."""
    command = ("widen", *DIGITS, "--isolate", "2", "--transient", "10%", "--step-halving", "--quiet")
    for widths in ("3", "3:4"):
        ended = cli(*command, "--widths", widths)
        assert ended.code == 0, ended.err
    extended = without_files(result_of(tmp_path / "widen.json"))
    assert cli(*command, "--widths", "3:4", "--out", "fresh/widen.json").code == 0
    assert extended == without_files(result_of(tmp_path / "fresh" / "widen.json"))
    assert extended["escape"][0]["controls"]["fresh_wide"]["of"] == 6


def test_other_embeddings_by_several_units(cli: Cli, tmp_path):
    options = ("--task", "xor", "--widths", "2", "--steps", "20it", "--replicates", "4", "--jobs", "1", "--quiet")
    for embedding in ("split:alpha=0.3", "null:drawn=true", "zero-in"):
        ended = cli("widen", *options, "--embedding", embedding, "--by", "2", "--out", "x.json", "--force")
        assert ended.code == 0, ended.err
        (entry,) = result_of(tmp_path / "x.json")["escape"]
        assert (entry["by"], entry["to_width"], entry["embedding"]) == (2, 4, embedding.split(":")[0])
        assert entry["alpha"] == (0.3 if "alpha" in embedding else None)


LEFT_OUT = {
    ("--widths", "3:4"): {"isolate": [], "complement": None, "restarts": None, "at": []},
    ("--widths", "3:4", "--isolate", "3"): {"isolate": [3], "complement": None, "restarts": None, "at": []},
    ("--widths", "3:4", "--complement", "3"): {"isolate": [], "complement": 3, "restarts": None, "at": []},
    ("--widths", "7:9"): {"isolate": [7], "complement": 7, "restarts": 7, "at": [8]},
    ("--widths", "6,9"): {"isolate": [7], "complement": None, "restarts": None, "at": []},
    ("--isolate", "9"): {"isolate": [9], "complement": 7, "restarts": 7, "at": []},
    ("--isolate", "6"): {"isolate": [6], "complement": 7, "restarts": 7, "at": [8]},
    ("--lr-per-width",): {"isolate": [], "complement": None, "restarts": None, "at": [], "escape": False},
}


@pytest.mark.parametrize("options", LEFT_OUT, ids=" ".join)
def test_what_a_task_measures_by_itself_gives_way_to_what_was_asked_for(cli: Cli, options):
    ended = cli("widen", *options, "--dry-run", "--json")
    assert ended.code == 0, ended.err
    config = json.loads(ended.out)["config"]
    assert {name: config[name] for name in LEFT_OUT[options]} == LEFT_OUT[options]


REFUSED = {
    ("--isolate", "3"): "isolate needs a width above 3, found widths up to 3",
    ("--isolate", "2", "--subsets", "0"): "subsets: expected a whole number from 1 to 100000",
    ("--complement", "3"): "complement needs a width above 3",
    ("--complement", "1"): "complement starts from members of width 1, which is not among the widths",
    ("--restarts", "5"): "restarts needs a width above 5",
    ("--restarts", "1"): "restarts starts from members of width 1",
    ("--isolate", "2", "--at", "7"): "at names the width 7, which is not among the widths",
    ("--isolate", "2", "--at", "2"): "about fewer units than a network has",
    ("--by", "0"): "by: expected a whole number from 1 to 1000 (units that are added to a failed member), found 0",
    ("--layer", "2"): "expected hidden layer 1, found 2",
    ("--layer", "-1"): "layer: expected a number of at least 0",
    ("--perturbation", "noise:size=0"): "above 0 and at most 1",
    ("--perturbation", "shake"): "expected one of noise, direction, found 'shake'",
    ("--transient", "21it"): "expected from 1 to 20 steps, a whole run, found 21it",
    ("--transient", "0it"): "at least one step",
    ("--transient", "5it", "--embedding", "zero-in"): "use embedding split",
    ("--lazy", "--escape"): "leave out lazy or escape",
    ("--task", "relu-teacher:k=2", "--embedding", "zero-in"): "expected outgoing weights that are free",
}


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_written(cli: Cli, tmp_path, options, dry):
    ended = cli("widen", "--widths", "2,3", "--steps", "20it", "--replicates", "2", "--jobs", "1", *options, *dry)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("escapedim: ")
    assert ended.err.count("\n") == 1
    assert REFUSED[options] in ended.err
    assert list(tmp_path.iterdir()) == []
