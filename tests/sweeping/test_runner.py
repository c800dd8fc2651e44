"""Which runs are started, and what is left of them: with attempts that train nothing."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import wait
from pathlib import Path

import pytest

from escapedim.errors import BadInput, EscapedimError
from escapedim.records import summary
from escapedim.records.claim import Claim
from escapedim.sweeping import attempt as attempting
from escapedim.sweeping import runner as running
from escapedim.sweeping.attempt import arguments, attempt
from escapedim.sweeping.runner import Asked, chosen, execute
from escapedim.sweeping.runs import expand
from escapedim.sweeping.state import DONE, FAILED, standing, standings, tail
from escapedim.sweeping.sweep_plan import SweepPlan
from tests.comparison import cases

PLAN = {"name": "a", "command": "prune", "seeds": 4, "then": [{"command": "rewind"}, {"command": "compare"}]}


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Commands that write a summary at once; those whose seed is in `fails` end with 1. Yields what was started."""
    begun: list[str] = []
    fails: set[int] = set()

    def process(command, log, stopping) -> int:
        begun.append(command[0])
        out = Path(command[command.index("--out") + 1])
        seed = json.loads(json.dumps(attempting.yaml.safe_load((out.parent / "config.yaml").read_text()))).get("seed")
        log.write_bytes(b"first\nit went wrong\n")
        if seed in fails:
            return 1
        made = {"prune": cases.lottery(), "rewind": cases.rewind(), "widen": cases.widen()}.get(
            command[0], cases.widen()
        )
        out.write_bytes(summary.encode(made))
        return 0

    monkeypatch.setattr(attempting, "_process", process)
    return begun, fails


def runs():
    return expand(SweepPlan.model_validate(PLAN))


def go(tmp_path, **asked):
    return execute(runs(), tmp_path, Asked(**{"jobs": 1, **asked}), lambda: False, lambda ended: None)


def test_everything_runs_once_in_the_order_of_stages(started, tmp_path):
    begun, _ = started
    assert {one.state for one in go(tmp_path)} == {"complete"}
    assert begun == 4 * ["prune"] + 4 * ["rewind"] + ["compare"]
    assert {one.state for one in standings(runs(), tmp_path)} == {"complete"}
    assert go(tmp_path) == []


def test_failures_are_passed_retried_and_shown(started, tmp_path):
    begun, fails = started
    fails.add(2)
    ended = go(tmp_path)
    assert [one.state for one in ended].count("failed") == 1
    assert "compare" not in begun  # not all its sources are there
    failed = next(one for one in standings(runs(), tmp_path) if one.state == "failed")
    assert failed.detail == "exit code 1: first / it went wrong"
    assert go(tmp_path, retry=False) == []
    fails.clear()
    assert [one.state for one in go(tmp_path)] == 3 * ["complete"]  # the run, its rewind, and the comparison
    assert {one.state for one in standings(runs(), tmp_path)} == {"complete"}


def test_the_first_failure_may_be_the_last(started, tmp_path):
    begun, fails = started
    fails.add(1)
    go(tmp_path, fail_fast=True)
    assert begun == ["prune", "prune"]


def test_a_limit_counts_runs_that_are_started(started, tmp_path):
    begun, _ = started
    go(tmp_path, limit=2)
    go(tmp_path, limit=3)
    assert begun == 4 * ["prune"] + ["rewind"]


def test_shards_share_the_runs_out():
    every = runs()
    parts = [chosen(every, Asked(jobs=1, shard=(index, 3))) for index in range(3)]
    assert sorted(run.name for part in parts for run in part) == sorted(run.name for run in every)
    assert max(map(len, parts)) - min(map(len, parts)) <= 3
    assert {run.stage for run in chosen(every, Asked(jobs=1, stage=1))} == {1}


def test_a_run_that_is_held_is_left_alone(started, tmp_path):
    begun, _ = started
    run = runs()[0]
    run.folder(tmp_path).mkdir(parents=True)
    with Claim.acquire(run.folder(tmp_path)):
        assert standing(run, tmp_path).state == "running"
        assert attempt(run, tmp_path, 1, None, lambda: False).state == "held"
        assert begun == []
    assert standing(run, tmp_path).state == "missing"


def test_a_command_that_outlives_its_sweep_is_no_failure(monkeypatch, tmp_path):
    run = runs()[0]
    inner = run.folder(tmp_path) / "escapedim-runs" / "lottery-0"
    inner.mkdir(parents=True)

    def refused(command, log, stopping):
        with pytest.raises(BadInput) as caught:
            Claim.acquire(inner)
        log.write_text(f"escapedim: {caught.value}\n")
        holder.release()  # what holds it may end before anybody looks again
        return 2

    monkeypatch.setattr(attempting, "_process", refused)
    holder = Claim.acquire(inner)
    assert standing(run, tmp_path).state == "running"
    ended = attempt(run, tmp_path, 1, None, lambda: False)
    assert (ended.state, f"is held by process {os.getpid()}" in ended.detail) == ("held", True)
    assert standing(run, tmp_path).state == "missing"


def test_a_run_that_is_taken_over_while_it_trains_is_no_failure(monkeypatch, tmp_path):
    run = runs()[0]
    inner = run.folder(tmp_path) / "escapedim-runs" / "lottery-0"
    inner.mkdir(parents=True)
    monkeypatch.setattr(attempting, "_process", lambda command, log, stopping: 1)
    with Claim.acquire(inner):
        assert attempt(run, tmp_path, 1, None, lambda: False).state == "held"
    assert attempt(run, tmp_path, 1, None, lambda: False).state == "failed"


def test_names_of_folders_and_files_hold_no_run(monkeypatch, tmp_path):
    run, out = runs()[0], tmp_path / "a folder that is held by me"

    def refused(command, log, stopping):
        log.write_text(f"escapedim: {out}/x.json is held by nobody; choose another --out.\n")
        return 2

    monkeypatch.setattr(attempting, "_process", refused)
    assert attempt(run, out, 1, None, lambda: False).state == "failed"
    monkeypatch.setattr(attempting, "tail", lambda log: f"{run.folder(out) / 'escapedim-runs'}/a/b is held by us")
    assert attempt(run, out, 1, None, lambda: False).state == "failed"


def test_what_its_holder_has_left_meanwhile_is_run_too(started, tmp_path):
    """Commands of a killed sweep hold two runs at the start; the one that ends while others run is taken over."""
    begun, _ = started
    first, second = runs()[:2]
    held = []
    for run in (first, second):
        run.folder(tmp_path).mkdir(parents=True)
        held.append(Claim.acquire(run.folder(tmp_path)))

    def said(ended) -> None:
        held[0].release()

    execute(runs()[:4], tmp_path, Asked(jobs=1), lambda: False, said)
    assert begun == 3 * ["prune"]
    assert [standing(run, tmp_path).state for run in (first, second)] == ["complete", "running"]
    held[1].release()


def test_an_attempt_that_is_killed_leaves_no_earlier_failure(started, tmp_path, monkeypatch):
    _, fails = started
    fails.add(0)
    (run, *_) = runs()
    assert attempt(run, tmp_path, 1, None, lambda: False).state == "failed"

    def killed(command, log, stopping) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(attempting, "_process", killed)
    with pytest.raises(KeyboardInterrupt):
        attempt(run, tmp_path, 1, None, lambda: False)
    assert standing(run, tmp_path).state == "missing"


def test_a_mark_without_a_summary_is_no_end(started, tmp_path):
    run = runs()[0]
    run.folder(tmp_path).mkdir(parents=True)
    (run.folder(tmp_path) / DONE).write_text('{"wall_s": 1}')
    assert standing(run, tmp_path).state == "missing"
    (run.folder(tmp_path) / DONE).write_text("{")
    run.summary(tmp_path).write_text("")
    assert standing(run, tmp_path).state == "missing"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "had changed since it was written, was set aside"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"complete", b"complets")), "was set aside"),
        (lambda path: path.write_bytes(b""), "was set aside"),
        (Path.unlink, "was gone, and was made again"),
    ],
)
def test_a_damaged_summary_is_set_aside_and_made_again(started, tmp_path, damage, words):
    go(tmp_path)
    begun, _ = started
    begun.clear()
    run = runs()[0]
    good = run.summary(tmp_path).read_bytes()
    damage(run.summary(tmp_path))
    found = standing(run, tmp_path)
    assert (found.state, found.detail) == ("missing", "its summary is gone or damaged: it is made again")
    (ended,) = go(tmp_path)
    assert (ended.state, begun) == ("complete", ["prune"])
    assert words in ended.detail
    assert run.summary(tmp_path).read_bytes() == good
    assert standing(run, tmp_path).state == "complete"


def test_a_summary_that_its_command_wrote_again_is_as_good(started, tmp_path):
    go(tmp_path)
    run = runs()[0]
    found = summary.read(run.summary(tmp_path))
    again = found.model_copy(update={"cost": found.cost.model_copy(update={"wall_s": 9.0})})
    run.summary(tmp_path).write_bytes(summary.encode(again))
    assert standing(run, tmp_path).state == "complete"
    assert go(tmp_path) == []


def test_a_command_that_ends_well_without_a_complete_summary_has_failed(monkeypatch, tmp_path):
    running = summary.encode(cases.lottery().model_copy(update={"status": "interrupted"}))

    def process(command, log, stopping) -> int:
        Path(command[command.index("--out") + 1]).write_bytes(running)
        return 0

    monkeypatch.setattr(attempting, "_process", process)
    ended = attempt(runs()[0], tmp_path, 1, None, lambda: False)
    assert (ended.state, ended.detail) == ("failed", "its summary is interrupted")


def test_command_lines_name_sources_settings_and_place(tmp_path):
    every = expand(
        SweepPlan.model_validate(
            {
                **PLAN,
                "seeds": 1,
                "then": [{"command": "rewind"}, {"command": "compare", "base": {"allow": ["lr"], "margin": 0.1}}],
            }
        )
    )
    prune, rewind, compare = (arguments(run, tmp_path, 3, None) for run in every)
    assert prune[0] == "prune"
    assert prune[-2:] == ["--jobs", "3"]
    assert rewind[1] == str(every[0].summary(tmp_path))
    assert compare[1] == f"@{every[2].folder(tmp_path) / 'sources.txt'}"
    assert compare[2:6] == ["--allow", "lr", "--margin", "0.1"]
    assert arguments(every[0], tmp_path, 1, "cuda")[-2:] == ["--device", "cuda"]


def test_a_comparison_finds_its_sources_in_a_file(started, tmp_path):
    go(tmp_path)
    *sources, compare = runs()
    listed = (compare.folder(tmp_path) / "sources.txt").read_text().splitlines()
    assert listed == [str(run.summary(tmp_path)) for run in sources]


@pytest.mark.parametrize("other", [1, 4])
def test_another_runs_summary_is_not_taken_for_its_own(started, tmp_path, other):
    """Copied over it: that of another seed, which is of the same kind, and that of a rewind run."""
    go(tmp_path)
    run, foreign = runs()[0], runs()[other]
    found = summary.read(foreign.summary(tmp_path))
    if other == 1:
        found = found.model_copy(update={"id": "f" * 16})
    run.summary(tmp_path).write_bytes(summary.encode(found))
    assert standing(run, tmp_path).state == "missing"


@pytest.mark.parametrize("code", [130, 143, -15, -10])
def test_a_command_that_somebody_else_told_to_stop_has_not_failed(monkeypatch, tmp_path, code):
    monkeypatch.setattr(attempting, "_process", lambda command, log, stopping: code)
    ended = execute(runs()[:1], tmp_path, Asked(jobs=1, patient=True), lambda: False, lambda ended: None)
    assert [one.state for one in ended] == ["stopped"]
    assert standing(runs()[0], tmp_path).state == "missing"


def test_signals_are_seen_while_commands_run(monkeypatch, tmp_path):
    """They come to the main thread, which must not be asleep in a lock; here as many as it has looks."""
    looks = []
    monkeypatch.setattr(attempting, "_process", lambda command, log, stopping: time.sleep(1) or 0)
    monkeypatch.setattr(running, "wait", lambda *given: looks.append(given[1:]) or wait(*given))
    execute(runs()[:1], tmp_path, Asked(jobs=1), lambda: False, lambda ended: None)
    assert len(looks) > 5
    assert all(timeout <= 0.2 for timeout, _ in looks)


@pytest.mark.parametrize("error", [OSError(7, "Argument list too long"), EscapedimError("no room")])
def test_what_goes_wrong_in_one_run_is_its_own_failure(started, monkeypatch, tmp_path, error):
    process = attempting._process

    def fails_once(command, log, stopping) -> int:
        monkeypatch.setattr(attempting, "_process", process)
        raise error

    monkeypatch.setattr(attempting, "_process", fails_once)
    ended = execute(runs()[:4], tmp_path, Asked(jobs=1, patient=True), lambda: False, lambda ended: None)
    assert [one.state for one in ended] == ["failed", "complete", "complete", "complete"]
    assert str(error) in ended[0].detail


def test_a_claim_that_is_lost_is_that_runs_alone(started, monkeypatch, tmp_path):
    process = attempting._process

    def loses(command, log, stopping) -> int:
        monkeypatch.setattr(attempting, "_process", process)
        (claim,) = log.parent.glob("claim-*.json")
        claim.rename(claim.with_name("claim-0002.json"))
        return process(command, log, stopping)

    monkeypatch.setattr(attempting, "_process", loses)
    ended = go(tmp_path, stage=0)
    assert [one.state for one in ended] == ["held", "complete", "complete", "complete"]
    assert "stops without writing" in ended[0].detail
    assert not (runs()[0].folder(tmp_path) / DONE).exists()


def test_a_patient_sweep_pauses_before_it_looks_again_at_what_is_held(monkeypatch, tmp_path):
    """A holder that status takes for gone, since clocks differ, and a claim that says it is not."""
    tried = []

    def held(run, *given):
        tried.append(run.name)
        return attempting.Ended(run, "held", "by process 1 on node9")

    monkeypatch.setattr(running, "attempt", held)
    pauses = []
    monkeypatch.setattr(running.time, "sleep", pauses.append)
    execute(runs()[:1], tmp_path, Asked(jobs=1, patient=True), lambda: len(tried) > 2, lambda ended: None)
    assert len(tried) == 3
    assert len(pauses) >= 2 * 30


def test_marks_that_are_damaged_are_no_faults(started, tmp_path):
    go(tmp_path, stage=0)
    first, second, third, _ = runs()[:4]
    for run, value in ((first, '"abc"'), (second, "1e400")):
        mark = run.folder(tmp_path) / DONE
        text = mark.read_text()
        start = text.index('"wall_s": ') + len('"wall_s": ')
        mark.write_text(text[:start] + value + text[text.index(",", start) :])
        assert (standing(run, tmp_path).state, standing(run, tmp_path).wall_s) == ("complete", None)
        mark.write_text(text[:start] + "9" * 400 + text[text.index(",", start) :])
        assert (standing(run, tmp_path).state, standing(run, tmp_path).wall_s) == ("complete", None)
    (third.folder(tmp_path) / DONE).unlink()
    for damaged in ("{", "[" * 100_000, '{"code": ' + "9" * 4000 + "}", '{"code": ' + "[" * 500 + "]" * 500 + "}"):
        (third.folder(tmp_path) / FAILED).write_text(damaged)
        assert standing(third, tmp_path).state == "failed"
        assert standing(third, tmp_path).detail.startswith("exit code unknown: ")


@pytest.mark.parametrize("damage", ["deep", "long", "pipe", "folder"])
def test_a_run_whose_mark_is_damaged_counts_as_not_done_and_the_others_go_on(started, tmp_path, damage):
    begun, _ = started
    go(tmp_path, stage=0)
    mark = runs()[0].folder(tmp_path) / DONE
    mark.unlink()
    if damage in ("pipe", "folder"):
        (os.mkfifo if damage == "pipe" else os.mkdir)(mark)
    else:
        mark.write_text('{"a": ' + ("[" * 50_000 if damage == "deep" else f'"{"x" * 100_000}"}}'))
    assert standing(runs()[0], tmp_path).state == "missing"
    del begun[:]
    ended = go(tmp_path)
    assert begun[0] == "prune"
    assert [one.state for one in ended].count("complete") == (3 if damage == "folder" else 6)
    assert standing(runs()[0], tmp_path).state == ("missing" if damage == "folder" else "complete")


def test_pipes_in_the_place_of_files_are_not_waited_for(started, tmp_path, monkeypatch):
    run = runs()[0]
    run.folder(tmp_path).mkdir(parents=True)
    os.mkfifo(run.folder(tmp_path) / "log.txt")
    assert tail(run.folder(tmp_path) / "log.txt") == "no log"
    monkeypatch.undo()  # the command itself is started
    ended = attempt(run, tmp_path, 1, None, lambda: False)
    assert (ended.state, "log.txt" in ended.detail) == ("failed", True)


def test_a_claim_that_is_a_pipe_is_waited_for_no_longer_than_one_without_a_heartbeat(started, tmp_path):
    run = runs()[0]
    run.folder(tmp_path).mkdir(parents=True)
    pipe = run.folder(tmp_path) / "claim-0001.json"
    os.mkfifo(pipe)
    assert attempt(run, tmp_path, 1, None, lambda: False).state == "held"
    os.utime(pipe, (0, 0))
    assert attempt(run, tmp_path, 1, None, lambda: False).state == "complete"
    assert not pipe.exists()


LOG = """
# 2026-01-01T00:00:00+00:00: escapedim prune
escapedim: an earlier fault.

# 2026-01-02T00:00:00+00:00: escapedim prune
half a line
"""


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("escapedim: no room; choose another --out.\nand more\n", "no room; choose another --out."),
        ("", "half a line"),
        (
            "╭─ Error ───╮\n│ Invalid value for '--jobs' │\n╰───────────╯\n",
            "half a line / Error / Invalid value for '--jobs'",
        ),
    ],
)
def test_the_end_of_a_log_is_that_of_its_last_command(tmp_path, written, told):
    (tmp_path / "log.txt").write_text(LOG + written)
    assert tail(tmp_path / "log.txt") == told
