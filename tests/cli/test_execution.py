from __future__ import annotations

import errno
import json
import sys

import pytest

from escapedim.cli import execution
from escapedim.errors import EscapedimError
from escapedim.records.run import Run
from tests.cli.conftest import TINY, Cli


def test_memory_is_checked_before_training(cli: Cli, tmp_path, monkeypatch):
    monkeypatch.setattr("escapedim.cli.execution.available_mb", lambda: 100.0)
    ended = cli("prune", *TINY, "--rounds", "1")
    assert ended.code == 2
    assert "MB of memory, 100 MB are free" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_missing_gpu_is_one_sentence(cli: Cli, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    ended = cli("prune", *TINY, "--rounds", "1", "--device", "cuda")
    assert ended.code == 2
    assert "no CUDA device" in ended.err


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(cli: Cli, tmp_path):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for device in ("cpu", "cuda"):
        ended = cli(
            "prune", *TINY, "--rounds", "2", "--dtype", "float64", "--device", device, "--out", f"{device}/l.json"
        )
        assert ended.code == 0, ended.err
    cpu, cuda = (json.loads((tmp_path / name / "l.json").read_text())["result"] for name in ("cpu", "cuda"))
    for left, right in zip(cpu["rounds"], cuda["rounds"], strict=True):
        assert right["invariants"] == left["invariants"]
        for arm, values in left["arms"].items():
            assert right["arms"][arm]["train_loss"] == pytest.approx(values["train_loss"], rel=1e-6)


@pytest.mark.gpu
def test_on_cuda_graph_after_graph_is_recorded_while_members_leave(cli: Cli, tmp_path):
    """Where a member ends may depend on the last bit, but hardly ever does."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = {}
    for device in ("cpu", "cuda"):
        ended = cli(
            "widen", "--task", "relu-teacher:k=6", "--widths", "6,7", "--replicates", "1000", "--quiet", "--device",
            device, "--out", f"{device}/w.json",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        widths = json.loads((tmp_path / device / "w.json").read_text())["result"]["widths"]
        found[device] = [entry["endings"] for entry in widths]
    for left, right in zip(found["cpu"], found["cuda"], strict=True):
        assert set(left) == set(right)
        assert all(abs(left[name] - right[name]) <= 5 for name in left)


def test_violated_invariant_fails_the_run(cli: Cli, tmp_path, monkeypatch):
    def without_mask(mask, like):
        import torch

        return -torch.ones_like(mask, dtype=torch.int32)

    monkeypatch.setattr("escapedim.training.kernels.stack._bits", without_mask)
    ended = cli("prune", *TINY, "--rounds", "1")
    assert ended.code == 1
    assert "invariant violated (round 1: masked_weights_zero" in ended.err
    document = json.loads((tmp_path / "lottery.json").read_text())
    assert document["status"] == "failed"
    assert document["result"]["rounds"][1]["invariants"]["masked_weights_zero"] is False


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory (DefaultCPUAllocator"),
        (IndexError("off by one\nand more"), "IndexError: off by one (test_execution.py, line"),
    ],
    ids=["memory", "fault"],
)
def test_an_error_in_a_worker_is_one_sentence_and_fails_the_run(cli: Cli, tmp_path, monkeypatch, error, words):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("escapedim.training.stretch.descend", fail)
    ended = cli("train", *TINY, "--quiet")
    assert ended.code == 1
    assert ended.err.startswith(f"escapedim: replicates-000000-000001: {words}")
    assert "what was finished is saved" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert json.loads((tmp_path / "train.json").read_text())["status"] == "failed"


def test_a_worker_that_cannot_be_made_fails_the_run(cli: Cli, tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError("no room")

    monkeypatch.setattr("escapedim.training.workers.Data.of", fail)
    ended = cli("train", *TINY, "--quiet")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert "preparing the data: out of memory (no room)" in ended.err
    assert json.loads((tmp_path / "train.json").read_text())["status"] == "failed"


def test_a_parent_without_memory_is_one_sentence(cli: Cli, tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr("escapedim.records.checkpoint.encode", fail)
    ended = cli("train", *TINY, "--quiet")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert ended.err.startswith("escapedim: out of memory; what was finished is saved")
    assert json.loads((tmp_path / "train.json").read_text())["status"] == "failed"


def test_provenance_says_what_was_run(cli: Cli, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["escapedim", "train", "x"])
    assert cli("train", *TINY, "--seed", "7").code == 0
    document = json.loads((tmp_path / "train.json").read_text())
    provenance = document["provenance"]
    assert provenance["argv"] == ["escapedim", "train", "x"]
    assert provenance["seeds"] == {"root": 7}
    assert (provenance["device"], provenance["threads"]) == ("cpu", 1)
    assert provenance["started"] <= provenance["finished"]
    assert document["cost"]["peak_rss_mb"] > 50
    assert not {"host", "started", "run_folder"} & set(document["result"])


def test_progress_goes_to_standard_error_only(cli: Cli, monkeypatch):
    monkeypatch.setattr("escapedim.reporting.progress.INTERVAL_S", 0.0)
    ended = cli("prune", *TINY, "--rounds", "1")
    assert "8 networks × 1 round:" in ended.err
    assert "network steps" in ended.err
    assert "left" not in ended.out


def test_a_failure_that_cannot_be_noted_is_told_all_the_same(cli: Cli, monkeypatch):
    write = Run.write

    def full_disk(self, status):
        if status == "failed":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, status)

    def killed(*arguments):
        raise EscapedimError("a worker process was killed")

    monkeypatch.setattr(Run, "write", full_disk)
    monkeypatch.setattr(execution, "run_works", killed)
    ended = cli("train", *TINY)
    assert (ended.code, ended.err.splitlines()[-1]) == (1, "escapedim: a worker process was killed")
