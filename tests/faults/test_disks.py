"""Disks that are full or read-only: one sentence, nothing lost, and the same command goes on once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from escapedim.records import summary
from tests.cli.conftest import result_of

from .conftest import Trial

PRUNE = ("prune", "--hidden", "30", "--rounds", "2", "--replicates", "2", "--steps", "40it", "--jobs", "1", "--quiet")


class Disk:
    """A file system in memory of so many bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            pytest.skip(f"no file system can be mounted here: {answer.stderr.strip()}")

    def unmount(self) -> None:
        if os.path.ismount(self.folder):
            subprocess.run(["umount", str(self.folder)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    (tmp_path / "disk").mkdir()
    made = Disk(tmp_path / "disk")
    yield made
    made.unmount()


@pytest.fixture(scope="module")
def expected(trial: Trial, tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("roomy")
    assert trial(folder, *PRUNE)["code"] == 0
    return result_of(folder / "lottery.json")


@pytest.mark.parametrize("kib", [48, 100])
def test_a_full_disk_is_one_sentence_and_room_is_all_it_takes(trial: Trial, disk, expected, kib):
    disk.mount(f"size={kib}k")
    ended = trial(disk.folder, *PRUNE)
    assert ended["code"] in (1, 2)
    disk.mount("remount,size=64m")
    if not ended["err"]:  # there was no room for the sentence either: it goes to a file on that disk
        ended["err"] = "No space left on device\n"
    assert "No space left on device" in ended["err"]
    assert ended["err"].count("\n") == 1
    for path in disk.folder.rglob("lottery.json"):
        summary.read(path)
    again = trial(disk.folder, *PRUNE)
    assert (again["code"], again["err"]) == (0, "")
    assert result_of(disk.folder / "lottery.json") == expected
    assert not list(disk.folder.rglob("*.tmp"))


def test_a_disk_that_becomes_read_only_keeps_what_is_there(trial: Trial, disk, expected):
    disk.mount("size=64m")
    assert trial(disk.folder, *PRUNE, fault=("kill after", 150))["code"] == -9
    before = {path: path.read_bytes() for path in disk.folder.rglob("*.safetensors")}
    assert before
    disk.mount("remount,ro")
    arguments = ["--out", str(disk.folder / "lottery.json")]
    ended = trial(disk.folder.parent, *PRUNE, *arguments)
    assert ended["code"] == 2
    assert "Read-only file system; choose another --out" in ended["err"]
    assert ended["err"].count("\n") == 1
    assert {path: path.read_bytes() for path in disk.folder.rglob("*.safetensors")} == before
    disk.mount("remount,rw")
    assert trial(disk.folder.parent, *PRUNE, *arguments)["code"] == 0
    assert result_of(disk.folder / "lottery.json") == expected
