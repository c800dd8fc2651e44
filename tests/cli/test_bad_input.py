"""Bad input: one sentence on standard error, exit code 2, nothing lost."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import TINY, Cli, result_of

PRUNE = ("prune", *TINY, "--rounds", "1")

OPTIONS = {
    ("--task", "digitz"): "digits",
    ("--task", "digits:k=3"): "k",
    ("--task", "idx:nowhere"): "nowhere",
    ("-o", "fractoin=0.2"): "did you mean 'fraction'?",
    ("-o", "lr"): "key=value",
    ("--preset", "lenet-300"): "lenet-300-100",
    ("--fraction", "0"): "a number above 0 and below 1 (share of the surviving",
    ("--fraction", "nan"): "above 0 and below 1",
    ("--rounds", "0"): "rounds: expected a whole number from 1 to 1000 (train-prune-rewind cycles",
    ("--rounds", "-1"): "after the dense round 0), found -1 (flag).\n",
    ("--hidden", "3,x"): "hidden widths of an mlp from 1",
    ("--hidden", ""): "hidden has at least one width, such as 100",
    ("--jobs", "0"): "a whole number from 1 to 4096",
    ("--seed", "-1"): "a whole number from 0 to 9223372036854775807",
    ("--lr", "1e308"): "1e+30",
    ("--optimizer", "adam:eps=0"): "eps must be from",
    ("-o", "seed=true"): "not true or false",
    ("--config", "/dev/zero"): "not a regular file",
    (
        "--optimizer",
        "adamm",
    ): "optimizer: expected one of adam, adamw, sgd, gd, found 'adamm' (flag); did you mean 'adam'?\n",
    ("--optimizer", "gd", "--batch-size", "10"): "found optimizer gd (flag), batch_size 10 (flag); use sgd",
    ("--schedule", "step:at=150%"): "choose earlier points",
    ("--density", "0.1", "--fraction", "0.2"): "either density or fraction",
    ("--device", "gpu"): "device: expected one of cpu, cuda, found 'gpu' (flag)",
    ("--config", "nowhere.yaml"): "nowhere.yaml",
}


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_options(cli: Cli, tmp_path, options):
    rounds = () if {"--rounds", "--density"} & set(options) else ("--rounds", "1")
    ended = cli("prune", *TINY, *rounds, *options)
    assert_refused(ended, OPTIONS[options])
    assert list(tmp_path.iterdir()) == []


YAML = {
    "replicats: 3": "did you mean 'replicates'?",
    "fractoin: 0.2": "did you mean 'fraction'?",
    "fraction: [1": "not valid YAML",
    "- 1": "expected a mapping",
    "fraction: 0": "above 0",
    "lr: !!python/object/apply:os.system ['true']": "not valid YAML",
    "a: &a [x,x]\nb: &b [*a,*a]\nlr: [*b,*b]": "unknown key",
}


@pytest.mark.parametrize("text", YAML)
def test_yaml(cli: Cli, tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    assert_refused(cli(*PRUNE, "--config", "bad.yaml"), YAML[text])


def test_yaml_number_without_a_dot_is_a_number(cli: Cli, tmp_path):
    (tmp_path / "good.yaml").write_text("lr: 1e-3\nhidden: 8\nsteps: 5it\n")
    ended = cli("prune", "--config", "good.yaml", "--dry-run", "--json")
    assert json.loads(ended.out)["config"]["lr"] == 1e-3


def test_setting_of_another_command(cli: Cli):
    assert_refused(cli("train", *TINY, "-o", "rounds=3"), "a setting of prune")


@pytest.fixture
def finished(cli: Cli, tmp_path) -> Path:
    assert cli(*PRUNE).code == 0
    (folder,) = (tmp_path / "escapedim-runs").iterdir()
    return folder


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)


def foreign(path: Path) -> None:
    path.write_bytes(b"something else")


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"replicates": 2', '"replicates": 3'))


@pytest.mark.parametrize("damage", [truncate, flip, foreign])
def test_a_damaged_checkpoint_is_set_aside_and_trained_again(cli: Cli, finished: Path, damage):
    victim = sorted(finished.glob("checkpoints/*"))[1]
    good = {path: path.read_bytes() for path in finished.rglob("*.safetensors")}
    before = result_of(finished / "lottery.json")
    damage(victim)
    damaged = victim.read_bytes()
    ended = cli(*PRUNE)
    assert ended.code == 0
    assert f"{victim.name} has changed" in ended.err
    assert "that part is trained again" in ended.err
    assert {path: path.read_bytes() for path in finished.rglob("*.safetensors")} == good
    assert victim.with_name(f"{victim.name}.damaged").read_bytes() == damaged
    assert result_of(finished / "lottery.json") == before


def test_a_deleted_checkpoint_is_trained_again(cli: Cli, finished: Path):
    before = result_of(finished / "lottery.json")
    sorted(finished.glob("checkpoints/*"))[1].unlink()
    assert cli(*PRUNE).code == 0
    assert result_of(finished / "lottery.json") == before


@pytest.mark.parametrize("damage", [truncate, foreign, edit])
def test_damaged_summary(cli: Cli, finished: Path, tmp_path, damage):
    damage(finished / "lottery.json")
    damage(tmp_path / "lottery.json")
    checkpoints = sorted(finished.glob("checkpoints/*"))
    assert_refused(cli(*PRUNE), "lottery.json")
    assert_refused(cli("report", "lottery.json"), "lottery.json")
    assert sorted(finished.glob("checkpoints/*")) == checkpoints


def test_out_over_a_file_that_is_no_summary(cli: Cli, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert_refused(cli(*PRUNE, "--out", "thesis.txt"), "not a complete escapedim summary")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_file_where_a_folder_should_be(cli: Cli, tmp_path):
    (tmp_path / "escapedim-runs").write_text("")
    assert_refused(cli(*PRUNE), "expected a folder")


def test_unwritable_folder(cli: Cli):
    assert_refused(cli(*PRUNE, "--out", "/proc/lottery.json"), "/proc")


def test_run_of_another_version(cli: Cli, finished: Path, monkeypatch):
    monkeypatch.setattr("escapedim.records.original.__version__", "9.9")
    assert_refused(cli(*PRUNE), "--force")


def test_report_of_what_is_no_summary(cli: Cli, tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    assert_refused(cli("report", "other.json"), "not an escapedim summary")
    assert_refused(cli("report", "absent.json"), "absent.json")
    assert_refused(cli("report", "/dev/zero"), "not a regular file")


def test_run_folder_held_by_a_living_process(cli: Cli, tmp_path):
    arguments = ["prune", "--hidden", "8", "--steps", "1000000it", "--replicates", "1", "--jobs", "1", "--rounds", "1"]
    holder = subprocess.Popen([sys.executable, "-m", "escapedim", *arguments, "--quiet"], cwd=tmp_path)
    try:
        while not list(tmp_path.glob("escapedim-runs/*/lottery.json")):
            assert holder.poll() is None
            time.sleep(0.05)
        assert_refused(cli(*arguments), f"held by process {holder.pid}")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()


def test_idx_files(cli: Cli, tmp_path):
    write_idx(tmp_path / "data")
    good = cli("prune", "--task", "idx:data", *TINY, "--rounds", "1", "--batch-size", "10")
    assert good.code == 0, good.err
    for name, damage, words in (
        ("train-images-idx3-ubyte", lambda raw: b"\0\0\x08\x01" + raw[4:], "expected magic number 0x00000803"),
        ("train-images-idx3-ubyte", lambda raw: raw[:-1], "found 639; copy the file again"),
        ("train-labels-idx1-ubyte", lambda raw: raw[:4] + (39).to_bytes(4, "big") + raw[8:-1], "expected 40 labels"),
    ):
        write_idx(tmp_path / "data")
        path = tmp_path / "data" / name
        path.write_bytes(damage(path.read_bytes()))
        ended = cli("prune", "--task", "idx:data", *TINY, "--rounds", "1")
        assert_refused(ended, words)
        assert name in ended.err


def write_idx(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 2
        images = random.integers(0, 99, (count, 4, 4), dtype=np.uint8) + labels[:, None, None] * 100
        header = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in images.shape)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        packed = b"\0\0\x08\x01" + count.to_bytes(4, "big") + labels.tobytes()
        if part == "train":
            (folder / f"{part}-labels-idx1-ubyte").write_bytes(packed)
        else:
            (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(packed, mtime=0))


def assert_refused(ended, words: str) -> None:
    assert ended.code == 2, (ended.code, ended.out, ended.err)
    lines = [line for line in ended.err.splitlines() if line]
    assert len(lines) == 1, ended.err
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
