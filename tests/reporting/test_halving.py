from escapedim.records.experiments import Halving
from escapedim.reporting.halving import section
from tests.reporting.conftest import assert_says, flat
from tests.reporting.experiment_cases import halving


def found(*entries, columns=100):
    return section([Halving.model_validate(entry) for entry in entries], columns)


def test_the_sentence():
    assert_says(
        found(halving(6), halving(7, changed=0)).sentence.replace("\xa0", " "),
        "half the step and twice as many",
        "between 0.0 % (95 % interval 0.0 to 0.4) at width 7 and 0.3 % (0.1 to 0.9) at width 6 end differently",
        "McNemar's test (p < 0.05/2) finds no clear difference",
    )
    assert found(halving(6, 0, 0)).sentence == "No member was trained again with half the step."


def test_the_table():
    lines = found(halving(6)).body
    assert " ".join(lines[3].split()) == "6 1,000 0.3 (0.1 to 0.9) 654 651 0.25 654 G, 346 B 651 G, 349 B"
    assert lines[-1] == "p: McNemar's test of equal success. Endings: G global minimum, B bad minimum."


def test_one_ending_needs_no_column_and_the_widths_that_change_most_are_shown():
    one = {"endings": {"undecided": 9}, "halved_endings": {"undecided": 9}}
    assert "endings" not in found(halving(4, 9, 0, **one)).body[0]
    many = found(*(halving(width, changed=width) for width in range(2, 12)))
    assert flat(" ".join(many.body)).endswith("1 width more is in the JSON.")
    assert many.body[3].split()[0] == "3"
