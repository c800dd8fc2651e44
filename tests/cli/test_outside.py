"""Hostile names, numbers, files and folders given to the commands: one sentence, exit code 2, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from escapedim.cli import streams
from tests.cli.conftest import TINY, Cli, Ended
from tests.cli.test_bad_input import assert_refused, write_idx

PRUNE = ("prune", *TINY, "--rounds", "1", "--quiet")
DIGITS = "9" * 5000


def obeys(text: str) -> bool:
    return any(letter in text for letter in "\x1b\x07\x9b\u202e")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sweep", "plan.yaml", "--shard", f"{DIGITS}/{DIGITS}"), "--shard: expected I/N"),
        (("sweep", "plan.yaml", "--slurm", "--time", DIGITS), "--time: expected minutes"),
        (("count", "--minimal", "1000", "--widths", "1000:1010"), "--widths: expected widths from --minimal 1000 to"),
        (("count", "--widths", f"4:{DIGITS}"), "widths are written"),
        (("prune", "-o", f"seed={DIGITS}"), "is not valid YAML"),
        (("prune", "-o", f"lr={'1' * 1_000_000}x"), "lr: expected"),
        (("prune", "--optimizer", f"sgd:momentum={'1' * 100_000}x"), "expected a number for 'momentum'"),
    ],
    ids=["shard", "time", "count", "widths", "seed", "lr", "momentum"],
)
def test_numbers_of_any_length(cli: Cli, tmp_path, arguments, words):
    (tmp_path / "plan.yaml").write_text("name: a\ncommand: train\n")
    ended = cli(*arguments)
    assert_refused(ended, words)
    assert len(ended.err) < 10_000


@pytest.mark.parametrize(
    ("value", "names", "arguments"),
    [
        (DIGITS, ("COLUMNS", "LINES", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE"), ("train", "--dry-run")),
        ("99999999", ("COLUMNS", "LINES"), ("--help",)),
    ],
    ids=["digits", "large"],
)
def test_variables_of_any_length(tmp_path, value, names, arguments):
    ended = subprocess.run(
        [sys.executable, "-m", "escapedim", *arguments], env={**os.environ, **dict.fromkeys(names, value)},
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout) < 100_000


@pytest.mark.parametrize(("given", "kept"), [("80", "80"), ("5000", "1000"), ("0", None), (DIGITS, None), ("", None)])
def test_only_a_plausible_size_of_the_terminal_is_left(monkeypatch, given, kept):
    monkeypatch.setenv("COLUMNS", given)
    streams._bound_terminal_size()
    assert os.environ.get("COLUMNS") == kept


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "on each line, found none; correct it"),
        (b"\n \n", "found none"),
        (b"a.json\nb\0.json\n", "found a NUL byte"),
        (b"x" * 5000, "File name too long"),
        (b"\x1b[31m.json\n", "cannot read ?[31m.json: No such file"),
    ],
    ids=["empty", "blank", "NUL", "long", "bytes"],
)
def test_lists_of_summaries(cli: Cli, tmp_path, content, words):
    (tmp_path / "list").write_bytes(content)
    ended = cli("compare", "@list")
    assert_refused(ended, words)
    assert not obeys(ended.err)


def test_files_that_would_never_end(cli: Cli, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("escapedim.cli.comparing.MOST_LIST_BYTES", 1000)
    (tmp_path / "long").write_text("a.json\n" * 1000)
    (tmp_path / "plan.yaml").write_text("name: a\ncommand: train\n")
    for arguments, words in (
        (("compare", "@pipe"), "found 'not a regular file'; correct it"),
        (("compare", "@/dev/zero"), "not a regular file"),
        (("compare", "@long"), "larger than 1,000 bytes"),
        (("compare", "pipe"), "not a regular file"),
        (("report", "pipe"), "not a regular file"),
        (("rewind", "pipe"), "not a regular file"),
        (("prune", "--config", "pipe"), "not a regular file"),
        (("sweep", "pipe"), "not a regular file"),
        (("sweep", "plan.yaml", "--out", "pipe"), "expected a folder at pipe"),
        (("train", "--out", "pipe"), "not a regular file"),
        (("train", "--task", "npz:pipe"), "no such file"),
        (("widen", "--from", "/dev/zero"), "not a regular file"),
    ):
        assert_refused(cli(*arguments), words)


def test_a_checkpoint_that_is_a_pipe(cli: Cli, tmp_path):
    assert cli(*PRUNE).code == 0
    path = next(tmp_path.glob("escapedim-runs/*/checkpoints/round-001-*"))
    path.unlink()
    os.mkfifo(path)
    assert_refused(cli(*PRUNE), "not a regular file; delete it and repeat the command")
    assert_refused(cli("rewind", "lottery.json"), "not a regular file")
    path.unlink()
    assert cli(*PRUNE).code == 0


def test_a_claim_of_a_number_that_nobody_reaches_holds_nothing(cli: Cli, tmp_path):
    assert cli(*PRUNE).code == 0
    (folder,) = (tmp_path / "escapedim-runs").iterdir()
    (folder / "claim-999999999999999999.json").write_text("{}")
    assert cli(*PRUNE).code == 0
    last = folder / "claim-999999999.json"
    last.write_text("{}")
    os.utime(last, (0, 0))
    assert cli(*PRUNE).code == 0
    assert not last.exists()


@pytest.mark.parametrize("folder", ["x" * 5000, "a\0b", "\ud800", "../" * 2000])
def test_a_run_folder_that_can_be_no_path(cli: Cli, tmp_path, folder):
    assert cli(*PRUNE).code == 0
    document = json.loads((tmp_path / "lottery.json").read_text())
    del document["digest"]
    document["provenance"]["run_folder"] = folder
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "lottery.json").write_text(json.dumps(document))
    assert_refused(cli("rewind", "moved/lottery.json"), "is missing")
    assert_refused(cli("prune", *TINY, "--rounds", "2", "--lr", "1", "--out", "moved/lottery.json"), "the only copy")


def test_a_link_into_a_run_folder_is_no_way_in(cli: Cli, tmp_path):
    assert cli(*PRUNE).code == 0
    (original,) = tmp_path.glob("escapedim-runs/*/lottery.json")
    before = original.read_bytes()
    (tmp_path / "folder").symlink_to(original.parent)
    (tmp_path / "file.json").symlink_to(original)
    for out in ("folder/lottery.json", "file.json", "folder/other.json"):
        for command in (("prune", *TINY, "--rounds", "2"), ("compare", "lottery.json")):
            assert_refused(cli(*command, "--out", out), "is inside a run folder; choose another --out")
    assert original.read_bytes() == before


def test_a_comparison_overwrites_the_only_copy_of_no_run(cli: Cli, tmp_path):
    assert cli(*PRUNE).code == 0
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "lottery.json").write_bytes((tmp_path / "lottery.json").read_bytes())
    assert_refused(
        cli("compare", "lottery.json", "--out", "moved/lottery.json"), "the only copy of the summary of lottery-"
    )
    assert cli("compare", "lottery.json", "--quiet").err == ""
    assert cli("compare", "lottery.json", "--quiet").err == ""
    said = cli("compare", "lottery.json", "--margin", "0.1", "--quiet").err
    assert said.startswith("escapedim: compare.json is another comparison, compare-")
    assert_refused(cli("train", *TINY, "--out", "compare.json"), "the only copy of the summary of compare-")


def test_another_run_that_takes_the_place_of_a_summary_says_so(cli: Cli, tmp_path):
    assert cli(*PRUNE).code == 0
    planned = cli(*PRUNE, "--lr", "0.01", "--dry-run")
    ended = cli(*PRUNE, "--lr", "0.01")
    assert planned.err == ended.err
    first, second = sorted((tmp_path / "escapedim-runs").iterdir(), key=lambda path: path.stat().st_mtime)
    assert ended.err == (
        f"escapedim: lottery.json is the summary of escapedim-runs/{first.name}, where the original stays; "
        f"that of escapedim-runs/{second.name} takes its place.\n"
    )
    assert cli(*PRUNE, "--lr", "0.01").err == ""


HOSTILE = "a\x1b[31m\x07b\x9b"


def test_nothing_from_a_file_acts_on_the_terminal(cli: Cli, tmp_path):
    def plan(text: str) -> Ended:
        (tmp_path / "plan.yaml").write_text(text)
        return cli("sweep", "plan.yaml")

    quoted = json.dumps(HOSTILE)
    told = [
        plan(f"name: a\ncommand: train\n{quoted}: 1\n"),
        plan(f"name: a\ncommand: train\nbase: {{{quoted}: 1}}\n"),
        plan(f"name: a\ncommand: train\nbase: {{task: {json.dumps(f'npz:{HOSTILE}')}}}\n"),
        plan(f"name: a\ncommand: train\nbase: {{lr: {quoted}}}\n"),
        cli("prune", "-o", f"{HOSTILE}=1"),
        cli("report", f"{HOSTILE}.json"),
        cli("train", "--preset", HOSTILE),
    ]
    assert cli(*PRUNE).code == 0
    document = json.loads((tmp_path / "lottery.json").read_text())
    del document["digest"]
    document["result"]["checkpoints"] = {f"checkpoints/{HOSTILE}.safetensors": "0" * 64}
    (tmp_path / "lottery.json").write_text(json.dumps(document))
    told.append(cli("rewind", "lottery.json"))
    document["config"]["task"] = HOSTILE
    document["result"]["success_criterion"] = HOSTILE
    (tmp_path / "lottery.json").write_text(json.dumps(document))
    shown = cli("report", "lottery.json", "--html", "a.html", "--markdown", "a.md")
    assert shown.code == 0
    for ended in told:
        assert ended.code == 2
        assert "[31m" in ended.err
    for ended in (*told, shown):
        assert not obeys(ended.out + ended.err)
    assert not any(obeys((tmp_path / name).read_text()) for name in ("a.html", "a.md"))


def test_names_with_dollar_signs_are_drawn(cli: Cli, tmp_path):
    write_idx(tmp_path / "a$b$_{c")
    common = ("--task", "idx:a$b$_{c", *TINY[2:], "--batch-size", "10", "--quiet")
    assert cli("prune", *common, "--hidden", "8", "--rounds", "2").code == 0
    assert cli("widen", *common, "--widths", "2:4").code == 0
    ended = cli("report", "lottery.json", "widen.json", "--figures", "figures", "--html", "a.html")
    assert ended.code == 0, ended.err
    assert "wrote figures/overview" in ended.err  # its heading has the task's name


def test_a_list_of_summaries_may_come_from_another_system(cli: Cli, tmp_path):
    assert cli(*PRUNE).code == 0
    (tmp_path / "list").write_bytes(b"lottery.json\r\n")
    assert cli("compare", "@list", "--quiet").code == 0
    assert Path("compare.json").is_file()


def test_names_that_no_file_can_have(cli: Cli, tmp_path):
    name = "n" * 300
    (tmp_path / "plan.yaml").write_text("name: a\ncommand: train\nbase: {task: xor, steps: 5it}\n")
    assert cli(*PRUNE).code == 0
    for arguments in (
        ("report", "lottery.json", "--html", name),
        ("report", "lottery.json", "--csv", name),
        ("compare", f"@{name}"),
        ("rewind", "lottery.json", "--out", name),
        ("sweep", "plan.yaml", "--out", name),
        ("sweep", "plan.yaml", "--out", name, "--status"),
        ("sweep", "plan.yaml", "--out", name, "--collect"),
    ):
        ended = cli(*arguments)
        assert ended.code == 2, (arguments, ended.err)
        assert "oo long" in ended.err or "shorter" in ended.err


def test_a_large_file_that_is_no_summary_is_told_by_its_beginning(cli: Cli, tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.write(b"{")
        file.truncate(2**40)
    for command in (("report", "a.json"), ("compare", "a.json"), ("rewind", "a.json"), ("prune", "--out", "a.json")):
        assert cli(*command).code == 2


def test_times_of_runs_add_up_to_a_time(cli: Cli, tmp_path, forked_runs):
    (tmp_path / "plan.yaml").write_text("name: a\ncommand: train\nbase: {task: xor, steps: 5it, hidden: 2}\nseeds: 2\n")
    assert cli("sweep", "plan.yaml").code == 0
    for mark in tmp_path.glob("sweep-a/runs/*/done.json"):
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"wall_s": 1e308}))
    assert cli("sweep", "plan.yaml", "--collect").code == 0


def test_reports_in_a_folder_that_was_removed(cli: Cli, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    assert cli(*PRUNE).code == 0
    report = f"{sys.executable} -P -m escapedim report {tmp_path}/lottery.json --html {tmp_path}/a"
    script = f"cd {gone} && rmdir {gone} && {report}"
    assert subprocess.run(["bash", "-c", script], check=False, capture_output=True).returncode == 0
    assert (tmp_path / "a").is_file()
