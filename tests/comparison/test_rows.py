"""Rows against counts by hand: what is measured, predicted and tested, and what is said where nothing can be."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from escapedim.comparison.rows import (
    complement,
    counts,
    equal_parameters,
    escape,
    instability,
    isolation,
    literal_tickets,
    restarts,
)
from escapedim.comparison.study import Study, StudySource
from escapedim.comparison.tickets import complement_index, index_above, index_below
from escapedim.comparison.widths import exhaustive, stays

from . import cases


def study(*summaries, **more) -> Study:
    sources = [
        StudySource(f"{made.kind}{at}", made.config, made.result, made.provenance.argv)
        for at, made in enumerate(summaries)
    ]
    return Study(sources, task="relu-teacher:k=6", **{"base_width": 6, **more})


def test_isolation_tests_both_rates_against_the_margin():
    entries = [cases.isolation(7, 60, 6, 2, 32), cases.isolation(8, 80, 4, 1, 15)]
    row = isolation.row(study(cases.widen(isolation=entries)))
    wins, fails = (10, 57), (3, 143)
    assert row.estimate == (10 + 3) / 200
    assert row.observations == 200
    each = [(6, 38), (2, 62), (4, 19), (1, 81)]
    tickets = [stats.binom.sf(count - 1, of, 0.05) for count, of in (wins, fails, *each)]
    against_escape = [stats.binom.cdf(count, of, 0.05) for count, of in each]
    assert row.p_tickets == pytest.approx(min(1, 6 * min(tickets)))
    assert row.p_escape == pytest.approx(max(against_escape)), "one of them above the margin is enough"
    assert "10 of 57, 17.5 % (9.8 to 29.4) succeed" in row.sentence
    assert "3 of 143, 2.1 % (0.7 to 6.0) fail" in row.sentence
    assert [one.what for one in row.measured][:2] == [
        "width 7: succeed although none wins", "width 7: fail although some win",
    ]  # fmt: skip


def incomplete(*entry) -> dict:
    """An entry at width 8 without the subnetworks of 6 units."""
    made = cases.isolation(8, *entry)
    return {**made, "sizes": [one for one in made["sizes"] if one["units"] == 7]}


def test_subnetworks_of_some_sizes_only_do_not_tell_that_none_wins():
    """There is no subnetwork of 6 units among them: one of those might have won."""
    found = study(cases.widen(isolation=[incomplete(300, 200, 0, 300)]))
    row = isolation.row(found)
    assert (row.observations, row.p_tickets) == (300, 1)
    assert "none of whose" not in row.sentence
    literal = literal_tickets.row(found)
    assert literal.p_tickets == literal.p_not_tickets == literal.p_not_escape == 1
    assert literal.measured[0].note == "not all subnetworks: q_lit is an upper bound"
    assert exhaustive(found) == {}
    whole = study(cases.widen(isolation=[cases.isolation(8, 300, 200, 0, 300)]))
    assert isolation.row(whole).p_tickets < 1e-6
    assert list(exhaustive(whole)) == [8]
    assert list(exhaustive(study(cases.widen(isolation=[incomplete(3, 2, 0, 3)]), base_width=7))) == [8]


def test_a_width_that_contradicts_is_not_outvoted_by_the_others():
    """At width 7 a third of networks without a winner succeed, elsewhere none does."""
    entries = [cases.isolation(7, 200, 60, 0, 140), *(cases.isolation(n, 900, 0, 0, 900) for n in (8, 9, 10))]
    found = study(cases.widen(isolation=entries))
    row, literal = isolation.row(found), literal_tickets.row(found)
    assert row.p_tickets < 1e-6
    assert row.p_escape > 0.5
    assert literal.p_tickets < 1e-3
    assert literal.p_not_tickets > 0.5
    opposite = [cases.isolation(7, 300, 200, 0, 500), cases.isolation(8, 300, 0, 200, 500)]
    literal = literal_tickets.row(study(cases.widen(isolation=opposite)))
    assert max(literal.p_tickets, literal.p_escape) < 1e-4
    strata = [cases.escape(6, 120, 60, 200), *(cases.escape(n, 240, 240, 800) for n in (7, 8))]
    row = escape.row(study(cases.widen(escape=strata)))
    assert row.p_not_tickets > 0.5
    assert row.p_tickets < 1e-4


def test_with_sampled_subsets_only_failures_count():
    row = isolation.row(study(cases.widen(isolation=[cases.isolation(9, 90, 5, 5, 0, sampled=True)])))
    assert row.observations == 95
    assert "none of whose" not in row.sentence


def test_where_no_wide_network_fails_none_can_fail_in_spite_of_a_winner():
    row = isolation.row(study(cases.widen(isolation=[cases.isolation(7, 1000, 0, 0, 0)])))
    assert (row.p_tickets, row.p_escape) == (1, None)
    assert "hardly any fail, or all do, so that nothing else was possible" in row.sentence
    nothing = isolation.row(study(cases.widen(isolation=[cases.isolation(7, 0, 0, 0, 1000)])))
    assert (nothing.p_tickets, nothing.p_escape) == (1, None)
    literal = literal_tickets.row(study(cases.widen(isolation=[cases.isolation(7, 0, 0, 0, 1000)])))
    assert (literal.p_tickets, literal.p_not_tickets) == (1, 1)
    assert literal.p_escape > 0.99


def test_literally_no_network_contradicts_its_subnetworks():
    row = isolation.row(study(cases.widen(isolation=[cases.isolation(7, 400, 0, 0, 400)])))
    assert row.p_tickets == 1
    assert row.p_escape < 1e-8
    literal = literal_tickets.row(study(cases.widen(isolation=[cases.isolation(7, 400, 0, 0, 400)])))
    assert literal.estimate == 0
    assert literal.p_tickets == 1
    assert literal.p_escape < 1e-4
    assert literal.p_not_tickets < 1e-4


def test_literal_tickets_pairs_wide_networks_with_their_subnetworks():
    row = literal_tickets.row(study(cases.widen(isolation=[cases.isolation(7, 500, 300, 10, 190)])))
    assert row.estimate == pytest.approx(0.29)
    assert row.interval[0] < 0.29 < row.interval[1]
    assert row.p_tickets < 1e-5
    assert row.p_escape > 0.99
    (measured,) = row.measured
    assert measured.predictions == {"q": 0.2, "q_lit": 0.49}


def test_where_q_lit_is_0_nothing_can_be_below_it():
    row = literal_tickets.row(study(cases.widen(isolation=[cases.isolation(7, 996, 2, 2, 0)])))
    assert row.p_not_tickets == 1
    assert row.p_escape > 0.99
    assert "equality is no finding" in row.sentence
    above = literal_tickets.row(study(cases.widen(isolation=[cases.isolation(7, 700, 0, 300, 0)])))
    assert max(above.p_tickets, above.p_escape) < 1e-5


def test_sampled_subsets_bound_q_lit_and_equality_cannot_fail_below():
    row = literal_tickets.row(study(cases.widen(isolation=[cases.isolation(9, 500, 300, 10, 190, sampled=True)])))
    assert row.p_tickets == 1
    assert "at most 49.0 %" in row.sentence


def test_escape_is_held_against_noise_and_fresh_networks():
    entries = [cases.escape(6, 36, 0, 40), cases.escape(7, 30, 2, 40, source_ending="saddle")]
    row = escape.row(study(cases.widen(escape=entries)))
    assert row.estimate == 66 / 80
    assert row.p_tickets < 1e-5
    assert row.p_escape > 0.5
    assert "exact McNemar test: p = " in row.sentence
    assert row.prediction_tickets.low == 0
    assert row.prediction_tickets.high == pytest.approx(2 / 80 + 0.05)


def test_no_more_than_fresh_narrow_networks_is_no_escape():
    row = escape.row(study(cases.widen(escape=[cases.escape(6, 120, 0, 400, narrow=(800, 1000))])))
    assert max(row.p_tickets, row.p_escape) < 1e-5


def test_where_noise_alone_always_succeeds_nothing_is_above_it():
    row = escape.row(study(cases.widen(escape=[cases.escape(6, 40, 40, 40)])))
    assert row.p_escape > 0.9
    assert row.p_not_tickets == 1
    assert "nothing can be above it" in row.sentence


def test_room_is_judged_at_each_width():
    """At width 7 fresh networks hardly fail: that networks fail there alike says nothing for equality."""
    roomy, full = cases.escape(6, 20, 2, 40), cases.escape(7, 400, 398, 400, narrow=(990, 1000))
    row = escape.row(study(cases.widen(escape=[roomy, full])))
    alone = escape.row(study(cases.widen(escape=[roomy])))
    assert row.p_not_tickets == alone.p_not_tickets > 0.5
    assert row.p_escape == alone.p_escape > 0.05
    assert "at 1 of 2 widths a control exceeds 95.0 %" in row.sentence


def test_where_nothing_can_be_reached_failing_alike_is_no_equality():
    controls = cases.escape(6, 0, 0, 400, narrow=(0, 1000))["controls"] | {"fresh_wide": cases.a_share(3, 1000)}
    row = escape.row(study(cases.widen(escape=[cases.escape(6, 0, 0, 400, narrow=(0, 1000), controls=controls)])))
    assert row.p_not_tickets == 1
    assert row.p_escape > 0.5


def test_the_same_failed_networks_widened_otherwise_count_once():
    """Two embeddings of the same forty networks are forty networks, and so are their shares that stay."""
    first, other = cases.escape(6, 20, 2, 40), cases.escape(6, 30, 2, 40, alpha=0.3)
    for entries in ([first, other], [other, first]):
        found = study(cases.widen(escape=entries))
        row = escape.row(found)
        assert (row.observations, row.estimate) == (40, 0.5)
        assert "one further entry of the same kind of networks, widened otherwise" in row.sentence
        assert len(row.measured) == 2
        assert stays(found)[6].of == 40
    assert escape.row(study(cases.widen(escape=[other]))).estimate == 0.75
    assert stays(study(cases.widen(escape=[other]))) == {}


def test_a_difference_between_widths_is_none_between_treatments():
    """Simpson: at each width networks do as fresh ones do, but most failed ones are of the width that does better."""
    entries = [cases.escape(6, 4, 4, 40, narrow=(900, 9000)), cases.escape(7, 320, 320, 400, narrow=(800, 1000))]
    row = escape.row(study(cases.widen(escape=entries)))
    assert "73.6 % in the mean over widths by failed networks" in row.sentence
    assert "(exact Fisher tests by width, the least of 2, Holm: p = 1)" in row.sentence


def test_a_split_that_opened_no_direction_is_said_to_have():
    entry = cases.escape(6, 20, 2, 40, negative_directions={"min": 0, "median": 0, "max": 0})
    assert (
        "the split opened no direction of negative curvature" in escape.row(study(cases.widen(escape=[entry]))).sentence
    )


def test_new_random_weights_are_no_test_of_directions():
    entries = [cases.escape(6, 36, 0, 40, embedding="null:drawn=true", alpha=None)]
    row = escape.row(study(cases.widen(escape=entries)))
    assert row.direction == "not measured"


@pytest.mark.parametrize(("count", "rejected"), [(4, "escape"), (2, "tickets")])
def test_complement_tests_both_points(count, rejected):
    """Tickets of which all networks succeed, and those of which as many do as of fresh ones."""
    successes = [count] * 40 if count == 4 else [1, 2, 3, 2] * 10
    row = complement.row(study(cases.widen(complement=[cases.complement(7, successes)])))
    p = {"tickets": row.p_tickets, "escape": row.p_escape}
    assert p.pop(rejected) < 1e-4
    assert min(p.values()) > 0.05


@pytest.mark.parametrize("deterministic", [True, False])
def test_retests_are_counted_as_they_were_made(deterministic):
    """A deterministic retest is made once, others once a draw: the test of A is that of its interval."""
    made = cases.complement(7, [4, 3, 4, 4, 2] * 8)
    retests = [1 if deterministic else 4] * 39 + [0]
    tickets = [{**ticket, "retest": count} for ticket, count in zip(made["winners"]["tickets"], retests, strict=True)]
    shares = [(t["successes"]["1"] / 4, count / max(retests)) for t, count in zip(tickets, retests, strict=True)]
    index = complement_index(shares, (500, 1000))
    made |= {
        "deterministic": deterministic,
        "winners": {**made["winners"], "tickets": tickets},
        "index": {"value": index.value, "interval": list(index.interval)},
    }
    row = complement.row(study(cases.widen(complement=[made])))
    expected = {
        "p_tickets": index_below(shares, (500, 1000), 0.75), "p_escape": index_above(shares, (500, 1000), 0.25),
        "p_not_tickets": index_above(shares, (500, 1000), 0.75),
        "p_not_escape": index_below(shares, (500, 1000), 0.25),
    }  # fmt: skip
    assert {name: getattr(row, name) for name in expected} == pytest.approx(expected)
    assert row.p_tickets > 0.025
    assert row.p_escape < 0.001


def test_further_widths_are_told_since_they_decide_too():
    entries = [cases.complement(7, [4, 4, 4, 4, 3] * 8), cases.complement(8, [3, 2, 4, 2] * 10, width=8)]
    row = complement.row(study(cases.widen(complement=entries)))
    assert "Networks of width 7" in row.sentence
    assert f"; at width 8 A = {entries[1]['index']['value']:.2f} (" in row.sentence


def test_the_p_values_of_a_are_stricter_than_its_interval():
    """A spread that is smaller than that of tickets which are one network each is not believed."""
    entry = cases.complement(7, [1, 2, 3, 4] * 10)
    low, high = entry["index"]["interval"]
    shares = [(count / 4, None) for count in [1, 2, 3, 4] * 10]
    assert index_above(shares, (500, 1000), low) > 0.025 < index_below(shares, (500, 1000), high)
    for test in (index_above, index_below):
        assert test(shares, (500, 1000), entry["index"]["value"]) == pytest.approx(0.5)
    all_or_none = [(float(at < 25), None) for at in range(40)]
    index = complement_index(all_or_none, (500, 1000))
    assert index_above(all_or_none, (500, 1000), index.interval[0]) == pytest.approx(0.025, rel=0.3)


def test_an_index_that_cannot_be_had_decides_nothing():
    row = complement.row(study(cases.widen(complement=[cases.complement(7, [4, 4, 4], fresh=(990, 1000))])))
    assert (row.estimate, row.p_tickets, row.p_escape) == (None, None, None)
    assert "nothing for a ticket to add" in row.sentence


def test_restarts_are_a_difference_of_independent_estimates():
    row = restarts.row(study(cases.widen(restarts=[cases.restarts(8), cases.restarts(9, 950, 0.9)])))
    assert row.estimate == pytest.approx(0.05)
    low, high = row.interval
    wilson = stats.binomtest(950, 1000).proportion_ci(0.95, "wilson")
    assert low == pytest.approx(0.05 - math.hypot(0.95 - wilson.low, 0.02))
    assert high == pytest.approx(0.05 + math.hypot(wilson.high - 0.95, 0.02))


def test_equal_parameters_pairs_a_round_with_the_width_of_as_many_weights():
    """6 inputs and 1 output: 63 weights are 9 units."""
    row = equal_parameters.row(study(cases.lottery(), cases.widen()))
    assert row.estimate == pytest.approx(18 / 20 - 0.97)
    assert "width 9 with 63 weights" in row.sentence
    assert {one.what for one in row.measured} == {
        f"round 1: {arm} against width 9" for arm in ("ticket", "reinit", "random")
    }
    missing = equal_parameters.row(study(cases.lottery(surviving=(140, 100)), cases.widen()))
    assert missing.direction == "not measured"
    assert missing.command == "escapedim widen --task relu-teacher:k=6 --widths 6,7,8,9,14"


def test_instability_is_a_mean_over_replicates():
    row = instability.row(study(cases.rewind((0.01, 0.03, 0.02, None))))
    assert row.estimate == pytest.approx(0.02)
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert row.interval == pytest.approx((0.02 - half, 0.02 + half))
    assert "2.00 (-0.48 to 4.48) points" in row.sentence


def test_counts_come_from_the_teacher_or_from_the_user():
    row = counts.row(study(cases.widen()))
    assert row.measured[0].what == "width 6"
    assert row.measured[0].estimate == pytest.approx(sum(_surjections(r, 6) for r in range(1, 6)) / math.factorial(6))
    unknown = Study(study(cases.widen()).sources, task="digits")
    assert counts.row(unknown).direction == "not measured"
    assert counts.row(Study(unknown.sources, task="digits", minimal=4)).estimate is not None


def _surjections(r: int, m: int) -> int:
    return sum((-1) ** (r - k) * math.comb(r, k) * k**m for k in range(r + 1))


@pytest.mark.parametrize(
    ("module", "command"),
    [
        (isolation, "widen --task relu-teacher:k=6 --isolate 6 --at 7"),
        (literal_tickets, "widen --task relu-teacher:k=6 --isolate 6 --at 7"),
        (complement, "widen --task relu-teacher:k=6 --complement 6 --at 7"),
        (escape, "widen --task relu-teacher:k=6 --escape --replicates 10000"),
        (restarts, "widen --task relu-teacher:k=6 --restarts 6"),
        (equal_parameters, "prune --task relu-teacher:k=6"),
        (instability, "prune --task relu-teacher:k=6 && escapedim rewind lottery.json --instability"),
    ],
)
def test_what_was_not_measured_names_the_command_that_would(module, command):
    row = module.row(study(cases.widen()))
    assert row.direction == "not measured"
    assert row.estimate is None
    assert row.command == f"escapedim {command}"
