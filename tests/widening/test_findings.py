from __future__ import annotations

from dataclasses import replace

import pytest

from escapedim.tasks import relu_teacher
from escapedim.widening.findings import MOST, Judge, landings, members_of
from tests.training.plain import toy_task


def member(ending: str, level: float | None = None, success: bool = False) -> dict:
    return {"ending": ending, "level": level, "success": success}


def test_columns_are_read_as_members():
    assert members_of({"a": [1, 2], "b": ["x", "y"]}) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert members_of({}) == []


# Task, whether sources are certified: by what members are judged.
JUDGES = [
    (relu_teacher.load(3), True, "ending"),
    (relu_teacher.load(3), False, "success"),
    (toy_task(), True, "success"),
    (replace(toy_task(), global_below=0.1), True, "ending"),
]


@pytest.mark.parametrize(("task", "certified", "by"), JUDGES)
def test_members_are_judged_by_their_ending_where_it_can_be_global(task, certified, by):
    judge = Judge.of(task, certified)
    assert judge.by == by
    members = [member("global minimum", 0.0, success=False), member("bad minimum", 0.1, success=True)]
    assert judge.all(members) == ([True, False] if by == "ending" else [False, True])


def test_landings_are_endings_by_loss_most_frequent_first():
    members = [
        *[member("bad minimum", 0.02 * (1 + 1e-9 * n)) for n in range(3)],
        member("bad minimum", 0.05),
        *[member("global minimum", 1e-4 * n) for n in range(5)],
        member("undecided"),
        member("undecided"),
        member("saddle", 0.02),
    ]
    found = [(one.ending, one.loss and round(one.loss, 6), one.members) for one in landings(members)]
    assert found == [
        ("global minimum", None, 5),
        ("bad minimum", 0.02, 3),
        ("undecided", None, 2),
        ("saddle", 0.02, 1),
        ("bad minimum", 0.05, 1),
    ]
    assert sum(one.members for one in landings(members)) == len(members)


def test_rare_landings_beyond_the_most_are_left_out():
    members = [member("bad minimum", float(n)) for n in range(1, 31)]
    assert len(landings(members)) == MOST == 20
    assert landings([]) == []
