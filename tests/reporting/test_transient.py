from escapedim.records.experiments import Transient
from escapedim.reporting.transient import section
from tests.reporting.conftest import assert_says, flat
from tests.reporting.experiment_cases import landing, transient

CERTIFIED = {"source_ending": "bad minimum", "judged_by": "ending"}


def found(*entries, columns=100):
    return section([Transient.model_validate(entry) for entry in entries], columns)


def sentence(*entries):
    return found(*entries).sentence.replace("\xa0", " ")


def test_the_sentence():
    assert_says(
        sentence(transient(4, 91, 40, 6), transient(5, 76, 50, 9)),
        "Of 167 failed members, widened by 1 unit for 500 steps, merged back",
        "between 44.0 % (95 % interval 34.2 to 54.2) at width 4 and 65.8 % (54.6 to 75.5) at width 5 succeed",
        "without it",
        "between 6.6 % (3.1 to 13.6) at width 4 and 11.8 % (6.4 to 21.0) at width 5",
        "McNemar's test (p < 0.05/2) finds a larger share at widths 4 and 5",
    )
    assert sentence(transient(4, 0, 0, 0)) == "There was no failed member to widen."


def test_what_differs_between_entries_is_told():
    text = sentence(transient(4, 91, 40, 6), transient(4, 91, 50, 6, steps=100))
    assert "widened for a while" in text
    assert "at width 4 (500 steps) and 54.9 % (44.7 to 64.8) at width 4 (100 steps)" in text
    header = found(transient(4, 91, 40, 6), transient(4, 91, 50, 6, steps=100)).body[0]
    assert header.split()[:4] == ["width", "by", "steps", "failed"]


def test_certified_endings_have_landings():
    found_at = [landing("global minimum", 301, 2e-9), landing("bad minimum", 42, 0.012873)]
    lines = found(transient(6, 343, 301, 0, landings=found_at, **CERTIFIED)).body
    assert lines[3] == "    6  bad minimum     343  87.8 (83.9 to 90.8)  0.0 (0.0 to 1.1)  <0.001  301 G, 42 B"
    assert "Losses: bad minimum at 0.012873 (42)." in flat(" ".join(lines))
    assert "landed" not in found(transient(4, 91, 40, 6)).body[0]
