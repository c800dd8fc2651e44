import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.reporting import success
from tests.reporting.conftest import flat, text
from tests.reporting.widen_cases import digits, rates, widen, width


def sentence(summary):
    return success.sentence(summary, summary.result).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (
            rates({2: 12, 8: 60, 16: 99}),
            "Success rises from 12.0 % (95 % interval 7.0 to 19.8) at width 2 to 99.0 % (94.6 to 99.8) at width 16; "
            "criterion train_accuracy >= 0.95.",
        ),
        (
            rates({2: 99, 16: 12}),
            "Success falls from 99.0 % (95 % interval 94.6 to 99.8) at width 2 to 12.0 % (7.0 to 19.8) at width 16;",
        ),
        (
            rates({2: 50, 16: 60}),
            "No clear change of success with width: 50.0 % (95 % interval 40.4 to 59.6) at width 2 and "
            "60.0 % (50.2 to 69.1) at width 16, intervals that overlap; criterion",
        ),
        (
            rates({2: 50, 8: 99, 9: 98, 16: 60}),
            "at width 16, intervals that overlap, but higher between them, 99.0 % (94.6 to 99.8) at width 8; crit",
        ),
        (
            rates({2: 10, 8: 99, 9: 0, 16: 60}),
            "at width 16, but higher between them, 99.0 % (94.6 to 99.8) at width 8 and lower between them, "
            "0.0 % (0.0 to 3.7) at width 9; criterion",
        ),
        (
            rates({6: 91}),
            "91 of 100 members succeed: 91.0 % (95 % interval 83.8 to 95.2) at width 6; criterion",
        ),
        (
            rates({2: 0, 3: 0}),
            "No member succeeds at any of 2 widths (0 of 200 members; the 95 % intervals reach up to 3.7 %); crit",
        ),
        (
            rates({2: 100, 3: 100}),
            "All members succeed at each of 2 widths (200 of 200 members; the 95 % intervals reach down to 96.3 %);",
        ),
        (rates({2: 4999, 4: 5000}, 5000), "99.98 % (95 % interval 99.89 to 100.00) at width 2 and 100.00 % ("),
        (rates({2: 12, 16: 99}, status="running"), "So far: success rises from 12.0 %"),
        (rates({2: 50, 16: 60}, status="interrupted"), "So far: no clear change"),
        (rates({}), "No width is finished; the criterion is train_accuracy >= 0.95."),
        (widen([width(2, 0, 0, {})]), "No width is finished"),
        (rates({16: 99, 2: 12}), "Success rises from 12.0 %"),
    ],
)
def test_the_sentence_claims_no_more_than_the_intervals(summary, expected):
    assert expected in sentence(summary)


@given(st.dictionaries(st.integers(1, 500), st.integers(0, 40), min_size=2, max_size=8))
def test_a_change_is_claimed_only_where_the_intervals_are_apart(successes):
    measured = success.rates(rates(successes, 40).result)
    apart = measured[0].above(measured[-1]) or measured[-1].above(measured[0])
    assert bool(re.match("Success (rises|falls)", sentence(rates(successes, 40)))) is apart


def test_one_width_has_no_plot():
    assert success.plot(rates({6: 91}).result, 80, 10) == []


def test_the_plot_of_widths_has_a_bar_for_each_interval_and_labels_every_width_with_room():
    lines = success.plot(rates({2: 10, 4: 50, 8: 90}).result, 70, 11)
    assert lines == [
        "success rate in %",
        "100 ┤",
        "    │                                                                o",
        "    │                                                                |",
        "    │",
        "    │                      |",
        " 50 ┤                      o",
        "    │                      |",
        "    │",
        "    │ |",
        "    │ o",
        "  0 ┤",
        "    └─┬────────────────────┬─────────────────────────────────────────┬",
        "      2                    4                                         8",
        "                                   width",
        "o success rate   | 95 % Wilson interval, where it is longer than a row",
    ]


def test_widths_that_span_more_than_a_factor_of_eight_are_on_a_log_axis():
    foot = {last: success.plot(rates({2: 10, 4: 20, last: 90}).result, 80, 8)[-3] for last in (16, 32)}
    assert foot[16].index("4") < 20
    assert foot[32].index("4") > 20


def test_rates_that_hardly_differ_are_magnified():
    lines = success.plot(rates({2: 97, 4: 98, 8: 99}).result, 80, 11)
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["98", "96", "94", "92"]


def test_the_finding_stands_above_the_plot():
    parts = text(digits(), 100).split("\n\n")
    assert flat(parts[1]).startswith("Success rises from 0.0 %")
    assert parts[2].startswith("success rate in %")
