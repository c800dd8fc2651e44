import pytest

from escapedim.records.experiments import Isolation
from escapedim.reporting.isolation import MOST_ROWS, section
from tests.reporting.conftest import assert_says, flat
from tests.reporting.experiment_cases import isolation, share

PREDICTED = " Read literally, tickets predict 0 of either; escape dimensions predict more."
SAMPLED = [{"units": 8, "trained": 50, "there": 12_870, "winning": share(310, 5000)}]


def found(*entries, columns=100):
    return section([Isolation.model_validate(entry) for entry in entries], columns)


def sentence(*entries):
    return found(*entries).sentence.replace("\xa0", " ").removesuffix(PREDICTED)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            isolation(),
            "Of 36 networks of width 8 none of whose 8 subnetworks of 7 units wins alone, 29 succeed, "
            "80.6 % (95 % interval 65.0 to 90.2); of 64 with a winner, 2 fail, 3.1 % (0.9 to 10.7).",
        ),
        (
            isolation(3, (0, 1, 0, 0)),
            "Of 1 network of width 3 none of whose 3 subnetworks of 2 units wins alone, 1 succeeds, "
            "100.0 % (95 % interval 20.7 to 100.0); no network has a winner.",
        ),
        (
            isolation(3, (9, 0, 1, 0)),
            "No network of width 3 is without a winner among 3 subnetworks of 2 units; "
            "of 10 with one, 1 fails, 10.0 % (95 % interval 1.8 to 40.4).",
        ),
        (
            isolation(16, sampled=True, sizes=SAMPLED),
            "Of 64 networks of width 16 with a winner among 50 of 12,870 subnetworks of 8 units, 2 fail, "
            "3.1 % (95 % interval 0.9 to 10.7); of the others it is not known that none wins.",
        ),
        (
            isolation(16, (0, 9, 0, 1), True, sizes=SAMPLED),
            "No network of width 16 has a winner among 50 of 12,870 subnetworks of 8 units; "
            "it is not known that none of the others wins.",
        ),
        (isolation(3, (0, 0, 0, 0)), "No wide network was held against its own subnetworks."),
    ],
)
def test_the_sentence_of_one_width(entry, expected):
    assert sentence(entry) == expected


def test_several_widths_are_told_by_the_least_and_the_largest():
    assert_says(
        sentence(isolation(7, (640, 320, 3, 37)), isolation(8, (970, 28, 0, 2))),
        "Of networks with no winner",
        "between 89.6 % (95 % interval 86.0 to 92.4) at width 7 and 93.3 % (78.7 to 98.2) at width 8 succeed",
        "of networks with a winner",
        "between 0.0 % (0.0 to 0.4) at width 8 and 0.5 % (0.2 to 1.4) at width 7 fail",
    )
    assert sentence(isolation(3, (9, 0, 1, 0)), isolation(4, (10, 0, 0, 0))).startswith("Of networks with a winner, ")
    assert sentence(isolation(3, (0, 9, 0, 1), True), isolation(4, (0, 9, 0, 1), True)) == (
        "No network has a winner among the subnetworks that were trained; whether others win is not known."
    )


def test_the_table_of_one_width_at_100_columns():
    head, units, _, row, *notes = found(isolation()).body
    assert_says(head, "width", "members", "subnetworks", "none wins", "some win", "q, %", "q_lit, %", "p")
    assert_says(units, "(units)", "succeed", "fail")
    assert flat(row) == "8 100 8 (7) 29 of 36 2 of 64 9.0 (4.8 to 16.2) 36.0 (27.3 to 45.8) <0.001"
    assert_says(
        flat(" ".join(notes)), "q: wide networks that fail", "q_lit: those with no winner", "McNemar's test",
        "100 of 800 subnetworks of 7 units (12.5 %)",
    )  # fmt: skip
    assert max(map(len, found(isolation()).body)) <= 100


def test_several_widths_have_their_rates_in_the_table():
    row = found(isolation(7, (640, 320, 3, 37)), isolation(8, (970, 28, 0, 2)), columns=120).body[3:5]
    assert row[0].split()[:4] == ["7", "1,000", "7", "(6)"]
    assert "89.6 (86.0 to 92.4)" in row[1]


def test_sampled_subsets_are_censored():
    body = flat(" ".join(found(isolation(16, sampled=True, sizes=SAMPLED)).body))
    assert "50 of 12,870 (8) not known 2 of 64" in body
    assert "≤ 36.0 (27.3 to 45.8) - " in body
    assert "an upper bound where subsets were sampled" in body
    assert "McNemar" not in body


def test_sizes_factors_and_widths_that_have_no_room():
    sizes = [{"units": k, "trained": 8, "there": 8, "winning": share(k, 800)} for k in range(1, 8)]
    notes = flat(" ".join(found(isolation(sizes=sizes, rescaled={"hidden": 1.0351})).body))
    assert "Subnetworks winning alone: 7 of 800 of 7 units (0.9 %), 6 of 800 of 6 units (0.8 %)," in notes
    assert "3 sizes more are in the JSON." in notes
    assert "hidden × 1.035" in notes
    many = found(*(isolation(width) for width in range(3, 3 + MOST_ROWS + 2)))
    assert flat(" ".join(many.body)).endswith("2 widths more are in the JSON.")
