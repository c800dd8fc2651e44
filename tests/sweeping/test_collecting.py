"""What a sweep collects into its folder, and what is left alone there because the user put it there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from escapedim.errors import BadInput
from escapedim.records import summary
from escapedim.records.ledger import LEDGER
from escapedim.sweeping.collecting import COLLECTED, check_collected, collect
from escapedim.sweeping.runs import SweepRun, expand
from escapedim.sweeping.sweep_plan import SweepPlan
from tests.comparison import cases
from tests.reporting.compare_cases import comparison
from tests.reporting.conftest import envelope

MADE = {"widen": cases.widen(), "compare": envelope("compare", comparison().model_dump(mode="json"))}


def plan(comparisons: int = 1) -> SweepPlan:
    then = [{"command": "compare", "base": {"seed": number}} for number in range(comparisons)]
    return SweepPlan.model_validate({"name": "a", "command": "widen", "then": then})


def done(run: SweepRun, out: Path, wall_s: float = 1.0) -> None:
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
    for action in (check_collected, collect):
        with pytest.raises(BadInput, match=r"did not write, or that was changed since; move it away"):
            action(plan(), expand(plan()), out)
    assert sorted(path.name for path in out.iterdir()) == sorted([name, "runs"])
    assert (out / name).read_bytes() == content


def test_what_is_no_file_is_refused(out):
    os.mkfifo(out / "compare.json")
    with pytest.raises(BadInput, match=r"compare\.json is a file that escapedim did not write"):
        check_collected(plan(), expand(plan()), out)


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


def test_a_folder_of_an_earlier_version_has_no_ledger(out):
    """What it holds is known by this plan's name, and by its comparisons, though the plan has others now."""
    collected(out)
    (out / LEDGER).unlink()
    assert collected(out) == [COLLECTED, "compare.json"]
    (out / LEDGER).unlink()
    longer = plan().model_copy(update={"then": [plan(2).then[1]]})
    done(expand(longer)[1], out, wall_s=3.0)
    assert [path.name for path in collect(longer, expand(longer), out)] == [COLLECTED, "compare.json"]


def test_results_of_another_plan_that_the_user_put_there_are_refused(out):
    collected(out)
    (out / LEDGER).unlink()
    other = plan().model_copy(update={"name": "b"})
    with pytest.raises(BadInput, match=r"collected\.json is a file that escapedim did not write"):
        collect(other, expand(other), out)


def test_runs_that_were_removed_leave_a_folder_that_is_still_known(out):
    collected(out)
    shutil.rmtree(out / "runs")
    check_collected(plan(), expand(plan()), out)


def test_two_plans_in_one_folder_know_each_others_files(out):
    collected(out)
    other = plan().model_copy(update={"name": "b"})
    assert [path.name for path in collect(other, expand(other), out)] == [COLLECTED, "compare.json"]


def test_results_have_one_text_whatever_the_order_of_their_keys(out):
    collected(out)
    before = (out / COLLECTED).read_bytes()
    path = expand(plan())[0].summary(out)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(document.items()))))
    collected(out)
    assert (out / COLLECTED).read_bytes() == before
