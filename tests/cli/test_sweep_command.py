"""`escapedim sweep` with real commands: from a plan to its collected results, through kills and in shards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from escapedim.cli.main import app, compare, run
from escapedim.cli.plan_checking import ComparePlan, check, recipes
from escapedim.sweeping.runs import expand
from escapedim.sweeping.sweep_plan import read
from escapedim.training.estimate import Estimate
from tests.cli.conftest import Cli, result_of
from tests.cli.test_interruption import wait_for
from tests.forked import fork_runs

SWEEPS = sorted((Path(__file__).parents[2] / "sweeps").glob("*.yaml"))
PLAN = {
    "name": "tiny",
    "command": "prune",
    "base": {"hidden": 4, "rounds": 1, "replicates": 2, "steps": "20it", "arms": "ticket,random"},
    "seeds": 1,
    "then": [
        {"command": "rewind", "base": {"retrain": "weights", "complement": "none", "to": "init", "round": 1}},
        {"command": "widen", "base": {"widths": "7:8", "replicates": 4, "steps": "20it"}},
        {"command": "compare"},
    ],
}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(PLAN))
    return path


def collected(folder: Path) -> dict:
    return json.loads((folder / "collected.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plan ran to its end, with what it printed; its runs are forked."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(PLAN))
    with pytest.MonkeyPatch.context() as patched, (folder / "printed.txt").open("w") as printed:
        fork_runs(patched)
        patched.chdir(folder)
        with redirect_stdout(printed):
            assert run(lambda: app(["sweep", "tiny.yaml", "--jobs", "1"])) == 0
    return folder


@pytest.fixture
def whole(finished: Path) -> dict:
    """What the plan finds when nothing happens to it."""
    return collected(finished / "sweep-tiny")


def test_a_plan_runs_to_its_comparison_and_the_same_command_finds_it_done(cli: Cli, monkeypatch, finished, whole):
    monkeypatch.chdir(finished)
    assert "Of 4 directional rows" in " ".join((finished / "printed.txt").read_text().split())
    assert [one["command"] for one in whole["runs"]] == ["prune", "rewind", "widen", "compare"]
    assert whole["missing"] == []
    again = cli("sweep", "tiny.yaml")
    assert again.code == 0
    assert "4 runs: 4 complete" in again.err
    assert "of 4: " not in again.err
    assert "4 runs: 4 complete" in cli("sweep", "tiny.yaml", "--status").out


def test_a_sweep_that_is_killed_goes_on_to_the_same_numbers(tmp_path, plan, whole):
    """Here the runs are processes of their own, as in tests/test_children.py; the other tests fork them."""
    plan.write_text(yaml.safe_dump({**PLAN, "then": PLAN["then"][:1]}))
    command = [sys.executable, "-m", "escapedim", "sweep", "tiny.yaml", "--jobs", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: list(tmp_path.glob("sweep-tiny/runs/*/escapedim-runs/*/checkpoints/*")))
        process.send_signal(signal.SIGKILL)
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "sweep-tiny" / "collected.json").exists() and time.monotonic() < deadline:
        time.sleep(1)  # what a killed sweep had started may still hold its run
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert collected(tmp_path / "sweep-tiny")["runs"] == whole["runs"][:2]


def test_a_signal_stops_a_sweep_and_its_runs(tmp_path, plan):
    command = [sys.executable, "-m", "escapedim", "sweep", "tiny.yaml", "--jobs", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: list(tmp_path.glob("sweep-tiny/runs/*/log.txt")))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert "the same command continues" in process.stderr.read()


@pytest.mark.long
def test_shards_and_stages_add_up_to_the_whole(cli: Cli, tmp_path, plan, whole):
    for stage in range(4):
        for shard in ("0/2", "1/2"):
            arguments = ("--shard", shard, "--stage", str(stage), "--jobs", "1")
            assert cli("sweep", "tiny.yaml", *arguments).code == 0
    assert cli("sweep", "tiny.yaml", "--collect").code == 0
    assert collected(tmp_path / "sweep-tiny") == whole


def test_a_dry_run_lists_runs_and_makes_nothing(cli: Cli, tmp_path, plan, estimated_here):
    found = json.loads(cli("sweep", "tiny.yaml", "--dry-run", "--json").out)
    assert [run["stage"] for run in found["runs"]] == [0, 1, 2, 3]
    networks = [run["networks"] for run in found["runs"]]
    assert networks[:2] == [6, 8]
    assert networks[3] == 0
    assert found["networks"] == sum(networks)
    assert found["estimated_wall_s"] > max(run["estimated_wall_s"] for run in found["runs"])
    assert found["estimated_memory_mb"] == max(run["estimated_memory_mb"] for run in found["runs"])
    status = json.loads(cli("sweep", "tiny.yaml", "--status", "--json").out)
    assert status["counts"] == {"missing": 4}


def test_a_dry_run_has_the_command_line_of_every_shard(cli: Cli, tmp_path, plan, monkeypatch):
    monkeypatch.setattr("escapedim.cli.costing._answers", lambda asked: [vars(Estimate(1, 1, 1.0, 1.0)) for _ in asked])
    plan.write_text(yaml.safe_dump({**PLAN, "seeds": 3, "then": PLAN["then"][1:]}))
    shown = cli("sweep", "tiny.yaml", "--dry-run", "--shards", "2", "--jobs", "1").out
    lines = [line[line.index("escapedim sweep") :] for line in shown.splitlines() if "escapedim sweep" in line]
    assert lines == [
        "escapedim sweep tiny.yaml --stage 0 --shard 0/2 --jobs 1",
        "escapedim sweep tiny.yaml --stage 0 --shard 1/2 --jobs 1",
        "escapedim sweep tiny.yaml --stage 1 --shard 0/2 --jobs 1",
        "escapedim sweep tiny.yaml --stage 2 --shard 0/2 --jobs 1",
    ]
    found = json.loads(cli("sweep", "tiny.yaml", "--dry-run", "--shards", "2", "--json").out)
    assert [shard["missing"] for shard in found["shards"]] == [2, 1, 1, 1]
    own = cli("sweep", "tiny.yaml", "--dry-run", "--shard", "1/2", "--jobs", "1", "--out", "my runs").out
    assert "1 run: 1 missing; in my runs." in own
    assert "Command line: escapedim sweep tiny.yaml --out 'my runs' --shard 1/2 --jobs 1" in own


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--shards", "2"), "add it, or run one shard"), (("--dry-run", "--shards", "2", "--shard", "0/2"), "leave one")],
)
def test_command_lines_of_shards_are_for_dry_runs(cli: Cli, plan, options, words):
    ended = cli("sweep", "tiny.yaml", *options)
    assert ended.code == 2
    assert words in ended.err


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_screen_and_command_lines_can_be_copied(cli: Cli, tmp_path, plan, monkeypatch, width):
    monkeypatch.setattr("escapedim.cli.costing._answers", lambda asked: [vars(Estimate(1, 1, 1.0, 1.0)) for _ in asked])
    monkeypatch.setenv("COLUMNS", str(width))
    run = expand(read(plan))[0]
    folder = run.folder(tmp_path / "sweep-tiny")
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text('{"code": 2}')
    (folder / "log.txt").write_text(f"\n# now: escapedim prune\nescapedim: {'a long sentence ' * 20}\n")
    name = "a-plan-of-a-name-that-is-so-long-that-no-command-line-fits-on-a-screen-of-eighty-columns.yaml"
    plan.rename(tmp_path / name)
    shown = [cli("sweep", name, *options).out for options in (("--status",), ("--dry-run",))]
    shards = cli("sweep", name, "--dry-run", "--shards", "2", "--jobs", "1").out
    assert all(len(line) <= width for text in shown for line in text.splitlines() if "Command line" not in line)
    assert f"  escapedim sweep {name} --stage 0 --shard 0/2 --jobs 1" in shards.splitlines()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--submit --dry-run", "--submit has no effect beside --dry-run"),
        ("--status --collect", "--collect has no effect beside --status"),
        ("--status --limit 3", "--limit has no effect beside --status"),
        ("--collect --shard 0/2", "--shard has no effect beside --collect"),
        ("--dry-run --no-retry", "--no-retry has no effect beside --dry-run"),
        ("--slurm --stage 0", "--stage has no effect beside --slurm"),
        ("--slurm --jobs 2", "--jobs has no effect beside --slurm"),
        ("--json", "--json has no effect when a plan is run"),
        ("--cpus 2", "--cpus has no effect when a plan is run"),
        ("--slurm --sbatch array=3", "--sbatch array: array is set by the sweep itself; leave it out"),
        ("--slurm --sbatch gres=gpu\n", "expected an option of sbatch without dashes, spaces and quotes"),
        ("--slurm --partition main\ntouch", "--partition: expected a name without spaces"),
    ],
)
def test_options_without_effect_are_refused(cli: Cli, tmp_path, plan, options, words):
    ended = cli("sweep", "tiny.yaml", *options.split(" "))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert words in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


SQUEUE = """#!/bin/bash
echo "$@" >> {folder}/squeue.txt
cat {folder}/queued.txt
"""


def test_a_plan_may_be_edited_while_jobs_wait_and_is_not_submitted_twice(tmp_path, plan):
    """With an sbatch that counts, and a squeue that says what a file says."""
    (tmp_path / "sbatch").write_text(f"#!/bin/bash\necho x >> {tmp_path}/n.txt\nwc -l < {tmp_path}/n.txt\n")
    (tmp_path / "squeue").write_text(SQUEUE.format(folder=tmp_path))
    (tmp_path / "scontrol").write_text("#!/bin/bash\necho 'MaxArraySize = 1001'\necho 'MaxJobCount = 100'\n")
    for name in ("sbatch", "squeue", "scontrol"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "queued.txt").write_text("")

    def submit() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "escapedim", "sweep", "tiny.yaml", "--submit"]
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    text = plan.read_bytes()
    first = submit()
    assert [line.split()[0] for line in first.stdout.splitlines()] == list("12345"), first.stderr
    plan.write_text("name: another\ncommand: train\n")
    slurm = tmp_path / "sweep-tiny" / "slurm"
    (copy,) = slurm.glob("plan-*.yaml")
    assert copy.read_bytes() == text
    assert f"sweep {copy} --out {tmp_path}/sweep-tiny --stage 0" in (slurm / "0-prune.sbatch").read_text()
    plan.write_bytes(text)
    (tmp_path / "queued.txt").write_text("2\n2\n5\n77\n")
    again = submit()
    assert (again.returncode, again.stdout) == (2, "")
    assert "still queued or running (2, 5); wait for them, or cancel them ('scancel 2 5')" in again.stderr
    assert "--jobs=1,2,3,4,5" in (tmp_path / "squeue.txt").read_text()
    (tmp_path / "queued.txt").write_text("")
    assert submit().stdout.startswith("6 ")


def test_a_path_that_a_batch_script_cannot_hold_is_refused(cli: Cli, tmp_path, plan):
    for name in ("back\\slash", "new\nline"):
        ended = cli("sweep", "tiny.yaml", "--slurm", "--out", name)
        assert (ended.code, ended.out) == (2, "")
        assert "a batch script cannot hold" in ended.err


def test_what_waits_for_others_says_for_what(cli: Cli, tmp_path, plan):
    ended = cli("sweep", "tiny.yaml", "--stage", "1")
    assert ended.code == 0
    assert "what is missing needs prune-" in ended.err
    assert "which is missing; repeat the command when it is complete" in ended.err
    run = expand(read(plan))[0]
    folder = run.folder(tmp_path / "sweep-tiny")
    folder.mkdir(parents=True)
    (folder / "failed.json").write_text('{"code": 1}')
    ended = cli("sweep", "tiny.yaml", "--stage", "1")
    assert ended.code == 1
    assert f"needs {run.name}, which is failed; see escapedim sweep" in ended.err


def test_a_folder_that_cannot_be_is_one_sentence(cli: Cli, tmp_path, plan):
    (tmp_path / "file").write_text("")
    ended = cli("sweep", "tiny.yaml", "--out", "file")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "choose another --out" in ended.err


def test_a_damaged_checkpoint_of_a_complete_source_is_mended_by_the_next_sweep(cli: Cli, tmp_path, forked_runs):
    plan = {**PLAN, "then": PLAN["then"][:1]}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(plan))
    assert cli("sweep", "tiny.yaml", "--stage", "0").code == 0
    prune, rewind = expand(read(tmp_path / "tiny.yaml"))
    out = tmp_path / "sweep-tiny"
    before = result_of(prune.summary(out))
    checkpoint = min(prune.folder(out).glob("escapedim-runs/*/checkpoints/round-001*"))
    raw = bytearray(checkpoint.read_bytes())
    raw[-1] ^= 1
    checkpoint.write_bytes(raw)
    ended = cli("sweep", "tiny.yaml")
    assert ended.code == 1
    assert f"The next sweep does so for {prune.name}." in ended.err
    assert cli("sweep", "tiny.yaml").code == 0
    assert result_of(prune.summary(out)) == before
    assert (rewind.folder(out) / "done.json").exists()


def test_comparisons_are_numbered_as_in_the_plan_and_old_ones_removed(cli: Cli, tmp_path, forked_runs):
    """Two recipes, of which one is done first; and what a plan of one comparison had left."""
    base = {"task": "xor", "widths": "2:3", "replicates": 4, "steps": "20it", "escape": False}
    plan = {"name": "two", "command": "widen", "base": base, "then": [{"command": "compare"}]}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(plan))
    assert cli("sweep", "two.yaml").code == 0
    assert [path.name for path in (tmp_path / "sweep-two").glob("compare*.json")] == ["compare.json"]
    (tmp_path / "two.yaml").write_text(yaml.safe_dump({**plan, "grid": {"lr": [0.5, 0.25]}}))
    assert cli("sweep", "two.yaml", "--shard", "1/2").code == 0
    assert cli("sweep", "two.yaml", "--collect").code == 0
    assert [path.name for path in (tmp_path / "sweep-two").glob("compare*.json")] == ["compare-2.json"]
    second = (tmp_path / "sweep-two" / "compare-2.json").read_bytes()
    assert cli("sweep", "two.yaml").code == 0
    assert (tmp_path / "sweep-two" / "compare-2.json").read_bytes() == second
    assert (tmp_path / "sweep-two" / "compare-1.json").exists()


def test_a_run_that_fails_is_named_with_the_end_of_its_log(cli: Cli, tmp_path, plan, forked_runs):
    run = expand(read(plan))[0]
    run.folder(tmp_path / "sweep-tiny").mkdir(parents=True)
    run.summary(tmp_path / "sweep-tiny").write_text("mine")  # which prune does not overwrite
    ended = cli("sweep", "tiny.yaml", "--stage", "0", "--jobs", "1")
    assert ended.code == 1
    assert f"{run.name} failed: exit code 2: --out" in ended.err
    assert "is not a complete escapedim summary" in ended.err
    status = cli("sweep", "tiny.yaml", "--status").out
    assert "1 failed, 3 missing" in status
    assert "is not a complete escapedim summary" in " ".join(status.split())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": {"roundz": 3}}, ["base.roundz: unknown key 'roundz'; did you mean"]),
        ({"base": {"rounds": 0}}, ["base.rounds: expected a whole number from 1 to 1000"]),
        ({"base": {"jobs": 2}}, ["base.jobs: is set by the sweep; leave it out"]),
        ({"base": {"task": "digitz"}}, ["base.task: 'digitz': expected the name of a task", "did you mean 'digits'"]),
        ({"grid": {"lr": [0.1, -1]}}, ["grid.lr.1: expected a number above 0"]),
        ({"zip": {"lr": [-1, 0.1], "dtype": ["float32", "float64"]}}, ["zip.lr.0: expected a number above 0"]),
        ({"list": [{}, {"steps": "x"}]}, ["list.1.steps: "]),
        (
            {"base": {"roundz": 3, "foo": 1, "steps": "x", "replicates": 0}},
            ["base.roundz: unknown", "base.foo: unknown", "base.steps: ", "base.replicates: expected"],
        ),
        ({"grid": {"fraction": [0.2, "0.2"]}}, ["grid.fraction.1: '0.2' makes the same run as 0.2; leave one out"]),
        ({"then": [{"command": "rewind", "base": {"retrian": "lr"}}]}, ["then.0.base.retrian: unknown key 'retrian'"]),
        (
            {"then": [{"command": "rewind", "base": {"retrain": "x"}}]},
            ["then.0.base.retrain: expected some of"],
        ),
        (
            {"then": [{"command": "rewind", "base": {"round": 9}}]},
            ["then.0.base.round: the prune run before it has rounds 1 to 1, found 9"],
        ),
        (
            {"base": {"rounds": 0}, "then": [{"command": "rewind", "base": {"to": "bananas", "round": 9}}]},
            ["base.rounds: expected a whole number", "then.0.base.to: "],
        ),
        ({"then": [{"command": "rewind", "base": {"draws": -4}}]}, ["then.0.base.draws: expected a whole number"]),
        ({"then": [{"command": "rewind", "base": {"to": "bananas"}}]}, ["then.0.base.to: "]),
        (
            {"then": [{"command": "rewind", "base": {"to": "100%"}}]},
            ["then.0.base.to: the rewind point"],
        ),
        (
            {"then": [{"command": "rewind", "seeds": 2}]},
            ["then.0.seeds: a rewind run has that of its prune run; leave it out"],
        ),
        (
            {"then": [{"command": "rewind", "base": {"lr": 1, "source": "x"}}]},
            ["then.0.base.lr: a rewind run has that of its prune run", "then.0.base.source: a rewind run has"],
        ),
        ({"then": [{"command": "compare", "base": {"allow": ["x"]}}]}, ["then.0.base.allow: expected some of"]),
        ({"then": [{"command": "compare", "base": {"allow": ["task"]}}]}, ["then.0.base.allow: expected some of"]),
        ({"then": [{"command": "compare", "base": {"allow": 0.5}}]}, ["then.0.base.allow: expected"]),
        ({"then": [{"command": "compare", "base": {"margin": "x"}}]}, ["then.0.base.margin: expected a valid number"]),
        (
            {"then": [{"command": "compare", "base": {"level": 5, "seed": 0.5, "minimal": -3, "levle": 1}}]},
            ["then.0.base.level: expected less", "then.0.base.seed: ", "then.0.base.minimal: ", "did you mean 'level'"],
        ),
    ],
)
def test_settings_are_checked_before_anything_runs(cli: Cli, tmp_path, change, words):
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({**PLAN, **change}))
    ended = cli("sweep", "bad.yaml")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    for word in words:
        assert word in ended.err
    assert "the plan)" not in ended.err
    assert not (tmp_path / "sweep-tiny").exists()


def test_a_plan_holds_compare_to_the_limits_of_its_options():
    options = get_type_hints(compare, include_extras=True)
    for name, field in ComparePlan.model_fields.items():
        (option,) = options[name].__metadata__
        limits = {key: getattr(one, key) for one in field.metadata for key in ("ge", "le") if hasattr(one, key)}
        of_option = {"ge": option.min, "le": option.max}
        assert limits == {key: limit for key, limit in of_option.items() if limit is not None}, name


def test_errors_of_several_stages_come_together_and_once(cli: Cli, tmp_path):
    then = [{"command": "widen", "base": {"widthz": 3}}, {"command": "train", "base": {"lr": -1}, "seeds": 3}]
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({"name": "a", "command": "train", "then": then}))
    err = cli("sweep", "bad.yaml").err
    assert err.count("then.0.base.widthz: ") == err.count("then.1.base.lr: ") == 1


@pytest.mark.parametrize(
    ("change", "groups"),
    [
        ({}, [2]),
        ({"base": {**PLAN["base"], "task": "digits", "optimizer": "adam"}}, [2]),
        ({"grid": {"lr": [0.1, 0.2]}}, [1, 1, 1]),
        ({"grid": {"lr": [0.1, 0.2]}, "allow": "lr"}, [3]),
        ({"grid": {"lr": [0.1, 0.2]}, "allow": ["lr", "steps"]}, [3]),
    ],
)
def test_compare_takes_together_what_is_equal_once_defaults_are_filled_in(tmp_path, change, groups):
    """A prune stage, which may say what is the default, and a widen stage, which does not."""
    allow = {"allow": change.pop("allow")} if "allow" in change else {}
    then = [PLAN["then"][1], {"command": "compare", "base": allow}]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({**PLAN, **change, "then": then}))
    plan = read(tmp_path / "p.yaml")
    compared = [run for run in expand(plan, recipes()) if run.command == "compare"]
    assert [len(run.sources) for run in compared] == groups


@pytest.mark.parametrize("shard", ["2/2", "a/b", "1", "-1/2", "0/0"])
def test_other_shards_are_refused(cli: Cli, plan, shard):
    ended = cli("sweep", "tiny.yaml", "--shard", shard)
    assert ended.code == 2
    assert "expected I/N" in ended.err


def test_a_stage_must_be_there(cli: Cli, plan):
    assert "expected a stage from 0 to 3, found 4" in cli("sweep", "tiny.yaml", "--stage", "4").err


@pytest.mark.parametrize("path", SWEEPS, ids=[path.stem for path in SWEEPS])
def test_the_studies_that_come_with_escapedim_are_valid(path):
    plan = read(path)
    assert plan.name == path.stem
    assert "# Cost: " in path.read_text()
    check(path, plan, expand(plan, recipes()))
    assert plan.stages[-1].command == "compare"


def test_dry_run_and_status_need_no_torch(tmp_path, plan):
    code = (
        "import sys; from escapedim.cli.main import app, run; "
        "assert run(lambda: app(['sweep', 'tiny.yaml', '--dry-run'])) == 0; "
        "assert run(lambda: app(['sweep', 'tiny.yaml', '--status'])) == 0; assert 'torch' not in sys.modules"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert ended.stdout.count("tiny: 4 runs: 4 missing") == 2
    assert "What is missing: 4 runs, " in ended.stdout
    assert not (tmp_path / "sweep-tiny").exists()
