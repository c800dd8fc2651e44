import re

import pytest

from tests.reporting.conftest import flat, text, train

TOO_SLOW = "the gradient norm stayed above 1e-9"


def edited(summary, **changes):
    result = summary.result.model_copy(update=changes)
    return summary.model_copy(update={"result": result})


def test_the_successes_come_first_with_their_interval():
    report = text(train(), 80)
    heading, sentence = report.split("\n\n")[:2]
    assert heading == "digits, hidden 300,100, relu; 50,610 parameters; 5 replicates; complete."
    assert (
        flat(sentence)
        == "4 of 5 replicates succeed (train_accuracy >= 0.95): 80.0 % (95 % Wilson interval 37.5 to 96.4 %)."
    )


def test_means_endings_kept_steps_and_cost():
    lines = text(train(), 80).splitlines()
    assert "test accuracy, %                                96.58 ± 0.15           4" in lines
    assert "test accuracy chosen on validation, %           96.58 ± 0.15           4" in lines
    assert "Endings: undecided 4, diverged 1 (undecided: where the network stopped was not" in lines
    assert "examined)." in lines
    assert "Weights kept at steps 0, 10, 20, 50, 100, 200, 500, 1,000." in lines
    assert "Cost: 205,000 network steps, 3 min 12 s wall-clock time, peak memory 412 MB." in lines


@pytest.mark.parametrize(("replicates", "listed"), [(1, True), (20, True), (21, False)])
def test_replicates_are_listed_up_to_twenty(replicates, listed):
    report = text(train(replicates), 80)
    assert bool(re.search(r"^replicate +train", report, re.MULTILINE)) is listed
    assert max(map(len, report.splitlines())) <= 80


def test_a_diverged_replicate_has_dashes():
    row = next(line for line in text(train(), 80).splitlines() if line.startswith("4  "))
    assert row.split() == ["4", "-", "-", "-", "-", "-", "no", "diverged"]


def test_only_undecided_endings_are_explained():
    assert "Endings: diverged 1.\n" in text(train(1), 80)


def test_a_task_without_accuracy_has_losses_only():
    summary = edited(
        train(),
        train_accuracy=None,
        test_accuracy=None,
        test_accuracy_at_best_validation=None,
        train_loss=[1e-9, 2e-5, 0.3, 0.1, None],
    )
    report = text(summary, 80)
    assert "accuracy, %" not in report
    assert "train loss          0.100 ± 0.071           4" in report


def test_no_replicate_is_said():
    report = text(train(0, status="interrupted"), 80)
    assert "No replicate is finished; the criterion is train_accuracy >= 0.95." in report
    assert "interrupted after 0 members" in flat(report)


def test_a_missing_interval_is_left_out():
    report = text(edited(train(), success_interval=None), 80)
    assert "4 of 5 replicates succeed (train_accuracy >= 0.95).\n" in report


@pytest.mark.parametrize(
    ("reasons", "lines"),
    [
        (
            [TOO_SLOW, TOO_SLOW, TOO_SLOW, TOO_SLOW, ""],
            ["Endings: undecided 4 (the gradient norm stayed above 1e-9), diverged 1."],
        ),
        (
            [TOO_SLOW, TOO_SLOW, "the polish left the basin", TOO_SLOW, ""],
            [
                "Endings: undecided 4, diverged 1.",
                "Undecided, 4 of 5 replicates:",
                "  3  the gradient norm stayed above 1e-9",
                "  1  the polish left the basin",
            ],
        ),
        (["", TOO_SLOW, "", "", ""], ["Endings: undecided 4, diverged 1.", "Undecided, 4 of 5 replicates:"]),
        ([""] * 5, ["Endings: undecided 4, diverged 1."]),
    ],
)
def test_endings_have_their_reasons(reasons, lines):
    report = text(edited(train(), reason=reasons), 80).splitlines()
    start = report.index(lines[0])
    assert report[start : start + len(lines)] == lines


def test_marginal_curvature_is_counted_among_certified_endings():
    found = ["bad minimum", "bad minimum", "global minimum", "stalled", "diverged"]
    counts = {"bad minimum": 2, "global minimum": 1, "stalled": 1, "diverged": 1}
    summary = edited(
        train(), ending=found, endings=counts, marginal=[True, False, False, False, False], reason=["", "", "", "x", ""]
    )
    assert "stalled 1 (x)" in text(summary, 100)
    assert "Marginal curvature: 1 of 3 certified endings." in flat(text(summary, 100))


def test_steps_and_distance_have_means():
    summary = edited(train(), steps=[4120, 5000, 3999, 10_000, 300], moved=[1.25, 1.5, 1.0, 4.0, None])
    lines = text(summary, 80).splitlines()
    assert "distance moved / norm of the start               1.94 ± 0.70           4" in lines
    assert "steps taken                                4,683.8 ± 1,555.1           5" in lines
