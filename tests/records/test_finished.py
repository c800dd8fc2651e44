"""Finished runs: which summaries are read, their names, and checkpoints by their recorded hashes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from escapedim import __version__
from escapedim.errors import BadInput
from escapedim.records import atomic, checkpoint, summary
from escapedim.records.finished import FinishedRun
from escapedim.records.results import TrainResult
from escapedim.records.run import Run
from escapedim.records.summary import Provenance, Status

IDENTITY = "0123456789abcdef"
STACKS = {
    "replicates-000000-000001": np.arange(6.0).reshape(2, 3),
    "replicates-000002-000002": np.full((1, 3), 7.0),
}


def describe(metrics, checkpoints) -> TrainResult:
    count = 3
    return TrainResult(
        success_criterion="train_accuracy >= 0.95",
        parameters=3,
        members=count,
        successes=0,
        success_rate=0.0,
        success_interval=(0.0, 0.7),
        endings={"undecided": count},
        replicates=list(range(count)),
        train_loss=[1.0] * count,
        success=[False] * count,
        ending=["undecided"] * count,
        kept_steps=[],
        checkpoints=dict(checkpoints),
    )


def written(folder: Path, status: Status = "complete", version: str = __version__) -> Path:
    """A run with two stacks; the path of the copy of its summary."""
    run = Run.open(folder / "train.json", "train", IDENTITY, force=False)
    run.begin({"seed": 0}, Provenance(version=version, run_folder=f"escapedim-runs/train-{IDENTITY}"), describe)
    for key, array in STACKS.items():
        run.save(key, {"step20.w": array}, {"net_steps": 20, "members": [{"loss": 0.5}] * len(array)})
    run.write(status)
    run.close()
    return folder / "train.json"


def changed(path: Path, change: Callable[[dict], None]) -> None:
    """Edit a summary as its owner might, without the digest."""
    document = json.loads(path.read_text())
    document.pop("digest", None)
    change(document)
    path.write_text(json.dumps(document))


def test_checkpoints_by_key(tmp_path):
    run = FinishedRun.read(written(tmp_path), ("train", "widen"))
    found = run.checkpoints()
    assert list(found) == list(STACKS)
    for key, (arrays, metrics) in found.items():
        assert np.array_equal(arrays["step20.w"], STACKS[key])
        assert metrics == {"net_steps": 20, "members": [{"loss": 0.5}] * len(STACKS[key])}


def test_the_original_beside_its_checkpoints_is_the_same_run(tmp_path):
    copy = FinishedRun.read(written(tmp_path), ("train",))
    original = FinishedRun.read(tmp_path / "escapedim-runs" / f"train-{IDENTITY}" / "train.json", ("train",))
    assert original.name == copy.name
    assert original.checkpoints().keys() == copy.checkpoints().keys()


def test_a_name_is_that_of_what_was_found_wherever_it_lies(tmp_path):
    path = written(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = (FinishedRun.read(tmp_path / place / "train.json", ("train",)) for place in ("here", "there"))
    assert here.name == there.name
    assert re.fullmatch(f"train-{IDENTITY}-[0-9a-f]{{16}}", here.name)
    changed(path, lambda document: document["cost"].update(wall_s=9.0))
    assert FinishedRun.read(path, ("train",)).name == here.name
    changed(path, lambda document: document["result"].update(train_loss=[1.0, 1.0, 2.0]))
    assert FinishedRun.read(path, ("train",)).name != here.name


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_an_unfinished_run_is_refused(tmp_path, status):
    path = written(tmp_path, status)
    with pytest.raises(BadInput) as caught:
        FinishedRun.read(path, ("train",))
    assert str(caught.value) == f"{path}: expected a finished run, found one that is {status}; finish it first."


def test_other_kinds_are_refused(tmp_path):
    path = written(tmp_path)
    with pytest.raises(BadInput) as caught:
        FinishedRun.read(path, ("lottery", "widen"))
    assert str(caught.value) == f"{path}: expected a lottery or widen summary, found a train summary; name one."


def test_another_version_is_refused(tmp_path):
    path = written(tmp_path, version="0.0.1")
    with pytest.raises(BadInput) as caught:
        FinishedRun.read(path, ("train",))
    assert str(caught.value) == (
        f"{path} was written by escapedim 0.0.1, this is {__version__}; repeat that run, or use that version."
    )


def test_what_is_no_summary_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"cannot read .*none\.json: No such file"):
        FinishedRun.read(tmp_path / "none.json", ("train",))
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match="is not a complete JSON file"):
        FinishedRun.read(path, ("train",))


def first_checkpoint(folder: Path) -> Path:
    return min(folder.rglob("*.safetensors"))


def missing(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def exchanged(path: Path) -> None:
    shutil.copy(max(path.parent.iterdir()), path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (missing, "is missing"),
        (truncated, "has changed since it was written"),
        (flipped, "has changed since it was written"),
        (exchanged, "has changed since it was written"),
    ],
)
def test_damaged_checkpoints_are_refused(tmp_path, damage, message):
    run = FinishedRun.read(written(tmp_path), ("train",))
    path = first_checkpoint(tmp_path)
    damage(path)
    with pytest.raises(BadInput, match=re.escape(f"the checkpoint {path} {message}")):
        run.checkpoints()


def test_a_summary_that_was_moved_without_its_folder_says_what_is_missing(tmp_path):
    path = written(tmp_path)
    (tmp_path / "away").mkdir()
    shutil.copy(path, tmp_path / "away" / "train.json")
    with pytest.raises(BadInput, match=r"the checkpoint .*away/checkpoints/replicates-.* is missing"):
        FinishedRun.read(tmp_path / "away" / "train.json", ("train",)).checkpoints()


@pytest.mark.parametrize("metadata", [{"run": "f" * 16}, {"key": "replicates-000000-000000"}, {}], ids=str)
def test_a_checkpoint_of_another_run_under_the_right_hash_is_refused(tmp_path, metadata):
    path = written(tmp_path)
    file = first_checkpoint(tmp_path)
    right = {"run": IDENTITY, "key": file.stem, "metrics": {}}
    data = checkpoint.encode({}, {**right, **metadata} if metadata else {"metrics": {}})
    atomic.write_atomic(file, data)
    name = f"checkpoints/{file.name}"
    changed(path, lambda document: document["result"]["checkpoints"].update({name: checkpoint.sha256(data)}))
    with pytest.raises(BadInput, match=re.escape(f"the checkpoint {file} belongs to another run")):
        FinishedRun.read(path, ("train",)).checkpoints()


def test_a_digest_that_does_not_fit_is_told(tmp_path):
    path = written(tmp_path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "status": "complete", "config": {"seed": 1}}))
    with pytest.raises(summary.BadSummary, match="was edited or damaged after it was written"):
        FinishedRun.read(path, ("train",))
