import pytest

from escapedim.records.experiments import Paired, Share
from escapedim.reporting import contrasts
from tests.reporting.experiment_cases import paired, share


def spanned(*found, named=False):
    pairs = [(Share.model_validate(share(*counts)), place) for counts, place in found]
    return contrasts.span(pairs, named).replace("\xa0", " ")


def told_apart(*tables):
    found = [(Paired.model_validate(paired(*table)), (width, "")) for width, table in enumerate(tables, 2)]
    return contrasts.apart(found).replace("\xa0", " ")


def test_places_have_the_labels_that_differ():
    assert contrasts.places([6, 6], ["saddle", "channel"], ["split", "split"]) == [(6, "saddle"), (6, "channel")]
    assert contrasts.places([6], ["saddle"], ["split"]) == [(6, "")]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([(9, "")], "at width 9"),
        ([(3, ""), (4, ""), (5, ""), (1024, "")], "at widths 3 to 5 and 1,024"),
        ([(6, "saddle"), (7, "")], "at width 6 (saddle) and width 7"),
    ],
)
def test_where(places, expected):
    assert contrasts.at(places).replace("\xa0", " ") == expected


def test_a_span_has_the_least_and_the_largest_with_intervals_and_places():
    assert spanned(((3, 100), (2, "")), ((17, 22), (8, "")), ((24, 91), (4, "")), named=True) == (
        "between 3.0 % (95 % interval 1.0 to 8.5) at width 2 and 77.3 % (56.6 to 89.9) at width 8"
    )
    assert spanned(((3, 100), (2, "")), ((0, 0), (3, ""))) == "3.0 % (1.0 to 8.5) at width 2"
    assert spanned(((0, 1), (2, "")), ((0, 100), (3, ""))) == ("0.0 % (0.0 to 3.7) at width 3 and as much at width 2")
    assert spanned(((0, 1), (2, "")), ((0, 100), (3, "")), ((0, 1), (4, ""))).endswith(" and as much elsewhere")
    assert spanned(((0, 0), (3, ""))) == "-"


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ([((0.5, 0.6), (0.1, 0.4)), ((0.1, 0.2), (0.3, 0.4)), ((0, 1), (0, 1))],
         "lies above at width 2, lies below at width 3 and overlaps at width 4"),
        ([((0.5, 0.6), (0.1, 0.4)), ((0, 1), (0, 1)), ((0, 1), (0, 1))],
         "lies above at width 2 and overlaps elsewhere"),
        ([((0.5, 0.6), (0.1, 0.4)), ((0.5, 0.6), (0.1, 0.4))], "lies above at widths 2 and 3"),
        ([((0, 0.5), (0.5, 1)), ((0, 1), (0, 1))], "overlaps everywhere"),
        ([((0, 1), (0, 1)), (None, (0, 1))], "overlaps at width 2"),
        ([(None, None)], "is not known"),
    ],
)  # fmt: skip
def test_intervals_that_lie_apart_and_those_that_overlap(bounds, expected):
    found = [(left, right, (width, "")) for width, (left, right) in enumerate(bounds, 2)]
    assert contrasts.beyond(found).replace("\xa0", " ") == expected


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([(9, 20, 1, 5), (9, 1, 20, 5), (9, 2, 2, 5)], "(p < 0.05/3) finds a larger share at width 2, "
         "a smaller share at width 3 and no clear difference at width 4"),
        ([(9, 20, 1, 5), (9, 2, 2, 5), (9, 2, 2, 5)], "(p < 0.05/3) finds a larger share at width 2 "
         "and no clear difference elsewhere"),
        ([(9, 6, 0, 5)], "(p < 0.05) finds a larger share at width 2"),
        ([(9, 6, 0, 5), (9, 6, 0, 5)], "(p < 0.05/2) finds no clear difference"),
        ([(9, 0, 0, 5)], "(p < 0.05) finds no clear difference"),
    ],
)  # fmt: skip
def test_mcnemar_over_several_widths_shares_one_level(tables, expected):
    assert told_apart(*tables) == f"McNemar's test {expected}"


def test_mcnemar_of_one():
    assert contrasts.mcnemar(None) == "no member differs"
    assert contrasts.mcnemar(0.0312) == "McNemar's p\xa0=\xa00.03"
