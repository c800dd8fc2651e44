from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from escapedim.cli.main import app, run
from escapedim.errors import BadInput
from escapedim.models.mlp import MLP
from escapedim.records.finished import FinishedRun
from escapedim.rewinding.source import PruneSource

MODEL = MLP((64, 5, 10), "relu")
NAMES = ("layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias")
COMMAND = ("prune", "--hidden", "5", "--rounds", "2", "--steps", "10it", "--replicates", "2", "--jobs", "1", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("prune")
    assert run(lambda: app([*COMMAND, "--out", str(found / "lottery.json")])) == 0
    return found


def source(folder: Path, model: MLP = MODEL, rounds: int = 2) -> PruneSource:
    return PruneSource.of(FinishedRun.read(folder / "lottery.json", ("lottery",)), model, "float32", rounds, 2)


def stored(folder: Path, number: int, replicate: int) -> dict[str, np.ndarray]:
    (path,) = folder.glob(f"escapedim-runs/*/checkpoints/round-{number:03d}-replicate-{replicate:04d}.safetensors")
    return load_file(path)


def row(arrays: dict[str, np.ndarray], prefix: str) -> np.ndarray:
    return np.concatenate([arrays[f"{prefix}.{name}"].ravel() for name in NAMES])


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("replicate", [0, 1])
def test_what_a_round_starts_from_is_what_the_checkpoints_hold(folder, number, replicate):
    found = source(folder).left(number, replicate)
    dense, before, own = (stored(folder, n, replicate) for n in (0, number - 1, number))
    assert found.points.keys() == {0, 1, 2, 5, 10}
    for step, points in found.points.items():
        assert np.array_equal(points, row(dense, f"step{step}"))
    assert np.array_equal(found.end, row(before, "ticket.end" if number > 1 else "dense.end"))
    assert found.masks.keys() == {"ticket", "shuffle", "random"}
    kept = own["ticket.mask.layer1.weight"]
    assert np.array_equal(found.masks["ticket"][: kept.size], kept.ravel())
    assert found.masks["ticket"][kept.size : kept.size + 5].all()
    assert found.surviving == sum(own[f"ticket.mask.{name}"].sum() for name in NAMES if "weight" in name)


def test_ends_of_all_rounds(folder):
    ends = source(folder).ends(1)
    assert np.array_equal(ends[0], row(stored(folder, 0, 1), "dense.end"))
    assert np.array_equal(ends[2], row(stored(folder, 2, 1), "ticket.end"))
    assert source(folder).kept == (0, 1, 2, 5, 10)


def test_another_network_is_refused(folder):
    with pytest.raises(BadInput, match=r"expected the checkpoint round-000.* with dense.end.layer1.weight \(6, 64\)"):
        source(folder, MLP((64, 6, 10), "relu"))
    with pytest.raises(BadInput, match="expected the checkpoint round-003"):
        source(folder, rounds=3)
