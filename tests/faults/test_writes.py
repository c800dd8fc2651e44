"""A process that is killed at any write, or whose write fails, loses nothing: the same command ends as if untouched."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from escapedim.records import summary
from tests.cli.conftest import result_of

from .conftest import Trial

PRUNE = (
    "prune", "--hidden", "5", "--rounds", "1", "--replicates", "2", "--arms", "ticket", "--steps", "60it", "--jobs",
    "1", "--quiet",
)  # fmt: skip
SWEEP = ("sweep", "plan.yaml", "--jobs", "1")
KINDS = ("kill before", "kill after", "torn", "EIO", "ENOSPC", "SIGTERM")
DEADLY = ("kill before", "kill after", "torn")
PLAN = {
    "name": "tiny",
    "command": "prune",
    "base": {"task": "digits", "hidden": 4, "rounds": 1, "replicates": 1, "arms": "ticket", "steps": "20it"},
    "seeds": 1,
}


@pytest.fixture(scope="module")
def untouched(trial: Trial, tmp_path_factory) -> tuple[dict, int]:
    """The numbers of a run without a fault, and how many effects it has."""
    folder = tmp_path_factory.mktemp("untouched")
    ended = trial(folder, *PRUNE)
    assert (ended["code"], ended["err"]) == (0, "")
    return result_of(folder / "lottery.json"), ended["effects"]


def assert_survives(trial: Trial, folder: Path, kind: str, number: int, expected: dict) -> None:
    ended = trial(folder, *PRUNE, fault=(kind, number))
    where = f"{kind} {number}: {ended}"
    if kind in DEADLY:
        assert ended["code"] == -9, where
    else:
        assert ended["code"] in ((0, 143) if kind == "SIGTERM" else (0, 1, 2)), where
        assert ended["err"].count("\n") == bool(ended["code"]), where
        assert "fault of escapedim" not in ended["err"], where
    for path in folder.rglob("lottery.json"):
        summary.read(path)
    again = trial(folder, *PRUNE)
    assert (again["code"], again["err"]) == (0, ""), f"{where}; then {again}"
    assert result_of(folder / "lottery.json") == expected, where
    (run,) = (folder / "escapedim-runs").iterdir()
    left = [path.name for path in folder.rglob("*") if ".tmp" in path.name or "paused" in path.name]
    assert left == [], where
    assert (run / "lottery.json").read_bytes() == (folder / "lottery.json").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_some_writes(trial: Trial, untouched, tmp_path, kind):
    expected, effects = untouched
    for number in range(KINDS.index(kind) * effects // 20, effects, effects // 2):
        assert_survives(trial, tmp_path / str(number), kind, number, expected)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_every_write(trial: Trial, untouched, tmp_path, kind):
    expected, effects = untouched
    for number in range(effects):
        assert_survives(trial, tmp_path / str(number), kind, number, expected)


def test_faults_one_after_another(trial: Trial, untouched, tmp_path):
    """A machine that dies again and again: every start gets a little further."""
    expected, effects = untouched
    kills = 0
    while trial(tmp_path, *PRUNE, fault=("kill after", effects // 4))["code"] == -9:
        kills += 1
        assert kills < 50
    assert kills > 3
    assert result_of(tmp_path / "lottery.json") == expected


def sweep(trial: Trial, folder: Path, fault: tuple[str, int] | None = None) -> dict:
    folder.mkdir(exist_ok=True)
    (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    return trial(folder, *SWEEP, fault=fault)


def numbers(folder: Path) -> list[dict]:
    return [result_of(path) for path in sorted(folder.glob("sweep-tiny/runs/*/lottery.json"))]


@pytest.fixture(scope="module")
def untouched_sweep(trial: Trial, tmp_path_factory) -> tuple[list[dict], int]:
    folder = tmp_path_factory.mktemp("sweep")
    ended = sweep(trial, folder)
    assert ended["code"] == 0, ended
    found = numbers(folder)
    assert len(found) == 1
    return found, ended["effects"]


def sweep_survives(trial: Trial, folder: Path, kind: str, number: int, expected: list[dict]) -> None:
    ended = sweep(trial, folder, (kind, number))
    assert ended["code"] in ((-9,) if kind in DEADLY else (0, 1, 2, 143)), ended
    assert "Traceback" not in ended["err"], ended
    for _ in range(20):  # the command that a killed sweep had started goes on, and holds its run until it has ended
        again = sweep(trial, folder)
        if again["code"] == 0:
            break
    assert again["code"] == 0, (kind, number, again)
    assert numbers(folder) == expected, (kind, number)
    assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == [], (kind, number)
    for done in folder.glob("sweep-tiny/runs/*"):
        assert (done / "done.json").exists()
        assert not (done / "failed.json").exists()


@pytest.mark.parametrize(("kind", "share"), [("kill after", 0.5)])
def test_a_sweep_that_dies_at_a_write(trial: Trial, untouched_sweep, tmp_path, kind, share):
    expected, effects = untouched_sweep
    sweep_survives(trial, tmp_path, kind, int(share * effects), expected)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_with_a_fault_at_every_write(trial: Trial, untouched_sweep, tmp_path, kind):
    expected, effects = untouched_sweep
    for number in range(effects):
        sweep_survives(trial, tmp_path / str(number), kind, number, expected)
