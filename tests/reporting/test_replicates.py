import pytest

from escapedim.reporting import replicates
from tests.reporting.conftest import arm, text, train

ENDINGS = ["bad minimum", "bad minimum", "global minimum", "undecided", "diverged"]
CURVATURE = {
    "endings": {"bad minimum": 2, "global minimum": 1, "undecided": 1, "diverged": 1},
    "ending": ENDINGS,
    "reason": ["", "", "", "the polish left the basin", ""],
    "marginal": [False, True, False, False, False],
    "smallest_eigenvalue": [0.00341, 1.2e-12, -3e-11, None, None],
    "negative_directions": [0, 0, 1, None, None],
    "moved": [1.25, 1.5, 1.0, 4.0, None],
    "steps": [4120, 5000, 3999, 10_000, 300],
}
LOSSES_ONLY = {"train_accuracy": None, "test_loss": None, "test_accuracy": None}
LOSSES_ONLY |= {"test_accuracy_at_best_validation": None}


def edited(summary, **changes):
    return summary.model_copy(update={"result": summary.result.model_copy(update=changes)})


def table(columns, **changes):
    return replicates.table(edited(train(), **changes).result, columns)


def test_curvature_stands_before_the_ending():
    assert table(80, **CURVATURE, **LOSSES_ONLY) == [
        "replicate    train  success    smallest    negative            ending",
        "              loss           eigenvalue  directions",
        "─" * 69,
        "0           0.0105      yes     0.00341           0     bad minimum",
        "1          0.00927      yes     1.2e-12           0     bad minimum ~",
        "2           0.0114      yes      -3e-11           1  global minimum",
        "3          0.00987      yes           -           -       undecided",
        "4                -       no           -           -        diverged",
        "~ marginal: an eigenvalue cannot be told from 0",
    ]


def test_curvature_moves_below_where_there_is_no_room():
    lines = table(80, **CURVATURE)
    assert lines[0].split()[-1] == "success"
    assert lines[9].split() == ["replicate", "ending", "smallest", "negative"]
    assert lines[12].split() == ["0", "bad", "minimum", "0.00341", "0"]


def test_without_a_marginal_ending_there_is_no_mark():
    plain = {**CURVATURE, "marginal": [False] * 5}
    assert not any("~" in line for line in table(80, **plain, **LOSSES_ONLY))


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("changes", [CURVATURE, {**CURVATURE, **LOSSES_ONLY}, {"ending": ["plateau saddle"] * 5}])
def test_replicates_keep_the_width(columns, changes):
    assert max(map(len, text(edited(train(), **changes), columns).splitlines())) <= columns


def test_lists_of_another_program_may_be_short():
    rows = [line.split() for line in table(80, ending=["undecided"], test_loss=arm([0.9])["test_loss"])]
    assert [row[-1] for row in rows[3:5]] == ["undecided", "-"]
    assert [row[3] for row in rows[3:5]] == ["0.1", "-"]
