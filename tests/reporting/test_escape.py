import pytest

from escapedim.records.experiments import Escape
from escapedim.reporting.escape import MOST_ROWS, section
from tests.reporting.conftest import assert_says, flat
from tests.reporting.experiment_cases import ESCAPES, certified, escape

DEFAULT = [escape(width, *counts) for width, counts in ESCAPES.items()]


def found(*entries, columns=100):
    return section([Escape.model_validate(entry) for entry in entries], columns)


def sentence(*entries):
    return found(*entries).sentence.replace("\xa0", " ")


def notes(*entries):
    return flat(" ".join(found(*entries).body))


def test_several_widths_against_their_controls():
    assert_says(
        sentence(*DEFAULT),
        "Of 484 failed members (widths 2 to 8), widened by 1 unit (split, α = 0.5)",
        "3.0 % (95 % interval 1.0 to 8.5) at width 2",
        "77.3 % (56.6 to 89.9) at width 8 succeed",
        "without it",
        "0.0 % (0.0 to 3.7) at width 2",
        "27.3 % (13.2 to 48.2) at width 8",
        "McNemar's test (p < 0.05/7)",
        "a larger share at widths 3 to 7 and no clear difference elsewhere",
        "fresh narrow draw",
        "above at widths 3 and 4 and overlaps elsewhere",
    )


@pytest.mark.parametrize(
    ("entry", "phrases"),
    [
        (
            escape(6, *ESCAPES[6]),
            [
                "Of 59 failed members of width 6, widened by 1 unit (split, α = 0.5)",
                "34 succeed, 57.6 % (95 % interval 44.9 to 69.4)",
                "without it, 16.9 % (9.5 to 28.5), McNemar's p < 0.001",
                "of fresh draws, 41.0 % (31.9 to 50.8) at width 6 and 62.0 % (52.2 to 70.9) at width 7",
            ],
        ),
        (
            certified(8, 1, 1, layer=2, by=2, perturbation="most negative direction"),
            [
                "Of 1 failed member (bad minimum) of width 8, layer 2, widened by 2 units",
                "most negative direction",
                "1 ends in a global minimum, 100.0 % (95 % interval 20.7 to 100.0)",
                "without it, 0.0 % (0.0 to 79.3), McNemar's p = 1.00",
                "78.0 % (68.9 to 85.0) at width 8 and 85.0 % (76.7 to 90.7) at width 9",
                "1 to 6 negative directions a member, least eigenvalue -0.0412",
            ],
        ),
        (escape(5, 0, 0, 0), ["no failed member to embed"]),
    ],
    ids=["members", "certified", "nobody"],
)
def test_the_sentence_of_one_entry(entry, phrases):
    assert_says(sentence(entry), *phrases)


def test_members_with_several_embeddings_are_counted_once_and_told_apart():
    text = sentence(escape(5, 50, 30, 5), escape(5, 50, 12, 5, embedding="null", alpha=None))
    assert text.startswith("Of 50 failed members (width 5), widened and trained on, between 24.0 %")
    assert "a larger share at width 5 (split, α = 0.5)" in text


def test_the_table_of_the_default_run():
    lines = found(*DEFAULT).body
    assert_says(lines[0], "width", "failed", "embedded", "noise", "p", "fresh", "fresh")
    assert_says(lines[1], "success, %", "only, %", "narrow, %", "wide, %")
    cells = ["2", "100", "3.0 (1.0 to 8.5)", "0.0 (0.0 to 3.7)", "0.25", "0.0 (0.0 to 3.7)", "2.0 (0.6 to 7.0)"]
    assert flat(lines[3]) == " ".join(cells)
    assert max(map(len, lines)) <= 100
    assert len(found(*DEFAULT, columns=80).body[3:]) > 2 * len(DEFAULT)


def test_no_curvature_has_its_reason_and_no_table():
    text = notes(*DEFAULT)
    assert text.endswith("Curvature was not computed: a relu network has none on a finite sample, almost everywhere.")
    assert "eigenvalue" not in text
    assert "Landed" not in text


def test_curvature_and_landings_have_a_table():
    lines = found(certified(6, 343, 331), certified(6, 2, 2, "saddle")).body
    assert lines[6] == "width       ending    negative       least    left the       landed"
    assert lines[9] == "    6  bad minimum  2 (1 to 6)     -0.0412  343 of 343  331 G, 12 B"
    assert "Landed: G global minimum, B bad minimum. Losses: bad minimum at 0.012873 (12)." in flat(" ".join(lines))


def test_an_embedding_that_is_not_critical_opens_a_gradient():
    text = notes(escape(5, 50, 30, 5), escape(5, 50, 12, 5, embedding="zero-in", alpha=None, critical=False,
                                             opened_gradient=0.31))  # fmt: skip
    assert "Not critical, so that it opens a gradient: zero-in." in text
    assert "zero-in - - 0.31 - 50 U" in text
    assert "opened" not in notes(certified(6, 3, 2))


def test_entries_with_the_most_sources_are_shown():
    text = notes(*(escape(width, width, 1, 0) for width in range(2, 2 + MOST_ROWS + 1)))
    assert text.endswith("1 entry more is in the JSON.")
    assert " 2 2 50.0" not in text
