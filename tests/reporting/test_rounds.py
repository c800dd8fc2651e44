"""The table of rounds: cells, marks, caption and legend, each from a result whose numbers are known."""

import pytest

from escapedim.reporting import rounds
from escapedim.reporting.numbers import Uncertain
from tests.reporting.conftest import arm, digits_rounds, flat, loss_arm, lottery, lottery_round

HEADER = "round  density  weights"


def table(entries, width=80):
    return rounds.table(lottery(entries).result, width)


def pruned(number=1, **more):
    """A round whose arms have one mean each: 90 for ticket, 80 for reinit."""
    return lottery_round(number, {"ticket": arm([0.89, 0.91]), "reinit": arm([0.8, 0.8])}, **more)


def dense(*accuracies):
    return lottery_round(0, {"dense": arm(list(accuracies or (0.95, 0.97)))})


def test_a_known_table_cell_by_cell():
    assert table([dense(), pruned(matching=True, winning=True), pruned(2, matching=False)]) == [
        "Test accuracy in % at the last step, mean ± standard error over 2 replicates;",
        "density in %; surviving weights.",
        "",
        f"{HEADER}        ticket        reinit",
        "─" * 51,
        "dense   100.00   50,200  96.00 ± 1.00",
        "1 =*     80.20   40,260  90.00 ± 1.00  80.00 ± 0.00",
        "2        64.34   32,298  90.00 ± 1.00  80.00 ± 0.00",
    ]


def test_without_a_round_there_is_no_table():
    assert table([]) == []


def test_the_dense_network_alone_has_a_column_of_its_own():
    assert table([dense()])[3:] == [f"{HEADER}         dense", "─" * 37, "dense   100.00   50,200  96.00 ± 1.00"]


@pytest.mark.parametrize(
    ("matching", "winning", "mark"),
    [(True, True, "=*"), (True, False, "= "), (False, False, "  "), (None, None, "  "), (False, True, " *")],
)
def test_marks_stand_beside_the_round(matching, winning, mark):
    row = table([dense(), pruned(matching=matching, winning=winning)])[-1]
    assert row[:4] == f"1 {mark}"


def test_rounds_of_two_digits_are_aligned():
    heads = [row[:5].rstrip() for row in table(digits_rounds(10))[5:]]
    assert heads == ["dense", *(f" {number} =" for number in (1, 2, 3)), *(f" {n} =*" for n in range(4, 10)), "10 =*"]


@pytest.mark.parametrize(
    ("surviving", "shown"), [(502, "1.00"), (51, "0.10"), (50, "0.0996"), (5, "0.0100"), (0, "0.00")]
)
def test_small_densities_have_digits_that_tell_them_apart(surviving, shown):
    entry = pruned()
    entry["layers"] = [{"name": "all", "surviving": surviving, "total": 50_200}]
    entry.update(surviving=surviving, density=surviving / 50_200)
    assert table([dense(), entry])[-1].split()[1:3] == [shown, str(surviving)]


def test_columns_move_together_before_a_digit_is_lost():
    entries = digits_rounds(1)
    tables = {width: table(entries, width)[3:] for width in (80, 76, 70)}
    assert all(max(map(len, lines)) <= width for width, lines in tables.items())
    assert len({lines[-1] for lines in tables.values()}) == 3
    assert len({lines[-1].replace(" ", "") for lines in tables.values()}) == 1


def test_an_arm_that_a_round_lacks_is_an_empty_cell():
    lacking = lottery_round(2, {"ticket": arm([0.89, 0.91])})
    assert table([dense(), pruned(), lacking])[-1].split() == ["2", "64.34", "32,298", "90.00", "±", "1.00"]


def test_diverged_replicates_are_counted_below_the_mean_of_the_others():
    entry = lottery_round(1, {"ticket": arm([0.9, None]), "reinit": arm([None, None])})
    first, second = table([dense(), entry])[-2:]
    assert first.split() == ["1", "80.20", "40,260", "90.00", "(2", "diverged)"]
    assert second.split() == ["(1", "diverged)"]


def test_the_caption_says_which_rounds_have_fewer_replicates():
    short = lottery_round(1, {"ticket": arm([0.9])})
    caption = flat(" ".join(table([dense(), short])[:3]))
    assert "mean ± standard error over 2 replicates (fewer in round 1); density" in caption


def test_one_replicate_has_no_standard_error_in_caption_and_cells():
    lines = table([dense(0.95), lottery_round(1, {"ticket": arm([0.9])})])
    assert lines[0] == "Test accuracy in % at the last step; density in %; surviving weights."
    assert lines[-1] == "1        80.20   40,260   90.00"


def without_accuracy():
    return [
        lottery_round(0, {"dense": loss_arm([2e-4, 4e-4])}),
        lottery_round(1, {"ticket": loss_arm([1e-4, 3e-3]), "reinit": loss_arm([0.5, None])}),
    ]


def test_without_accuracy_the_table_has_train_losses():
    lines = table(without_accuracy())
    assert lines[0].startswith("Train loss at the last step, mean ± standard error over 2 replicates;")
    assert lines[-3].split() == ["dense", "100.00", "50,200", "3.0e-04", "±", "1e-04"]
    assert lines[-2].split()[3:] == ["1.6e-03", "±", "1e-03", "5.0e-01"]


def test_successes_are_counted_where_there_is_no_accuracy():
    assert rounds.successes(lottery(without_accuracy()).result) == [
        "Replicates that succeed (train_accuracy >= 0.95)",
        "",
        "round  density  ticket  reinit",
        "──────────────────────────────",
        "dense   100.00  2 of 2",
        "1        80.20  1 of 2  0 of 2",
    ]
    assert rounds.successes(lottery([dense(), pruned()]).result) == []


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({}, []),
        ({"matching": False}, ["= matching: mean no more than 0.5 points below the dense mean"]),
        (
            {"matching": True, "winning": False},
            [
                "= matching: mean no more than 0.5 points below the dense mean",
                "* winning: matching, and above the best trained control (paired t interval over",
                "  2 replicates, Holm-corrected over rounds)",
            ],
        ),
    ],
)
def test_the_legend_has_the_marks_that_were_estimated(more, lines):
    assert rounds.legend(lottery([dense(), pruned(**more)]).result, 80) == lines


def test_the_legend_says_what_happens_to_diverged_replicates():
    entry = lottery_round(1, {"ticket": arm([0.9, None])})
    assert rounds.legend(lottery([dense(), entry]).result, 200) == [
        "(n diverged): left out of mean and standard error; a round in which a ticket diverged does not match"
    ]


def test_without_a_training_set_nobody_has_diverged():
    online = lottery_round(1, {"ticket": {**arm([0.9, 0.8]), "train_loss": [None, None]}})
    assert rounds.legend(lottery([dense(), online]).result, 200) == []


def test_what_is_measured_is_accuracy_where_the_task_has_one_and_otherwise_train_loss():
    accurate, lossy = lottery([dense(), pruned()]).result, lottery(without_accuracy()).result
    assert rounds.measured(accurate, accurate.rounds[1], "ticket").mean == pytest.approx(0.9)
    assert rounds.measured(lossy, lossy.rounds[1], "ticket").mean == pytest.approx(1.55e-3)
    assert rounds.measured(lossy, lossy.rounds[1], "random") == Uncertain(None, None, 0, 0)
