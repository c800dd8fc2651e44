import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escapedim.reporting.lottery import blocks
from tests.reporting.conftest import (
    CONFIG,
    SPREAD,
    arm,
    assert_says,
    digits_rounds,
    flat,
    loss_arm,
    lottery,
    lottery_round,
    text,
)

FORBIDDEN = re.compile(r"\b(nan|inf|None)\b")


def contrast(difference, error=0.002, p=0.5):
    return {"control": "shuffle", "difference": difference, "standard_error": error, "p_holm": p}


# The sentence


def test_the_verdict_of_a_run_that_matches_and_wins():
    assert_says(
        sentence_of(lottery(digits_rounds())),
        "Tickets match the dense network (96.51 ± 0.14 %) within 0.5 points down to 11.2 % density (round 10)",
        "win in rounds 4 to 10 (41.5 to 11.2 % density)",
        "at round 10 they are 1.80 ± 0.21 points above reinit, the best trained control",
        "Holm-corrected p = 0.004",
    )


def sentence_of(summary):
    return flat(text(summary, 80).split("\n\n")[1])


def no_match():
    rounds = digits_rounds(2)
    for entry in rounds[1:]:
        entry["arms"]["ticket"] = arm([0.93 - 0.01 * entry["round"]] * 5)
        entry.update(matching=False, winning=False)
    return lottery(rounds)


def match_without_win():
    rounds = digits_rounds(3)
    for entry in rounds[1:]:
        entry.update(winning=False, contrast=contrast(-0.0005))
    return lottery(rounds)


def gap():
    rounds = digits_rounds(6)
    rounds[2].update(matching=False)
    rounds[5].update(matching=False, winning=False)
    return lottery(rounds)


def one_win():
    return lottery(digits_rounds(4))


def winning_not_estimated():
    rounds = digits_rounds(2)
    for entry in rounds[1:]:
        entry.update(winning=None, contrast=None)
    return lottery(rounds)


def dense_diverged():
    rounds = digits_rounds(2)
    rounds[0]["arms"]["dense"] = arm([None] * 5)
    for entry in rounds[1:]:
        entry.update(matching=None, winning=None, contrast=None)
    return lottery(rounds)


def tickets_diverged():
    rounds = digits_rounds(1)
    rounds[1]["arms"]["ticket"] = arm([None] * 5)
    rounds[1].update(matching=False, winning=False, contrast=None)
    return lottery(rounds)


def wide_spread():
    rounds = digits_rounds(1)
    rounds[1]["arms"]["ticket"] = arm([0.93, 0.99, 0.95, 0.99, 0.965])
    return lottery(rounds)


def some_tickets_diverged():
    rounds = digits_rounds(1)
    rounds[1]["arms"]["ticket"] = arm([0.9651, None, 0.9655, None, 0.9652])
    return lottery(rounds)


def without_accuracy():
    rounds = [lottery_round(0, {"dense": loss_arm([1e-5, 2e-5, 5e-5])})]
    rounds += [
        lottery_round(k, {"ticket": loss_arm([1e-4 * k, 2e-4, 1e-2]), "reinit": loss_arm([0.5, 0.7, None])})
        for k in (1, 2)
    ]
    return lottery(rounds)


def no_ticket():
    return lottery([digits_rounds(0)[0], lottery_round(1, {"reinit": arm([0.9, 0.91])})])


@pytest.mark.parametrize(
    ("summary", "sentence"),
    [
        (
            no_match(),
            "Tickets match the dense network (96.51 ± 0.14 %) within 0.5 points in no round, so none wins: "
            "the nearest (round 1, 80.2 % density) is 4.51 ± 0.14 points below the dense mean.",
        ),
        (
            match_without_win(),
            "down to 51.6 % density (round 3), but win in no round: at round 3 they are 0.05 ± 0.20 points "
            "below shuffle, the best trained control (Holm-corrected p = 0.50).",
        ),
        (
            gap(),
            "(round 6), except in rounds 2 and 5, and win in rounds 4 and 6 (41.5 to 26.7 % density): at",
        ),
        (one_win(), "and win in round 4 (41.5 % density), where they are 0.72 ± 0.21 points above reinit"),
        (winning_not_estimated(), "(round 2); winning could not be estimated."),
        (
            lottery(digits_rounds(4, 1)),
            "In the one replicate, tickets match the dense network (96.51 %) within 0.5 points down to "
            "41.5 % density (round 4); with one replicate there is no standard error, and winning cannot be "
            "estimated.",
        ),
        (
            lottery(digits_rounds(2, 5, ("ticket",))),
            "(round 2); whether they win is not known, because no control was trained.",
        ),
        (
            dense_diverged(),
            "Matching could not be estimated: no dense network has a test accuracy (5 diverged).",
        ),
        (tickets_diverged(), "within 0.5 points in no round, so none wins. Test"),
        (wide_spread(), "Matching is uncertain: at round 1, ticket minus dense has a standard error of 1."),
        (
            some_tickets_diverged(),
            "(Holm-corrected p = 0.004). At round 1, 2 of 5 tickets diverged and are left out of the mean.",
        ),
        (
            without_accuracy(),
            "This task has no accuracy on held-out samples, so matching and winning are not defined. The criterion "
            "(train_accuracy >= 0.95) is met at 64.3 % density (round 2) by ticket in 2 of 3 and reinit in "
            "0 of 3 replicates.",
        ),
        (no_ticket(), "The arm ticket was not trained, and nothing can be said about tickets."),
        (lottery([]), "No round is finished, and nothing can be said about tickets."),
        (
            lottery(digits_rounds(0)),
            "Only the dense network is trained (96.51 ± 0.14 %); there is no ticket yet.",
        ),
    ],
)
def test_the_verdict_says_no_more_than_the_data_allow(summary, sentence):
    assert sentence in flat(text(summary, 80))


@pytest.mark.parametrize(
    ("status", "last", "heading"),
    [
        ("interrupted", 3, "interrupted after round 3 of 10."),
        ("running", 3, "still running after round 3 of 10."),
        ("failed", 0, "failed after round 0 of 10."),
        ("running", -1, "still running before the end of round 0."),
    ],
)
def test_an_unfinished_run_says_so_and_speaks_of_so_far(status, last, heading):
    report = flat(text(lottery(digits_rounds(last) if last >= 0 else [], status=status), 80))
    assert f"4 arms × 5 replicates; {heading}" in report
    assert "So far: " in report


# The table


def test_four_arms_fit_into_80_columns_without_a_number_cut():
    lines = text(lottery(digits_rounds()), 80).splitlines()
    assert "round  density  weights        ticket        reinit       shuffle        random" in lines
    assert "dense   100.00   50,200  96.51 ± 0.14" in lines
    assert " 1 =     80.20   40,260  96.47 ± 0.14  96.29 ± 0.14  96.17 ± 0.14  96.13 ± 0.14" in lines
    assert "10 =*    11.22    5,632  96.11 ± 0.14  94.31 ± 0.14  93.11 ± 0.14  92.71 ± 0.14" in lines


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize(
    "summary", [lottery(digits_rounds()), no_match(), dense_diverged(), without_accuracy(), wide_spread()]
)
def test_no_line_is_longer_than_the_width(summary, width):
    assert max(map(len, text(summary, width).splitlines())) <= width


def test_wide_numbers_move_the_columns_together_instead_of_losing_digits():
    rounds = digits_rounds(2)
    for entry in rounds:
        for name in entry["arms"]:
            entry["arms"][name] = arm([1.0, 0.9999, 1.0, 1.0, 1.0])
        for layer in entry["layers"]:
            layer.update(surviving=layer["surviving"] * 1000, total=layer["total"] * 1000)
        entry.update(surviving=entry["surviving"] * 1000, total=entry["total"] * 1000)
    report = text(lottery(rounds), 80)
    assert max(map(len, report.splitlines())) <= 80
    assert report.count(" 100.00 ± 0.00") == 9
    assert "50,200,000" in report
    assert text(lottery(rounds), 72).count(" 100.00±0.00") == 9


def test_a_narrow_file_gets_the_whole_table():
    report = text(lottery(digits_rounds()), 40)
    assert "96.47±0.14 96.29±0.14 96.17±0.14 96.13±0.14" in report


def test_diverged_replicates_are_counted_and_explained():
    rounds = digits_rounds(2)
    rounds[1]["arms"]["shuffle"] = arm([None] * 5)
    rounds[2]["arms"]["reinit"] = arm([0.95, 0.94, None, 0.96, 0.95])
    lines = text(lottery(rounds), 80).splitlines()
    row = next(index for index, line in enumerate(lines) if line.startswith("2 ="))
    assert lines[row].split()[7:10] == ["95.00", "±", "0.41"]
    assert lines[row + 1].split("(")[1] == "1 diverged)"
    assert "(5 diverged)" in lines[row - 1]
    assert any(line.startswith("(n diverged): left out of mean and standard error") for line in lines)


def test_one_replicate_has_means_without_error():
    report = text(lottery(digits_rounds(1, 1)), 80)
    assert "±" not in report
    assert "dense   100.00   50,200   96.51" in report


def test_the_legend_explains_the_marks_that_occur():
    report = flat(text(lottery(digits_rounds()), 80))
    assert "= matching: mean no more than 0.5 points below the dense mean" in report
    assert "(paired t interval over 5 replicates, Holm-corrected over rounds)" in report
    assert "* winning" not in text(lottery(digits_rounds(2, 1)), 80)


def test_the_tolerance_of_an_unfinished_run_comes_from_its_configuration():
    summary = lottery(digits_rounds(2), status="running", config={**CONFIG, "tolerance": 0.01})
    summary = summary.model_copy(update={"result": summary.result.model_copy(update={"verdict": None})})
    assert "within 1 point down to" in flat(text(summary, 80))


def test_a_task_without_accuracy_shows_losses_and_successes():
    report = text(without_accuracy(), 80)
    assert "dense   100.00   50,200  2.7e-05 ± 1e-05" in report
    assert "2        64.34   32,298" in report
    assert "Replicates that succeed (train_accuracy >= 0.95)" in report
    assert "1        80.20  2 of 3  0 of 3" in report
    assert "log10 of the mean train loss" in report


# The rest


def test_layers_of_the_last_round():
    lines = text(lottery(digits_rounds()), 80).splitlines()
    assert lines[lines.index("Layers at round 10 (density in %)") + 4] == (
        "hidden1      2,062  19,200    10.74          300"
    )


def test_the_plot_has_every_arm_and_the_limit_of_matching():
    report = text(lottery(digits_rounds()), 80)
    assert "o ticket   x reinit   + shuffle   ^ random   D dense" in report
    assert "- - dense mean minus 0.5 points (96.01 %)" in report


def test_invariants_hold_in_one_calm_line():
    assert (
        "Invariants hold in all 10 rounds: survivors equal rewind weights, masked weights zero, masks "
        "nested, density exact, no layer empty." in flat(text(lottery(digits_rounds()), 80))
    )


def test_a_broken_invariant_is_loud_and_stands_above_the_verdict():
    rounds = digits_rounds(5)
    for number in (2, 3, 4):
        rounds[number]["invariants"]["masks_nested"] = False
    rounds[4]["invariants"]["density_exact"] = False
    report = flat(text(lottery(rounds), 80))
    alarm = (
        "INVARIANTS FAIL. Not true: masks nested (rounds 2 to 4); density exact (round 4). What was trained "
        "there is not the ticket; do not use these numbers."
    )
    assert report.index(alarm) < report.index("Tickets match")
    assert "INVARIANTS FAIL in rounds 2 to 4: see above the verdict." in report
    assert "Invariants hold" not in report


EMPTY = {
    ("hidden2",): "Round 9: layer hidden2 has no weights left; such a",
    ("hidden1", "hidden2"): "Round 9: layers hidden1 and hidden2 have no weights left; such a",
    (): "Round 9: in some replicates a layer has no weights left; such a",
}


@pytest.mark.parametrize(("names", "finding"), EMPTY.items())
def test_an_empty_layer_is_a_finding_and_no_broken_invariant(names, finding):
    rounds = digits_rounds(9)
    last = rounds[9]
    last["invariants"]["no_layer_empty"] = False
    for layer in last["layers"]:
        layer["surviving"] *= layer["name"] not in names
    last["surviving"] = sum(layer["surviving"] for layer in last["layers"])
    report = flat(text(lottery(rounds), 80))
    assert f"{finding} ticket gives every input the same output. Test accuracy" in report
    assert "INVARIANTS FAIL" not in report
    assert (
        "Invariants hold in all 9 rounds: survivors equal rewind weights, masked weights zero, masks nested, "
        "density exact. " in report
    )


def test_a_finding_of_several_rounds_is_told_once_and_does_not_hide_an_alarm():
    rounds = digits_rounds(9)
    for number in (7, 8, 9):
        rounds[number]["invariants"]["no_layer_empty"] = False
    rounds[8]["invariants"]["masks_nested"] = False
    report = flat(text(lottery(rounds), 80))
    assert "Rounds 7 to 9: in some replicates a layer has no weights left;" in report
    assert "INVARIANTS FAIL. Not true: masks nested (round 8). What" in report


def test_recipe_pruning_cost_and_folder():
    assert_says(
        flat(text(lottery(digits_rounds(1)), 120)),
        "Recipe: adam, lr 0.0012, 1,000 steps, batch size 60.",
        "Pruning: 20 % a round (output layer 10 %), scope layer, granularity weight, criterion magnitude",
        "rewound to init.",
        "Cost: 205,000 network steps, 3 min 12 s wall-clock time, peak memory 412 MB.",
        "Run folder: runs/lottery-0123456789abcdef",
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "4 arms × 5 replicates; complete."),
        ({"task": {"name": "relu-teacher", "k": 10}, "hidden": 10}, "relu-teacher:k=10, hidden 10;"),
        ({"fraction": None, "density": 0.05, "output_fraction": None}, "Pruning: once, to 5 % density."),
        ({"steps": "500it", "fraction": 0.2}, "Pruning: 20 % a round."),
        ({"fraction": 0.9999}, "Pruning: 99.99 % a round."),
        ({"fraction": 0.9999999, "output_fraction": 0.49999995}, "99.99999 % a round (output layer 49.999995 %)."),
        ({"fraction": 1e-7}, "Pruning: 0.00001 % a round."),
        ({"density": 0.07}, "Pruning: once, to 7 % density."),
    ],
)
def test_configurations_of_other_programs_are_read_as_far_as_they_go(config, expected):
    assert expected in flat(text(lottery(digits_rounds(1), config=config), 100))


# Anything valid

accuracies = st.lists(st.none() | st.floats(0, 1), min_size=3, max_size=3)
losses = st.lists(st.none() | st.floats(0, 1.7e308), min_size=3, max_size=3)
flags = st.none() | st.booleans()
names = st.sets(st.sampled_from(["ticket", "reinit", "shuffle", "random", "other"]))
contrasts = st.none() | st.builds(contrast, st.floats(-1, 1), st.none() | st.floats(0, 1), st.none() | st.floats(0, 1))


@st.composite
def summaries(draw):
    make = draw(st.sampled_from([lambda: arm(draw(accuracies)), lambda: loss_arm(draw(losses))]))
    rounds = []
    for number in range(draw(st.integers(0, 4))):
        arms = {name: make() for name in (["dense"] if number == 0 else draw(names))}
        more = {"matching": draw(flags), "winning": draw(flags), "contrast": draw(contrasts)}
        rounds.append(lottery_round(number, arms, invariants={"masks_nested": draw(st.booleans())}, **more))
    config = {key: value for key, value in CONFIG.items() if draw(st.booleans())}
    return lottery(
        rounds, status=draw(st.sampled_from(["running", "interrupted", "complete", "failed"])), config=config
    )


@settings(max_examples=60, deadline=None)
@given(summaries(), st.sampled_from([80, 120]))
def test_any_valid_summary_is_rendered_without_a_number_that_is_none(summary, width):
    lines = [line for part in blocks(summary, width) for line in part.lines]
    assert lines
    assert not FORBIDDEN.search("\n".join(lines))
    assert FORBIDDEN.search("\n".join(text(summary, width).splitlines())) is None


def test_replicates_are_paired_by_their_numbers():
    rounds = digits_rounds(1)
    rounds[0]["replicates"] = [0, 1, 2, 3, 4]
    rounds[1]["replicates"] = [1, 3]
    for name in rounds[1]["arms"]:
        rounds[1]["arms"][name] = arm([0.9651 + SPREAD[1] - 0.01, 0.9651 + SPREAD[3] - 0.01])
    rounds[1].update(matching=False, winning=False)
    report = flat(text(lottery(rounds), 80))
    assert "the nearest (round 1, 80.2 % density) is 1.00 ± 0.00 points below the dense mean." in report
    assert "over 5 replicates (fewer in round 1);" in report
