"""What a sweep collects into its folder, and what is left alone there because the user put it there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from escapedim.errors import BadInput
from escapedim.records import summary
from escapedim.sweeping.collecting import COLLECTED, check_collected, collect
from escapedim.sweeping.copies import RECORD
from escapedim.sweeping.plan import Plan
from escapedim.sweeping.runs import Run, expand
from tests.comparison import cases
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import envelope

MADE = {"widen": cases.widen(), "compare": envelope("compare", comparison().model_dump(mode="json"))}


def plan(comparisons: int = 1) -> Plan:
    then = [{"command": "compare", "base": {"seed": number}} for number in range(comparisons)]
    return Plan.model_validate({"name": "a", "command": "widen", "then": then})


def done(run: Run, out: Path, wall_s: float = 1.0) -> None:
    """Put a run there that is complete."""
    run.folder(out).mkdir(parents=True, exist_ok=True)
    made = MADE[run.command]
    made = made.model_copy(update={"cost": made.cost.model_copy(update={"wall_s": wall_s})})
    run.summary(out).write_bytes(summary.encode(made))
    (run.folder(out) / "done.json").write_text(json.dumps({"id": made.id, "wall_s": 1.0}))


def collected(out: Path, comparisons: int = 1) -> list[str]:
    made = plan(comparisons)
    return [path.name for path in collect(made, expand(made), out)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    for run in expand(plan(2)):
        done(run, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [COLLECTED, "compare.json"])
@pytest.mark.parametrize("content", [b"mine", summary.encode(MADE["widen"]), summary.encode(MADE["compare"])[:-2]])
def test_the_users_own_files_are_refused_before_anything_is_written(out, name, content):
    (out / name).write_bytes(content)
    for action in (check_collected, lambda runs, out: collect(plan(), runs, out)):
        with pytest.raises(BadInput, match=r"choose another --out"):
            action(expand(plan()), out)
    assert sorted(path.name for path in out.iterdir()) == sorted([name, "runs"])
    assert (out / name).read_bytes() == content


def test_what_is_no_file_is_refused(out):
    os.mkfifo(out / "compare.json")
    with pytest.raises(BadInput, match=r"compare\.json is not what this sweep wrote, and its"):
        check_collected(expand(plan()), out)


def test_own_files_are_replaced_though_the_run_was_made_again(out):
    assert collected(out) == [COLLECTED, "compare.json"]
    first = (out / "compare.json").read_bytes()
    done(expand(plan())[1], out, wall_s=2.0)
    assert collected(out) == [COLLECTED, "compare.json"]
    assert (out / "compare.json").read_bytes() != first


def test_copies_of_an_earlier_plan_are_removed_and_files_of_their_names_are_not(out):
    assert collected(out, 2) == [COLLECTED, "compare-1.json", "compare-2.json"]
    (out / "compare-2.json").write_text("mine")
    (out / "compare-3.json").write_text("mine too")
    assert collected(out) == [COLLECTED, "compare.json"]
    assert {path.name for path in out.glob("compare*.json")} == {"compare.json", "compare-2.json", "compare-3.json"}
    assert (out / "compare-2.json").read_text() == "mine"


def test_a_folder_of_an_earlier_version_has_no_record(out):
    collected(out)
    (out / RECORD).unlink()
    assert collected(out) == [COLLECTED, "compare.json"]


@pytest.mark.parametrize("at", range(4))
def test_a_kill_between_any_two_writes_leaves_what_is_known(out, monkeypatch, at):
    collected(out)
    done(expand(plan())[1], out, wall_s=2.0)
    writes, replace = iter(range(99)), os.replace

    def killed(*names: str) -> None:
        if next(writes) == at:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        collected(out)
    monkeypatch.undo()
    assert collected(out) == [COLLECTED, "compare.json"]
    assert (out / "compare.json").read_bytes() == expand(plan())[1].summary(out).read_bytes()


@pytest.mark.parametrize("damage", ["{", '{"compare.json": 3}', '{"../x": ["0"]}', "[" * 9999])
def test_a_damaged_record_is_as_good_as_none(out, damage):
    collected(out)
    (out / RECORD).write_text(damage)
    assert collected(out) == [COLLECTED, "compare.json"]


def test_results_have_one_text_whatever_the_order_of_their_keys(out):
    collected(out)
    before = (out / COLLECTED).read_bytes()
    path = expand(plan())[0].summary(out)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(document.items()))))
    collected(out)
    assert (out / COLLECTED).read_bytes() == before
