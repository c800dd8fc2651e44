from __future__ import annotations

import copy
import io
import json
from typing import Any

import pytest

from escapedim.records import summary
from escapedim.reporting.render import make_console, render
from tests.reporting.rewind_cases import SUMMARY, line, mode, surroundings


def shown(width: int = 80, status: str = "complete", **result: Any) -> str:
    document = copy.deepcopy(SUMMARY) | {"status": status}
    document["result"] = {**document["result"], **result}
    stream = io.StringIO()
    render(summary.decode(json.dumps(document).encode(), "rewind.json"), make_console(stream, width))
    return stream.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_report_fits_and_says_everything(width):
    text = shown(width)
    assert max(map(len, text.splitlines())) <= width
    for words in (
        "digits, hidden 20, relu; tickets of lottery-fedcba9876543210, rounds 1 and 2; complete.",
        "At round 2 (25 % density), from step 0, retraining reaches 98.00 ± 1.00 % by weights and 50.00 % by lr.",
        "By weights that is 0.40 ± 0.10 points above the dense network.",
        "75.0 % (95 % interval 65.0 to 85.0) of networks with a ticket succeed",
        "50.0 % (40.0 to 60.0) of the tickets when the rest is cut away afterwards",
        "against reinit the difference is +25.0 (10.0 to 40.0) points whole and +50.0 points alone",
        "Of 2 tickets that succeed in isolation, 1 fails with the rest around; of the others 0 succeed",
        "(McNemar: p = 1.00)",
        "controls of the same density",
        "Orders, dense: the whole network",
        "copies of the ticket under two orders of the data are stable (barrier below 2 points) in 1 of 1 combinations",
        "the barrier is 1.00 ± 0.00 points",
        "Invariants hold everywhere",
        "own arms came out again number for number (ticket; rounds 1 and 2)",
        "Cost: 1,000 network steps",
    ):
        assert words in flat(text), words


def test_what_is_one_network_by_construction_is_said_to_be():
    complements = [surroundings(name) for name in ("masked", "original")]
    assert "one and the same dense network, trained once" in flat(shown(complements=complements))
    assert "one and the same dense network" not in flat(shown())


def test_full_batches_have_no_orders_and_the_first_sentence_begins_with_a_capital():
    text = flat(shown(modes=[], complements=[], instability=[line("ticket and dense", stable=None)]))
    assert "The highest barrier, between ticket and dense at round 2" in text
    assert "a full batch has one order only" in text
    assert "own order of the data" not in text
    assert "Invariants hold everywhere" in text


def test_the_rounds_that_are_not_shown_are_counted():
    assert "1 round more is in the JSON." in flat(shown())
    assert "3 entries more are in the JSON." in flat(shown())
    rows = [row.split()[2] for row in shown().splitlines() if row.startswith("successive rounds")]
    assert rows == ["4", "5", "6", "7"]  # those with the highest barriers


def test_modes_that_are_one_training_and_diverged_members_are_marked():
    text = shown()
    assert text.count("= lr") == 2  # a cell a round
    assert "(1 diverged)" in text
    assert "= the same training, since the rate is constant from there on" in flat(text)


def test_a_violated_invariant_is_the_first_thing_to_read():
    broken = mode("weights", invariants={**mode("weights")["invariants"], "masked_weights_zero": False})
    text = shown(modes=[broken], replay_exact=False)
    assert "the numbers are unusable: round 2, weights to 0: masked_weights_zero; replay: weights of round 0." in flat(
        text
    )
    assert "Invariants hold everywhere" not in flat(text)


def test_another_machine_is_told():
    assert "did not come out again to the last digit in round 2" in flat(
        shown(modes=[mode("weights", equals_run=False)])
    )


def test_without_accuracy_there_are_successes_and_losses():
    arm = {"train_loss": [0.1, 0.2], "success": [True, False]}
    modes = [mode("weights", arm=arm, against_dense=None)]
    lines = [line("ticket and dense", error="train loss", stable=None)]
    text = flat(shown(modes=modes, complements=[surroundings("redraw", accuracy=False)], instability=lines))
    assert "retraining reaches success in 1 of 2 by weights." in text
    assert "1 of 2 (9 to 91)" in text
    assert "accuracy in %" not in text
    assert "the highest barrier, between ticket and dense at round 2, is 0.010 ± 0.000" in text or "is 0.0100" in text


@pytest.mark.parametrize("part", ["modes", "complements", "instability"])
def test_parts_that_were_not_measured_are_left_out(part):
    text = shown(**{part: []})
    heads = {"modes": "retraining reaches", "complements": "with the rest redrawn", "instability": "barrier below"}
    for name, words in heads.items():
        assert (words in flat(text)) == (name != part)


def test_a_run_that_has_found_nothing_yet():
    text = shown(status="running", modes=[], complements=[], instability=[])
    assert "still running before the end of the first round." in flat(text)
    assert "Invariants" not in text
    assert "interrupted after rounds 1 and 2." in flat(shown(status="interrupted"))
