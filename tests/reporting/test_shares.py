import pytest

from escapedim.records.experiments import Estimated, Share
from escapedim.reporting import shares
from tests.reporting.experiment_cases import estimated, share


def of(count, members, **more):
    return Share.model_validate({**share(count, members), **more})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (of(29, 36), "80.6 % (65.0 to 90.2)"),
        (of(29, 36, interval=None), "80.6 %"),
        (of(29, 36, rate=None, interval=None), "80.6 %"),
        (of(9999, 10_000), "99.99 % (99.94 to 100.00)"),
        (of(0, 0), "-"),
    ],
)
def test_a_share_in_a_sentence(found, expected):
    assert shares.told(found).replace("\xa0", " ") == expected


def test_a_tally_has_the_number_of_its_noun_and_names_the_interval_once():
    assert (
        shares.tally(of(1, 4), "fails", "fail", named=True) == "1 fails, 25.0\xa0% (95\xa0% interval 4.6\xa0to\xa069.9)"
    )
    assert shares.tally(of(2, 4), "fails", "fail").startswith("2 fail, 50.0\xa0% (15.0")


def test_cells():
    assert shares.cell(of(29, 36)) == "80.6 (65.0 to 90.2)"
    assert shares.cell(of(29, 36), "\n", whole=True) == "80.6\n(65 to 90)"
    assert shares.cell(of(0, 0)) == "-"
    assert shares.estimate_cell(Estimated.model_validate(estimated(0.8825, 0.804, 0.961))) == "88.2 (80.4 to 96.1)"
    assert shares.estimate_cell(Estimated(value=None, interval=None)) == "-"


@pytest.mark.parametrize(("p", "cell"), [(None, "-"), (0.0001, "<0.001"), (0.0042, "0.004"), (1.0, "1.00")])
def test_p_values_in_a_table(p, cell):
    assert shares.p_cell(p) == cell


def test_what_is_left_out_is_said():
    assert shares.more(0, "widths") == ""
    assert shares.more(1, "entries") == "1\xa0entry more is in the JSON."
    assert shares.more(1200, "widths") == "1,200\xa0widths more are in the JSON."
    assert shares.most([3, 9, 1, 9], 2, float) == [9, 9]
    assert shares.most([5, 2, 7], 2, float) == [5, 7]


def test_factors_other_than_one_are_told():
    assert shares.rescaled("tickets", "wide", {"output": 1.0}) == ""
    text = shares.rescaled("tickets", "wide", {"hidden": 1.03509, "output": 1.0})
    assert text == "Initial weights of tickets have a wide network's scale: hidden\xa0×\xa01.035."
