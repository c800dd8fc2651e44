"""The order of writes: whatever moment a process dies at, the summary and the checkpoints that it names agree."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from escapedim.errors import BadInput, EscapedimError
from escapedim.records import atomic, summary
from escapedim.records.claim import ClaimLost
from escapedim.records.results import TrainResult
from escapedim.records.run import Run
from escapedim.records.summary import Provenance

IDENTITY, OTHER = "0123456789abcdef", "f" * 16
PAUSED = {"step": np.array(40), "params": np.ones((1, 3), np.float32)}
DONE = {"step20.params": np.zeros((1, 3), np.float32)}


@pytest.fixture(autouse=True)
def writing_share(monkeypatch):
    """All of the time may go into writing, so that nothing is put off."""
    monkeypatch.setattr("escapedim.records.run.WRITING_SHARE", 1.0)


def describe(metrics, checkpoints) -> TrainResult:
    count = len(metrics)
    return TrainResult(
        success_criterion="train_accuracy >= 0.95",
        parameters=3,
        members=count,
        successes=0,
        success_rate=None,
        success_interval=None,
        endings={"undecided": count},
        replicates=list(range(count)),
        train_loss=[1.0] * count,
        success=[False] * count,
        ending=["undecided"] * count,
        kept_steps=[],
        checkpoints=dict(checkpoints),
    )


def open_run(folder: Path, force: bool = False, identity: str = IDENTITY) -> Run:
    run = Run.open(folder / "train.json", "train", identity, force)
    started, place = "2026-01-01T00:00:00+00:00", run.paths.relative_folder
    run.begin({"seed": 0}, Provenance(version=run_version(), started=started, run_folder=place), describe)
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
    """The state before the last one stays, in case that is damaged."""
    run = open_run(tmp_path)
    for steps in ([40], [40, 80], [80, 120]):
        step = steps[-1]
        run.save("a", PAUSED | {"step": np.array(step)}, None)
        assert sorted(path.stem for path in run.paths.checkpoints.iterdir()) == [f"a.paused-{n:09d}" for n in steps]
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


def test_what_another_holder_has_replaced_is_not_called_damaged(tmp_path):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 1})
    run.paths.checkpoint("a").unlink()
    with pytest.raises(BadInput, match=r"a\.safetensors"):
        run.load("a")
    (claim,) = run.paths.folder.glob("claim-*.json")
    claim.rename(claim.with_name("claim-0002.json"))
    with pytest.raises(ClaimLost, match="stops without writing"):
        run.load("a")


@pytest.mark.parametrize("writes_before", [1, 2, 3])
def test_a_claim_lost_in_the_middle_of_a_write_is_noticed_before_the_name_changes(tmp_path, monkeypatch, writes_before):
    """A checkpoint and two summaries are written; at each the new holder has cleared the unfinished file away."""
    run = open_run(tmp_path)
    real, written = atomic._write_new, []

    def taken_over_meanwhile(path, data):
        real(path, data)
        written.append(path)
        if len(written) == writes_before:
            (claim,) = run.paths.folder.glob("claim-*.json")
            claim.rename(claim.with_name("claim-0002.json"))
            path.unlink()

    monkeypatch.setattr(atomic, "_write_new", taken_over_meanwhile)
    with pytest.raises(ClaimLost, match="stops without writing"):
        run.save("a", DONE, {"net_steps": 1})
    assert len(written) == writes_before
    held = [path.name for path in run.paths.checkpoints.iterdir()]
    assert held == ([] if writes_before == 1 else ["a.safetensors"])
    finished = [json.loads(path.read_text())["result"]["members"] for path in (run.paths.summary, run.paths.out)]
    assert finished == [[0, 0], [0, 0], [1, 0]][writes_before - 1]


NAMES_BEFORE = {"a.safetensors", "b.paused-000000040.safetensors"}


def test_units_that_wait_for_the_summary_lose_nothing_when_the_process_dies(tmp_path, monkeypatch):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 1})
    run.save("b", PAUSED, None)
    with monkeypatch.context() as patch:
        patch.setattr("escapedim.records.run.WRITING_SHARE", 1e-9)
        run.write("running")
        run.save("b", DONE, {"net_steps": 1})
        run.note_memory(1.0)
    assert [run.has(key) for key in "ab"] == [True, True]
    assert set(agree(tmp_path)["result"]["checkpoints"]) == {f"checkpoints/{name}" for name in NAMES_BEFORE}
    run.close()  # as a process that dies: nothing more is written
    again = open_run(tmp_path)
    assert [again.has(key) for key in "ab"] == [True, False]
    assert again.load_paused("b") is not None
    assert {path.name for path in again.paths.checkpoints.iterdir()} == NAMES_BEFORE
    again.close()


@pytest.mark.parametrize("write", [lambda run: run.write("complete"), lambda run: run.note_memory(1.0)])
def test_what_waits_is_written_when_it_is_time_and_at_the_end(tmp_path, monkeypatch, write):
    run = open_run(tmp_path)
    run.save("a", PAUSED, None)
    with monkeypatch.context() as patch:
        patch.setattr("escapedim.records.run.time.monotonic", lambda: 0.0)
        patch.setattr(run, "_due", 1.0)
        run.save("a", DONE, {"net_steps": 1})
        assert run.load_paused("a") is None
        assert list(agree(tmp_path)["result"]["checkpoints"]) == ["checkpoints/a.paused-000000040.safetensors"]
    write(run)
    assert list(agree(tmp_path)["result"]["checkpoints"]) == ["checkpoints/a.safetensors"]
    assert [path.stem for path in run.paths.checkpoints.iterdir()] == ["a"]
    run.close()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"members": 1', '"members": 2'))


def strip(path: Path) -> None:
    """Forget the finished checkpoints, and the digest that would tell."""
    document = json.loads(path.read_text())
    del document["digest"]
    document["result"]["checkpoints"] = {}
    path.write_text(json.dumps(document))


def take_over(path: Path) -> None:
    document = json.loads(path.read_text())
    del document["digest"]
    path.write_text(json.dumps(document | {"id": "f" * 16}))


DAMAGE = {
    truncate: "is not a complete JSON file",
    edit: "was edited or damaged after it was written",
    strip: "was edited after it was written (expected its digest, found none)",
    take_over: "belongs to another run (train ffffffffffffffff)",
    lambda path: path.write_text("{}"): "is not an escapedim summary",
    Path.unlink: "has checkpoints but its summary train.json is gone",
}


@pytest.mark.parametrize(("damage", "fault"), DAMAGE.items())
def test_a_lost_summary_is_replaced_by_its_copy_and_that_is_said(tmp_path, damage, fault):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 1})
    run.close()
    damage(run.paths.summary)
    there = run.paths.summary.exists()
    damaged = run.paths.summary.read_bytes() if there else b""
    again = open_run(tmp_path)
    assert again.has("a")
    (note,) = again.notes
    assert fault in note
    assert note.endswith(f"going on from the copy at {run.paths.out}.")
    aside = run.paths.summary.with_name("train.json.damaged")
    assert aside.exists() == there
    assert not there or (str(aside) in note and aside.read_bytes() == damaged)
    again.close()
    agree(tmp_path)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [flip, truncate, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_set_aside_and_its_unit_trained_again(tmp_path, damage):
    run = open_run(tmp_path)
    for key in "ab":
        run.save(key, DONE, {"net_steps": 1}, 2.0)
    run.close()
    path = run.paths.checkpoint("a")
    damage(path)
    again = open_run(tmp_path)
    assert [again.has(key) for key in "ab"] == [False, True]
    (note,) = again.notes
    assert note == (
        f"the checkpoint {path} has changed since it was written (truncated, damaged or edited), and was set aside as "
        f"{path}.damaged; that part is trained again."
    )
    again.save("a", DONE, {"net_steps": 1}, 3.0)
    again.close()
    assert agree(tmp_path)["cost"]["unit_s"] == {"a": 3.0, "b": 2.0}
    assert not open_run(tmp_path).notes


def test_a_damaged_state_of_a_paused_unit_is_replaced_by_the_one_before(tmp_path):
    run = open_run(tmp_path)
    for step in (40, 80, 120):
        run.save("a", PAUSED | {"step": np.array(step)}, None)
    run.close()
    flip(run.paths.checkpoint("a.paused-000000120"))
    again = open_run(tmp_path)
    assert int(again.load_paused("a")["step"]) == 80
    assert again.notes[0].endswith(".damaged; going on from step 80, saved before it.")
    again.close()
    flip(run.paths.checkpoint("a.paused-000000080"))
    at_last = open_run(tmp_path)
    assert at_last.load_paused("a") is None
    assert at_last.notes[0].endswith("that part is trained again.")
    at_last.close()


@pytest.mark.parametrize("damage", [edit, strip, Path.unlink])
def test_a_copy_that_is_no_help_is_not_recommended(tmp_path, damage):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 1})
    run.close()
    for path in (run.paths.summary, run.paths.out):
        damage(path)
    remedy = f"; put a good copy of it back as {run.paths.summary}, or start anew with --force."
    with pytest.raises(BadInput, match=re.escape(remedy)):
        open_run(tmp_path)
    fresh = open_run(tmp_path, force=True)
    assert fresh.keys() == []
    assert summary.read(run.paths.out).status == "running"
    fresh.close()


def test_a_summary_of_another_run_gives_way_and_both_folders_are_named(tmp_path):
    for identity in (IDENTITY, OTHER):
        run = open_run(tmp_path, identity=identity)
        run.close()
    assert run.notes == [
        f"{run.paths.out} is the summary of escapedim-runs/train-{IDENTITY}, where the original stays; "
        f"that of escapedim-runs/train-{OTHER} takes its place."
    ]
    assert summary.read(tmp_path / f"escapedim-runs/train-{IDENTITY}/train.json").id == IDENTITY
    run = open_run(tmp_path, identity=OTHER)
    assert run.notes == []
    run.close()


def test_a_new_folder_of_the_same_run_is_named_too(tmp_path):
    open_run(tmp_path).close()
    run = open_run(tmp_path, force=True)
    run.close()
    (said,) = run.notes
    assert said.endswith(f"that of escapedim-runs/train-{IDENTITY}-2 takes its place.")


@pytest.mark.parametrize("identity", [IDENTITY, OTHER], ids=["a longer run perhaps", "another"])
def test_the_only_copy_of_a_run_is_left_alone(tmp_path, identity):
    run = open_run(tmp_path)
    run.close()
    shutil.rmtree(run.paths.folder)
    before = run.paths.out.read_bytes()
    with pytest.raises(
        BadInput, match=f"is the only copy of the summary of train-{IDENTITY}, of which no original is h"
    ):
        open_run(tmp_path, identity=identity)
    assert run.paths.out.read_bytes() == before


def test_an_original_has_to_be_there_to_stay_there(tmp_path):
    run = open_run(tmp_path)
    run.close()
    run.paths.summary.unlink()
    with pytest.raises(BadInput, match="is the only copy"):
        open_run(tmp_path, identity=OTHER)
    open_run(tmp_path).close()  # the run itself goes on from the copy


def test_metrics_have_one_order_whether_they_were_just_made_or_read_again(tmp_path):
    run = open_run(tmp_path)
    run.save("a", DONE, {"net_steps": 1, "b": {"z": 1, "a": 2}})
    run.close()
    again = open_run(tmp_path)
    assert json.dumps(run._metrics) == json.dumps(again._metrics)
    again.close()


def test_files_of_others_alone_are_no_run(tmp_path):
    run = open_run(tmp_path)
    run.close()
    run.paths.summary.unlink()
    foreign = run.paths.checkpoints / "mine.safetensors"
    foreign.write_bytes(b"mine")
    again = open_run(tmp_path)
    again.save("a", DONE, {"net_steps": 1})
    again.close()
    assert foreign.read_bytes() == b"mine"


def test_checkpoint_of_another_run_is_not_taken(tmp_path):
    one = open_run(tmp_path)
    one.save("a", DONE, {"net_steps": 1})
    one.close()
    other = open_run(tmp_path / "other", identity="f" * 16)
    other.save("a", DONE, {"net_steps": 1})
    other.close()
    taken = (other.paths.checkpoint("a")).read_bytes()
    one.paths.checkpoint("a").write_bytes(taken)
    again = open_run(tmp_path)
    assert not again.has("a")
    assert "has changed since" in again.notes[0]
    assert one.paths.checkpoint("a").with_name("a.safetensors.damaged").read_bytes() == taken
    again.close()


@pytest.mark.parametrize("other", ["x", "a.paused-000000041", "x.paused-000000040"])
@pytest.mark.parametrize(
    ("arrays", "metrics", "name"), [(DONE, {"net_steps": 1}, "a"), (PAUSED, None, "a.paused-000000040")]
)
def test_checkpoint_under_another_name_is_refused_and_the_remedy_works(tmp_path, arrays, metrics, name, other):
    run = open_run(tmp_path)
    run.save("a", arrays, metrics)
    run.close()
    renamed = run.paths.checkpoint(name).rename(run.paths.checkpoint(other))
    found = summary.read(run.paths.summary)
    (sha,) = found.result.checkpoints.values()
    result = found.result.model_copy(update={"checkpoints": {f"checkpoints/{renamed.name}": sha}})
    run.paths.summary.write_bytes(summary.encode(found.model_copy(update={"result": result})))
    with pytest.raises(BadInput, match=re.escape(f"{renamed} was written as {name}.safetensors; delete it and repeat")):
        open_run(tmp_path)
    renamed.unlink()
    again = open_run(tmp_path)
    assert again.keys() == []
    again.close()


def test_seconds_of_a_unit_add_up_over_pauses_and_starts_beside_the_result(tmp_path):
    run = open_run(tmp_path)
    run.save("a", PAUSED, None, 0.5)
    run.save("a", PAUSED | {"step": np.array(80)}, None, 0.25)
    run.close()
    again = open_run(tmp_path)
    again.save("a", DONE, {"net_steps": 1}, 1.0004)
    again.save("b", DONE, {"net_steps": 1}, 2.0)
    again.close()
    document = agree(tmp_path)
    assert document["cost"]["unit_s"] == {"a": 1.75, "b": 2.0}
    assert "unit_s" not in json.dumps(document["result"])


def test_results_and_checkpoints_of_equal_units_are_equal_whatever_their_times(tmp_path):
    results = []
    for seconds in (1.0, 2.0):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        run = open_run(folder)
        run.save("a", DONE, {"net_steps": 1}, seconds)
        run.close()
        document = agree(folder)
        assert document["cost"]["unit_s"] == {"a": seconds}
        results.append(document["result"])
    assert results[0] == results[1]


def test_the_time_of_a_unit_that_has_to_begin_anew_is_forgotten(tmp_path):
    run = open_run(tmp_path)
    for key in "ab":
        run.save(key, DONE, {"net_steps": 1}, 1.5)
    run.close()
    run.paths.checkpoint("a").unlink()
    again = open_run(tmp_path)
    assert again.write("running").cost.unit_s == {"b": 1.5}
    again.save("a", DONE, {"net_steps": 1}, 0.5)
    assert again.write("running").cost.unit_s == {"a": 0.5, "b": 1.5}
    again.close()


def test_wall_time_adds_up_over_starts(tmp_path):
    run = open_run(tmp_path)
    first = run.write("complete").cost.wall_s
    run.close()
    again = open_run(tmp_path)
    assert again.write("complete").cost.wall_s >= first
    assert agree(tmp_path)["provenance"]["started"] == "2026-01-01T00:00:00+00:00"
    again.close()
