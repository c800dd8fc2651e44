import pytest

from escapedim.reporting import endings


def test_every_word_of_the_design_has_a_letter_of_its_own():
    assert len(set(endings.LETTERS.values()) | {endings.OTHER}) == 9


def test_endings_that_occur_come_in_the_order_of_the_report():
    found = [{"undecided": 1, "bad minimum": 0}, {"global minimum": 3, "ring": 1, "channel": 2}]
    assert endings.present(found) == ["global minimum", "channel", "undecided", "ring"]
    assert endings.by_letter({"ring": 1, "spiral": 2, "saddle": 4}) == {"S": 4, "?": 3}
    assert endings.legend(["global minimum", "saddle"]).replace("\xa0", " ") == "G global minimum, S saddle"


def test_what_is_certified_and_what_needs_a_reason():
    counts = {"global minimum": 5, "plateau saddle": 2, "stalled": 3, "undecided": 4, "diverged": 1}
    assert (endings.certified(counts), endings.uncertain(counts)) == (7, 7)


@pytest.mark.parametrize(
    ("counts", "members", "lines"),
    [
        ({}, 0, []),
        ({"a": 0}, 3, []),
        ({"too slow": 3}, 3, ["Head: too slow."]),
        ({"too slow": 2}, 3, ["Head:", "  2  too slow"]),
        ({"few": 1, "many": 1200}, 1201, ["Head:", "  1,200  many", "      1  few"]),
        (
            dict.fromkeys("abcdefg", 1),
            7,
            ["Head:", "  1  a", "  1  b", "  1  c", "  1  d", "  1  e", "  2 for 2 other reasons"],
        ),
    ],
)
def test_reasons_are_a_sentence_or_a_short_list(counts, members, lines):
    assert endings.reasons(counts, members, "Head", 80) == lines


def test_a_long_reason_is_broken_below_itself():
    assert endings.reasons({"one two three four": 1, "b": 1}, 2, "Head", 20) == [
        "Head:",
        "  1  b",
        "  1  one two three",
        "     four",
    ]
