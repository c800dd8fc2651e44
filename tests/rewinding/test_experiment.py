"""A whole rewind run in this process: its entries are recomputed from the metrics of its stacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from escapedim.cli.main import app, run
from escapedim.comparison.tickets import clustered_rate
from escapedim.records import checkpoint
from escapedim.records.results import RewindResult
from escapedim.records.summary import read
from tests.rewinding.test_source import COMMAND

OPTIONS = ("--to", "init,20%", "--draws", "2", "--round", "1:2", "--jobs", "1", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("rewind")
    more = ("--replicates", "4", "--steps", "30it")
    assert run(lambda: app([*COMMAND, *more, "--out", str(found / "lottery.json")])) == 0
    out = ("--out", str(found / "rewind.json"))
    assert run(lambda: app(["rewind", str(found / "lottery.json"), *OPTIONS, *out])) == 0
    return found


@pytest.fixture(scope="module")
def result(folder: Path) -> RewindResult:
    found = read(folder / "rewind.json").result
    assert isinstance(found, RewindResult)
    return found


def metrics(folder: Path, part: str) -> list[dict]:
    paths = sorted(folder.glob(f"escapedim-runs/rewind-*/checkpoints/{part}*"))
    assert paths
    hashes = read(folder / "rewind.json").result.checkpoints
    return [checkpoint.read(path, hashes[f"checkpoints/{path.name}"])[1]["metrics"] for path in paths]


def test_all_that_was_planned_was_trained_as_one_set_of_stacks(folder, result):
    cost = json.loads((folder / "rewind.json").read_text())["cost"]
    assert cost["net_steps"] == sum(own["net_steps"] for own in metrics(folder, "round-"))
    # weights, lr, reinit, a copy and two dense ones from both points; around tickets and controls 1 masked, 1 + 1
    # original (that of ticket and random is the dense network, but cut otherwise), 6 redrawn and 1 frozen each.
    first, second = (len(own["whole"]) / 4 for own in metrics(folder, "round-001"))
    assert (first, second) == (6 + 1 + 3 + 18 + 3, 6)


def test_rates_are_clustered_and_differences_are_paired(result):
    for entry in result.complements:
        for kind, found in entry.subnetworks.items():
            assert found.networks == 4 * entry.draws
            assert (found.whole.value, found.whole.interval) == clustered_rate(found.whole_success)
            assert (found.alone.value, found.alone.interval) == clustered_rate(found.alone_success)
            assert all(share * entry.draws % 1 == 0 for share in (*found.whole_success, *found.alone_success)), kind
        for against in entry.against:
            ticket, other = entry.subnetworks["ticket"], entry.subnetworks[against.control]
            differences = np.subtract(ticket.alone_accuracy, other.alone_accuracy)
            assert against.alone_accuracy.difference == pytest.approx(differences.mean())
            if np.ptp(differences) > 1e-12:
                assert against.alone_accuracy.p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)


def test_modes_are_against_the_dense_network_of_the_same_replicate(folder, result):
    dense = read(folder / "lottery.json").result.rounds[0].arms["dense"].test_accuracy
    for entry in result.modes:
        differences = np.subtract(entry.arm.test_accuracy, dense)
        assert entry.against_dense.difference == pytest.approx(differences.mean())
        assert (entry.to, entry.steps) in ((0, 30), (6, 24))


def test_barriers_are_means_over_replicates(result):
    orders, others = {"data orders", "dense data orders"}, {"ticket and dense", "successive rounds"}
    assert {line.between for line in result.instability} == orders | others
    for line in result.instability:
        assert len(line.barriers) == len(line.aligned) == 4
        assert line.mean == pytest.approx(np.mean(line.barriers))
        assert line.standard_error == pytest.approx(np.std(line.barriers, ddof=1) / 2)
        assert line.stable == (line.mean < 0.02 if line.between in orders else None)
        assert (line.invariants is None) == (line.between == "successive rounds")
        assert len(line.alphas) == len(line.errors) == 30


def test_successive_rounds_are_the_ends_of_the_prune_run(folder, result):
    accuracies = {
        entry.round: entry.arms["ticket" if entry.round else "dense"].test_accuracy
        for entry in read(folder / "lottery.json").result.rounds
    }
    lines = {line.round: line for line in result.instability if line.between == "successive rounds"}
    assert lines.keys() == {1, 2}
    for number, line in lines.items():
        ends = [1 - np.mean(accuracies[at]) for at in (number - 1, number)]
        assert [line.errors[0], line.errors[-1]] == pytest.approx(ends)
