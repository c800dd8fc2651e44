"""`escapedim prune` from the outside: what it writes, what continuing and extending it give."""

from __future__ import annotations

import json

import jsonschema
import pytest

from escapedim.records import summary
from tests.cli.conftest import TINY, Cli, result_of

PRUNE = ("prune", *TINY, "--rounds", "2")


def test_writes_a_valid_summary_and_prints_the_report(cli: Cli, tmp_path):
    ended = cli(*PRUNE)
    assert ended.code == 0, ended.err
    document = json.loads((tmp_path / "lottery.json").read_text())
    jsonschema.validate(document, summary.json_schema())
    assert (document["schema"], document["kind"], document["status"]) == ("escapedim.summary/1", "lottery", "complete")
    assert [entry["round"] for entry in document["result"]["rounds"]] == [0, 1, 2]
    assert list(document["result"]["rounds"][0]["arms"]) == ["dense"]
    assert list(document["result"]["rounds"][2]["arms"]) == ["ticket", "reinit", "shuffle", "random"]
    assert all(all(entry["invariants"].values()) for entry in document["result"]["rounds"])
    assert "Invariants hold in all 2 rounds" in ended.out
    assert document["cost"]["net_steps"] == 2 * (20 + 2 * 4 * 20)


def test_report_repeats_what_prune_printed(cli: Cli):
    printed = cli(*PRUNE).out
    assert cli("report", "lottery.json").out == printed


def test_copy_equals_the_original(cli: Cli, tmp_path):
    cli(*PRUNE)
    (original,) = tmp_path.glob("escapedim-runs/lottery-*/lottery.json")
    assert original.read_bytes() == (tmp_path / "lottery.json").read_bytes()
    folder = json.loads(original.read_text())["provenance"]["run_folder"]
    assert tmp_path / folder == original.parent


def test_out_moves_summary_and_run_folder(cli: Cli, tmp_path):
    assert cli(*PRUNE, "--out", "sub/mine.json").code == 0
    assert (tmp_path / "sub" / "mine.json").exists()
    assert list(tmp_path.glob("sub/escapedim-runs/lottery-*"))
    assert not (tmp_path / "lottery.json").exists()


def test_result_does_not_depend_on_the_number_of_processes(cli: Cli, tmp_path):
    cli(*PRUNE)
    cli("prune", *TINY[:-1], "2", "--rounds", "2", "--out", "two/lottery.json")
    assert result_of(tmp_path / "lottery.json") == result_of(tmp_path / "two/lottery.json")


def test_more_rounds_and_replicates_extend_to_what_a_fresh_run_gives(cli: Cli, tmp_path):
    cli("prune", *TINY, "--rounds", "1")
    assert cli("prune", *TINY, "--rounds", "3").code == 0
    assert cli("prune", *TINY, "--replicates", "3", "--rounds", "3").code == 0
    assert len(list((tmp_path / "escapedim-runs").iterdir())) == 1
    cli("prune", *TINY, "--replicates", "3", "--rounds", "3", "--out", "fresh/lottery.json")
    assert result_of(tmp_path / "lottery.json") == result_of(tmp_path / "fresh/lottery.json")


def test_the_same_command_again_trains_nothing(cli: Cli, tmp_path, monkeypatch):
    cli(*PRUNE)
    before = result_of(tmp_path / "lottery.json")
    monkeypatch.setattr("escapedim.training.stretch.descend", None)
    assert cli(*PRUNE).code == 0
    assert result_of(tmp_path / "lottery.json") == before


def test_fewer_rounds_than_the_run_has_lose_nothing(cli: Cli, tmp_path):
    cli(*PRUNE)
    ended = cli("prune", *TINY, "--rounds", "1")
    assert ended.code == 0
    assert "more than was asked for" in ended.err
    assert len(result_of(tmp_path / "lottery.json")["rounds"]) == 3


def test_force_starts_a_new_folder_with_the_same_result(cli: Cli, tmp_path):
    cli(*PRUNE)
    before = result_of(tmp_path / "lottery.json")
    cli(*PRUNE, "--force")
    assert sorted(path.name[-2:] == "-2" for path in (tmp_path / "escapedim-runs").iterdir()) == [False, True]
    assert result_of(tmp_path / "lottery.json") == before


def test_json_is_alone_on_standard_output(cli: Cli, tmp_path):
    ended = cli(*PRUNE, "--json")
    assert json.loads(ended.out) == json.loads((tmp_path / "lottery.json").read_text())
    assert "Invariants hold" in ended.err


def test_quiet_says_nothing(cli: Cli):
    ended = cli(*PRUNE, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize(
    "options",
    [
        ("--density", "0.1"),
        ("--density", "0.1", "--scope", "global"),
        ("--scope", "global", "--criterion", "movement"),
        ("--granularity", "unit", "--fraction", "0.5"),
        ("--criterion", "snip", "--arms", "ticket,random"),
        ("--rewind-to", "5it", "--keep", "7it,50%"),
        ("--optimizer", "sgd:momentum=0.9,nesterov=true", "--schedule", "cosine:warmup=10%", "--lr", "0.1"),
        ("--optimizer", "gd", "--lr", "0.5", "--dtype", "float64"),
        ("--hidden", "6,5,4", "--activation", "tanh"),
    ],
)
def test_settings_of_the_design_run_with_all_invariants(cli: Cli, tmp_path, options):
    rounds = () if "--density" in options else ("--rounds", "2")
    ended = cli("prune", *TINY, *rounds, *options)
    assert ended.code == 0, ended.err
    result = result_of(tmp_path / "lottery.json")
    assert all(all(entry["invariants"].values()) for entry in result["rounds"])
    if "--density" in options:
        last = result["rounds"][-1]
        assert last["surviving"] == pytest.approx(0.1 * last["total"], abs=len(last["layers"]))


def test_diverged_members_are_results(cli: Cli, tmp_path):
    ended = cli("prune", *TINY, "--rounds", "1", "--optimizer", "sgd", "--lr", "1e30")
    assert ended.code == 0, ended.err
    (dense, pruned) = result_of(tmp_path / "lottery.json")["rounds"]
    assert dense["arms"]["dense"]["test_accuracy"] == [None, None]
    assert pruned["arms"]["ticket"]["success"] == [False, False]
    assert pruned["matching"] in (False, None)
    assert "nan" not in ended.out.lower()


def test_deep_unit_pruning_in_global_scope_never_empties_a_layer(cli: Cli, tmp_path):
    options = ("--granularity", "unit", "--scope", "global", "--fraction", "0.5", "--criterion", "random")
    ended = cli("prune", *TINY, "--hidden", "2,30,2,3", "--rounds", "6", *options)
    assert ended.code == 0, ended.err
    for entry in result_of(tmp_path / "lottery.json")["rounds"]:
        assert all(entry["invariants"].values())
        assert all(layer["units_alive"] >= 1 for layer in entry["layers"])


def test_an_emptied_layer_is_a_finding_of_a_complete_run(cli: Cli, tmp_path):
    ended = cli("prune", *TINY, "--rounds", "1", "--scope", "global", "--fraction", "0.9999")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "lottery.json").read_text())["status"] == "complete"
    last = result_of(tmp_path / "lottery.json")["rounds"][1]
    assert [name for name, holds in last["invariants"].items() if not holds] == ["no_layer_empty"]
    assert "Round 1: layers layer1.weight and layer2.weight have no weights left;" in " ".join(ended.out.split())
    assert "INVARIANTS FAIL" not in ended.out
    assert "Pruning: 99.99 % a round, scope global" in ended.out


def test_lost_summary_is_not_taken_for_a_new_run(cli: Cli, tmp_path):
    cli(*PRUNE)
    (summary_file,) = tmp_path.glob("escapedim-runs/*/lottery.json")
    checkpoints = sorted(summary_file.parent.glob("checkpoints/*"))
    copy, good = tmp_path / "lottery.json", summary_file.read_bytes()
    summary_file.unlink()
    copy.unlink()
    ended = cli(*PRUNE)
    assert ended.code == 2
    assert "its summary lottery.json is gone" in ended.err
    assert sorted(summary_file.parent.glob("checkpoints/*")) == checkpoints
    copy.write_bytes(good)
    ended = cli(*PRUNE)
    assert ended.code == 0
    assert "its summary lottery.json is gone; going on from the copy at lottery.json." in ended.err
    assert json.loads(summary_file.read_bytes())["result"] == json.loads(good)["result"]
    assert sorted(summary_file.parent.glob("checkpoints/*")) == checkpoints


def test_files_of_others_in_the_run_folder_stay(cli: Cli, tmp_path):
    cli(*PRUNE)
    (folder,) = tmp_path.glob("escapedim-runs/*/checkpoints")
    (folder / "mine.safetensors").write_bytes(b"mine")
    assert cli(*PRUNE).code == 0
    assert (folder / "mine.safetensors").read_bytes() == b"mine"


def test_scope_replaces_the_output_fraction_of_a_preset(cli: Cli):
    ended = cli("prune", "--preset", "lenet-300-100", "--scope", "global", "--dry-run", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["config"]["output_fraction"] is None
