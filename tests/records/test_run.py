"""The order of writes: whatever moment a process dies at, the summary and the checkpoints that it names agree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from escapedim.errors import BadInput, EscapedimError
from escapedim.records import atomic
from escapedim.records.claim import ClaimLost
from escapedim.records.run import Run
from escapedim.records.summary import Provenance, TrainResult

IDENTITY = "0123456789abcdef"
PAUSED = {"step": np.array(40), "params": np.ones((1, 3), np.float32)}
DONE = {"step20.params": np.zeros((1, 3), np.float32)}


def describe(metrics, checkpoints) -> TrainResult:
    count = len(metrics)
    return TrainResult(
        success_criterion="train_accuracy >= 0.95",
        parameters=3,
        members=count,
        successes=0,
        success_rate=None,
        success_interval=None,
        endings={},
        replicates=list(range(count)),
        train_loss=[1.0] * count,
        success=[False] * count,
        ending=["undecided"] * count,
        kept_steps=[],
        checkpoints=dict(checkpoints),
    )


def open_run(folder: Path, force: bool = False, identity: str = IDENTITY) -> Run:
    run = Run.open(folder / "train.json", "train", identity, force)
    run.begin({"seed": 0}, Provenance(version=run_version(), started="2026-01-01T00:00:00+00:00"), describe)
    return run


def run_version() -> str:
    import escapedim

    return escapedim.__version__


def agree(folder: Path) -> dict:
    """The summary, after holding every checkpoint that it names against its hash."""
    (path,) = folder.glob("escapedim-runs/*/train.json")
    document = json.loads(path.read_text())
    for name, sha in document["result"]["checkpoints"].items():
        assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == sha
    return document


def test_finished_units_are_there_for_the_next_start(tmp_path):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 7})
    run.close()
    again = open_run(tmp_path)
    assert again.has("a")
    assert not again.has("b")
    assert again.keys() == ["a"]
    np.testing.assert_array_equal(again.load("a")["step20.params"], DONE["step20.params"])
    assert again.net_steps() == 7
    again.close()


def test_paused_unit_is_replaced_by_later_states_and_by_its_end(tmp_path):
    run = open_run(tmp_path)
    for step in (40, 80):
        run.save("a", PAUSED | {"step": np.array(step)}, None)
        assert [path.stem for path in run.paths.checkpoints.iterdir()] == [f"a.paused-{step:09d}"]
        paused = run.load_paused("a")
        assert paused is not None
        assert int(paused["step"]) == step
        assert run.keys() == ["a"]
        assert not run.has("a")
    run.save("a", DONE, {"net_steps": 1})
    assert [path.stem for path in run.paths.checkpoints.iterdir()] == ["a"]
    assert run.load_paused("a") is None
    agree(tmp_path)
    run.close()


class Died(BaseException):
    """Stands for kill -9: nothing after it runs."""


def die_at(monkeypatch: pytest.MonkeyPatch, fatal: int) -> None:
    """Die at the n-th point between two effects on the file system: before each replacement and each deletion."""
    points = iter(range(1000))

    def at_point(effect):
        def wrapped(*arguments, **keywords):
            if next(points) == fatal:
                raise Died
            return effect(*arguments, **keywords)

        return wrapped

    monkeypatch.setattr("escapedim.records.atomic.os.replace", at_point(atomic.os.replace))
    monkeypatch.setattr(Path, "unlink", at_point(Path.unlink))


@pytest.mark.parametrize("fatal", range(8))
def test_death_between_any_two_writes_leaves_a_good_state(tmp_path, monkeypatch, fatal):
    run = open_run(tmp_path)
    run.save("a", PAUSED, None)
    with monkeypatch.context() as patch, pytest.raises(Died):  # noqa: PT012
        die_at(patch, fatal)
        run.save("a", PAUSED | {"step": np.array(80)}, None)
        run.save("a", DONE, {"net_steps": 1})
        raise Died
    agree(tmp_path)
    for left in run.paths.folder.glob("claim-*"):
        left.unlink()
    again = open_run(tmp_path)
    assert again.has("a") or again.load_paused("a") is not None
    named = agree(tmp_path)["result"]["checkpoints"]
    assert {f"checkpoints/{path.name}" for path in again.paths.checkpoints.iterdir()} == set(named)
    again.close()


def test_full_disk_is_a_sentence_and_the_old_state_stays(tmp_path, monkeypatch):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 1})
    before = agree(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("escapedim.records.atomic.os.fsync", full)
        with pytest.raises(EscapedimError, match="No space left on device; free space"):
            run.save("b", DONE, {"net_steps": 1})
    assert agree(tmp_path) == before
    run.close()


def test_a_second_writer_is_refused_and_a_lost_claim_stops_writing(tmp_path):
    run = open_run(tmp_path)
    with pytest.raises(BadInput, match="held by process"):
        open_run(tmp_path)
    (claim,) = run.paths.folder.glob("claim-*.json")
    claim.rename(claim.with_name("claim-0002.json"))
    with pytest.raises(ClaimLost):
        run.save("a", DONE, {"net_steps": 1})
    assert list(run.paths.checkpoints.iterdir()) == []


def test_failed_start_gives_the_claim_back(tmp_path):
    open_run(tmp_path).close()
    (summary,) = tmp_path.glob("escapedim-runs/*/train.json")
    good = summary.read_bytes()
    summary.write_bytes(good[:-20])
    with pytest.raises(BadInput, match="not a complete JSON"):
        open_run(tmp_path)
    summary.write_bytes(good)
    open_run(tmp_path).close()


def test_checkpoint_of_another_run_is_refused(tmp_path):
    one = open_run(tmp_path)
    one.save("a", DONE, {"net_steps": 1})
    one.close()
    other = open_run(tmp_path / "other", identity="f" * 16)
    other.save("a", DONE, {"net_steps": 1})
    other.close()
    taken = (other.paths.checkpoint("a")).read_bytes()
    one.paths.checkpoint("a").write_bytes(taken)
    with pytest.raises(BadInput, match="has changed since"):
        open_run(tmp_path)


def test_wall_time_adds_up_over_starts(tmp_path):
    run = open_run(tmp_path)
    first = run.write("complete").cost.wall_s
    run.close()
    again = open_run(tmp_path)
    assert again.write("complete").cost.wall_s >= first
    assert agree(tmp_path)["provenance"]["started"] == "2026-01-01T00:00:00+00:00"
    again.close()
