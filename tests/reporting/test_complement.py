import pytest

from escapedim.records.experiments import Complement
from escapedim.reporting.complement import section
from tests.reporting.conftest import assert_says, flat
from tests.reporting.experiment_cases import complement, estimated, share, tickets

NONE = estimated(None)


def found(*entries, columns=100):
    return section([Complement.model_validate(entry) for entry in entries], columns)


def sentence(**more):
    return found(complement(**more)).sentence.replace("\xa0", " ")


def test_the_sentence_has_three_rates_and_the_index():
    assert_says(
        sentence(),
        "81.2 % (95 % interval 73.2 to 89.2) of networks of width 8 around a winning ticket of 7 units",
        "77.8 % (73.4 to 81.6) of fresh ones",
        "88.2 % (80.4 to 96.1) of the tickets alone",
        "A = 0.33 (-0.21 to 0.81), an interval that contains 0 and not 1",
    )


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"index": estimated(0.9, 0.4, 1.3)}, "A = 0.90 (0.40 to 1.30), an interval that contains 1 and not 0."),
        ({"index": estimated(0.5, 0.2, 0.8)}, "(0.20 to 0.80), an interval that contains neither 0 nor 1."),
        ({"index": estimated(0.5, -12345.6, 2.0)}, "(-1.23e+04 to 2.00), an interval that contains both 0 and 1."),
        ({"index": NONE, "reason": "there are fewer than two tickets"},
         "A is undecided: there are fewer than two tickets."),
        ({"index": NONE}, "; A is undecided."),
        ({"index": estimated(0.4), "reason": "one ticket"}, "A = 0.40 without an interval: one ticket."),
    ],
)  # fmt: skip
def test_the_interval_of_the_index_is_held_against_both_predictions(more, end):
    assert sentence(**more).endswith(end)


def test_rates_that_are_not_there():
    none = tickets(0, NONE, {})
    text = sentence(winners=none, losers=none, fresh=share(0, 0), index=NONE)
    assert text == "No networks of width 8 around a winning ticket of 7 units were trained at scale 1; A is undecided."
    assert "all of the tickets alone, whose training is deterministic" in sentence(deterministic=True)
    assert "no retest of the tickets alone" in sentence(winners=tickets(2, NONE, {1: 0.5}))
    assert "5.0 % of networks" in sentence(winners={**none, "surrounded": [
        {"scale": 1.0, "rate": estimated(0.05), "networks": 20, "successes": 1}]})  # fmt: skip


def test_the_table_has_a_row_a_kind_and_a_column_a_scale():
    head, scales, _, winning, losing, *notes = found(complement()).body
    assert_says(head, "tickets", "alone", "rest drawn", "rest drawn", "rest drawn")
    assert_says(scales, "again", "at scale 1", "at scale 3", "at scale 10")
    cells = ["88.2 (80.4 to 96.1)", "81.2 (73.2 to 89.2)", "60.2 (52.3 to 68.2)", "22.8 (14.8 to 30.8)"]
    assert flat(winning) == " ".join(["20 winning", *cells])
    cells = ["31.0 (21.5 to 40.5)", "77.5 (69.5 to 85.5)", "56.0 (48.0 to 64.0)", "21.2 (13.2 to 29.2)"]
    assert flat(losing) == " ".join(["20 losing", *cells])
    assert_says(
        flat(" ".join(notes)), "A is 1 where the ticket decides", "clustered by ticket", "Success in %, 20 draws",
        "Scales other than 1 are description only",
    )  # fmt: skip
    assert max(map(len, found(complement()).body)) <= 100
    assert "description only" not in " ".join(found(complement(winners=tickets(2, NONE, {1: 0.5}),
                                                               losers=tickets(2, NONE, {1: 0.5}))).body)  # fmt: skip


def test_narrow_terminals_and_several_entries():
    assert (
        found(complement(), columns=80).body[4]
        == "            (80.4 to 96.1)  (73.2 to 89.2)  (52.3 to 68.2)  (14.8 to 30.8)"
    )
    several = found(complement(), complement(width=12, units=4), columns=80)
    assert flat(" ".join(several.body)).startswith("81.2 % (95 % interval 73.2 to 89.2) of networks of width 12 around")
    assert "20 winning      4        12        scale 3  60.2 (52.3 to 68.2)" in several.body


def test_the_scales_nearest_to_one_are_shown():
    many = tickets(20, NONE, {k / 4: 0.5 for k in range(1, 12)})
    body = flat(" ".join(found(complement(winners=many, losers=many), *[complement()] * 4).body))
    assert "at scale 1.25" in body or "scale 1.25" in body
    assert "scale 2.75" not in body
    assert body.endswith("9 scales more are in the JSON. 2 entries more are in the JSON.")
