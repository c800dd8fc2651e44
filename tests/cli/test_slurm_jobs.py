"""`escapedim sweep --slurm` and `--submit`, with commands of Slurm that write down how they were called."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Cli

PLAN = {
    "name": "many",
    "command": "train",
    "base": {"task": "teacher", "hidden": 4, "steps": "20it"},
    "seeds": 5,
    "then": [{"command": "widen", "base": {"widths": "3:4"}}, {"command": "compare"}],
}
FAKES = {
    "sbatch": """#!/bin/bash
echo "$@" >> {folder}/sbatch.txt
number=$(wc -l < {folder}/sbatch.txt)
[ "$number" -ne "${{REFUSE:-0}}" ] || {{ echo "sbatch: error: too many" >&2; exit 1; }}
echo "$number;here"
""",
    "scontrol": """#!/bin/bash
[ -n "$SIZE" ] || exit 1
echo "MaxArraySize            = $SIZE"
echo "MaxJobCount             = ${{JOBS:-100}}"
""",
    "scancel": """#!/bin/bash
echo "$@" >> {folder}/scancel.txt
""",
}


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that pretend to be Slurm's, and of what they were told."""
    folder = tmp_path_factory.mktemp("slurm")
    for name, text in FAKES.items():
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("SIZE", "3")
    return folder


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "many.yaml"
    path.write_text(yaml.safe_dump(PLAN))
    return path


def submissions(slurm: Path) -> list[tuple[str, str]]:
    """Script and dependency of every call of sbatch."""
    calls = [line.split() for line in (slurm / "sbatch.txt").read_text().splitlines()]
    after = [[word.partition("=")[2] for word in words if word.startswith("--dependency=")] for words in calls]
    return [(Path(words[-1]).name, "".join(found)) for words, found in zip(calls, after, strict=True)]


def test_a_stage_waits_for_all_arrays_of_the_one_before_it(cli: Cli, slurm, plan, tmp_path):
    ended = cli("sweep", "many.yaml", "--submit")
    assert ended.code == 0
    assert submissions(slurm) == [
        ("0-train-0.sbatch", ""),
        ("0-train-1.sbatch", ""),
        ("1-widen.sbatch", "afterany:1:2"),
        ("2-compare.sbatch", "afterany:3"),
        ("collect.sbatch", "afterany:4"),
    ]
    assert ended.out.split()[:2] == ["1", "0-train-0.sbatch"]
    assert ended.err == ""
    assert "--array=0-1\n" in (tmp_path / "sweep-many" / "slurm" / "0-train-1.sbatch").read_text()


def test_what_a_script_asks_for_is_on_the_command_line_too(cli: Cli, slurm, plan, monkeypatch):
    """There it goes before variables such as SBATCH_TIMELIMIT, which go before what a script says."""
    monkeypatch.setenv("SBATCH_WAIT", "1")
    assert cli("sweep", "many.yaml", "--submit", "--partition", "main", "--sbatch", "account=me").code == 0
    first = (slurm / "sbatch.txt").read_text().splitlines()[0].split()
    for word in ("--time=2:00:00", "--partition=main", "--account=me", "--requeue", "--open-mode=append"):
        assert word in first
    assert next(word for word in first if word.startswith("--array="))


@pytest.mark.parametrize("answer", ["Valid gres options are:", ""])
def test_an_answer_that_is_no_job_is_an_error(cli: Cli, slurm, plan, answer):
    (slurm / "sbatch").write_text(f"#!/bin/bash\necho '{answer}'\n")
    ended = cli("sweep", "many.yaml", "--submit")
    assert ended.code == 1
    assert f"0-train-0.sbatch: no job number, but '{answer}'" in ended.err
    assert not list(Path().glob("sweep-many/slurm/submitted.json"))


def test_a_script_of_the_users_is_not_replaced_and_that_of_a_version_without_a_ledger_is(cli: Cli, slurm, plan):
    folder = Path("sweep-many/slurm")
    folder.mkdir(parents=True)
    (folder / "1-widen.sbatch").write_text("#!/bin/bash\nexec /env/bin/python -m escapedim sweep /plans/old.yaml\n")
    (folder / "0-train-1.sbatch").write_text("mine")
    ended = cli("sweep", "many.yaml", "--submit")
    assert ended.code == 2
    assert "0-train-1.sbatch is a file that escapedim did not write" in ended.err
    (folder / "0-train-1.sbatch").unlink()
    assert cli("sweep", "many.yaml", "--submit").code == 0


def test_arrays_wait_for_each_other_where_few_tasks_may_run(cli: Cli, slurm, plan):
    cli("sweep", "many.yaml", "--submit", "--running", "2", "--array-limit", "2")
    assert submissions(slurm)[:4] == [
        ("0-train-0.sbatch", ""),
        ("0-train-1.sbatch", "afterany:1"),
        ("0-train-2.sbatch", "afterany:2"),
        ("1-widen.sbatch", "afterany:1:2:3"),
    ]


def test_what_was_submitted_before_a_refusal_is_cancelled(cli: Cli, slurm, plan, monkeypatch):
    monkeypatch.setenv("REFUSE", "3")
    ended = cli("sweep", "many.yaml", "--submit")
    assert ended.code == 1
    assert "1-widen.sbatch: sbatch: error: too many; what was submitted before it is cancelled" in ended.err
    assert (slurm / "scancel.txt").read_text() == "1 2\n"


def test_more_tasks_than_the_cluster_holds_are_refused_with_a_remedy(cli: Cli, slurm, plan, monkeypatch):
    monkeypatch.setenv("JOBS", "6")  # five runs, one of the second stage, one that compares, and one that collects
    ended = cli("sweep", "many.yaml", "--submit")
    assert ended.code == 2
    assert (
        "7 tasks are too many for this cluster, which holds 6 jobs (MaxJobCount); give --runs-per-task 2" in ended.err
    )
    assert not (slurm / "sbatch.txt").exists()
    assert cli("sweep", "many.yaml", "--submit", "--runs-per-task", "2").code == 0


def test_without_an_answer_slurms_default_is_taken_and_said(cli: Cli, slurm, plan, monkeypatch):
    monkeypatch.setenv("SIZE", "")
    ended = cli("sweep", "many.yaml", "--slurm")
    assert "at most 1,001 tasks" in ended.err
    assert "--array=0-4\n" in ended.out
    assert not (slurm / "sbatch.txt").exists()


def test_without_sbatch_nothing_is_submitted(cli: Cli, plan, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    ended = cli("sweep", "many.yaml", "--submit")
    assert ended.code == 2
    assert "run it on a login node" in ended.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--time", "soon"), "--time: expected minutes, or a time such as 2:00:00"),
        (("--time", "1:00"), "give a longer --time or a shorter --notice"),
    ],
)
def test_times_that_cannot_be_are_refused(cli: Cli, slurm, plan, options, words):
    for way in ("--slurm", "--submit"):
        ended = cli("sweep", "many.yaml", way, *options)
        assert ended.code == 2
        assert words in ended.err
    assert not (slurm / "sbatch.txt").exists()
