"""Escape, isolation, complement and barriers: what is drawn of the experiments beside width scaling."""

import copy

import pytest

from escapedim.figures import barriers
from escapedim.figures import complement as surrounding
from escapedim.figures import escape as escaping
from escapedim.figures import isolation as isolated
from escapedim.records.experiments import Complement, Escape, Isolation
from escapedim.records.results import WidenResult
from escapedim.records.rewinding import RewindResult
from tests.figures.conftest import inside, panel, tick_labels
from tests.figures.conftest import line as drawn
from tests.reporting.experiment_cases import certified, complement, escape, estimated, isolation, tickets
from tests.reporting.rewind_cases import RESULT, line, surrounded, surroundings


def entries(*found):
    return [Escape.model_validate(one) for one in found]


def test_every_source_has_three_losses():
    found = entries(
        escape(4, 3, 2, 1, loss_before=[0.3, 0.4, 0.5], loss_after=[0.0, 0.1, None], loss_noise_only=[None] * 3)
    )
    axes = panel(escaping.draw_losses, found)
    assert [y for _, y in drawn(axes, "before")] == [0.3, 0.4, 0.5]
    assert [y for _, y in drawn(axes, "widened")] == [1e-16, 0.1]
    assert drawn(axes, "noise only") == []
    assert tick_labels(axes) == ["4→5"]
    assert (axes.get_ylabel(), axes.get_yscale()) == ("training loss", "log")
    assert "Losses below 1e-16 are drawn there" in escaping.caption(found, widened(found))


def widened(found):
    return WidenResult(success_criterion="loss < 0.001", widths=[], escape=found)


def test_shares_stand_beside_their_controls():
    found = entries(certified(6, 40, 30), certified(7, 20, 20))
    axes = panel(escaping.draw_shares, found)
    assert [y for _, y in drawn(axes, "widened")] == [75, 100]
    assert [y for _, y in drawn(axes, "noise only")] == [0, 0]
    assert [y for _, y in drawn(axes, "fresh, wide")] == pytest.approx([62, 78])
    low, high = found[0].reached_global.interval
    segment = axes.collections[0].get_segments()[0]
    assert [segment[0][1], segment[1][1]] == pytest.approx([100 * low, 100 * high])
    assert axes.get_ylabel() == "global minimum (%)"
    assert inside(axes.figure)


def test_entries_are_told_apart_by_what_differs():
    found = entries(certified(6, 5, 5), certified(6, 2, 2, "saddle"), escape(6, 3, 1, 0, embedding="null", alpha=None))
    assert escaping.labels(found) == [
        "6→7\nsplit, α=0.5\nbad\nminimum",
        "6→7\nsplit, α=0.5\nsaddle",
        "6→7\nnull\nfailed",
    ]


def test_of_many_entries_those_with_most_sources_are_drawn():
    found = entries(*(certified(6 + k, 10 + k, 5) for k in range(12)))
    shown = escaping.entries(widened(found))
    assert [entry.from_width for entry in shown] == list(range(9, 18))
    assert "Not shown: 3 entries" in escaping.caption(shown, widened(found))


def test_isolation_has_what_tickets_predict_to_be_zero():
    found = [Isolation.model_validate(isolation()), Isolation.model_validate(isolation(9, (97, 2, 1, 0)))]
    axes = panel(isolated.draw_exceptions, found)
    assert [y for _, y in drawn(axes, "succeeds, though none wins alone")] == pytest.approx([100 * 29 / 36, 100])
    assert [y for _, y in drawn(axes, "fails, though some win alone")] == pytest.approx([100 * 2 / 64, 100 * 1 / 98])
    assert axes.get_xlabel() == "width (units)"
    assert tick_labels(axes) == ["8", "9"]
    assert inside(axes.figure)
    failures = panel(isolated.draw_failures, found)
    assert [y for _, y in drawn(failures, "wide network fails: q")] == pytest.approx([9, 1])
    assert failures.get_ylabel() == "failure rate (%)"


def test_sampled_subnetworks_give_an_upper_bound():
    found = [Isolation.model_validate(isolation(sampled=True))]
    axes = panel(isolated.draw_failures, found)
    assert any("upper bound" in text.get_text() for text in axes.get_legend().get_texts())
    assert "upper bound" in isolated.caption(found)
    labels = [text.get_text() for text in panel(isolated.draw_exceptions, found).get_legend().get_texts()]
    assert "succeeds, though none wins alone" not in labels


def test_complement_by_scale_beside_fresh_networks():
    entry = Complement.model_validate(complement())
    axes = panel(surrounding.draw, entry)
    assert [y for _, y in drawn(axes, "winning tickets")] == pytest.approx([88.25, 81.25, 60.25, 22.75])
    assert [y for _, y in drawn(axes, "losing tickets")] == pytest.approx([31, 77.5, 56, 21.25])
    assert tick_labels(axes) == ["alone", "1", "3", "10"]
    assert any(list(one.get_ydata()) == pytest.approx([77.75, 77.75]) for one in axes.get_lines())
    assert "A = 0.33 (-0.21 to 0.81)" in surrounding.caption(entry)
    assert inside(axes.figure)


def test_tickets_whose_training_is_deterministic_repeat_themselves():
    winners = tickets(3, estimated(None), {1: 0.5})
    entry = Complement.model_validate(
        complement(deterministic=True, winners=winners, losers=winners, index=estimated(None), reason="none lost")
    )
    axes = panel(surrounding.draw, entry)
    assert [y for _, y in drawn(axes, "winning tickets")] == [100, 50]
    assert [y for _, y in drawn(axes, "losing tickets")] == [0, 50]
    assert surrounding.caption(entry).endswith("A is undecided: none lost.")


def rewound(**more):
    return RewindResult.model_validate(copy.deepcopy({**RESULT, **more}), strict=True)


def test_tickets_in_their_complements():
    found = surrounding.last_round(rewound())
    assert [(one.round, one.complement) for one in found] == [(2, "masked"), (2, "redraw"), (2, "frozen")]
    axes = panel(surrounding.draw_tickets, found, alone=True)
    assert [y for _, y in drawn(axes, "ticket")] == pytest.approx([60, 60, 60])
    segment = axes.collections[0].get_segments()[0]
    assert [segment[0][1], segment[1][1]] == pytest.approx([50, 70])
    assert axes.get_title(loc="left") == "complement cut away"
    assert axes.get_ylabel() == "test accuracy (%)"
    assert "± one standard error" in surrounding.caption_tickets(found)
    assert inside(axes.figure)


def test_tickets_of_a_task_without_accuracy_have_rates_of_success():
    found = surrounding.last_round(rewound(complements=[surroundings("masked", accuracy=False)]))
    axes = panel(surrounding.draw_tickets, found)
    assert [y for _, y in drawn(axes, "ticket")] == [75]
    assert axes.get_ylabel() == "success rate (%)"


def test_subnetworks_that_a_complement_lacks_are_left_out():
    lacking = surroundings("redraw")
    lacking["subnetworks"] = {"ticket": surrounded(0.75, 0.5)}
    axes = panel(
        surrounding.draw_tickets, surrounding.last_round(rewound(complements=[surroundings("masked"), lacking]))
    )
    assert len(drawn(axes, "reinit")) == 1


def test_barrier_curves_are_errors_along_the_line():
    result = rewound()
    first, successive = barriers.panels(result)
    axes = panel(barriers.draw, first)
    assert drawn(axes, "data orders, ticket") == [(0, 10), (0.5, pytest.approx(11)), (1, 10)]
    assert drawn(axes, "ticket and dense")[1] == (0.5, pytest.approx(30))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("share of the second network", "test error (%)")
    assert axes.get_title(loc="left") == "round 2, rewound to step 0"
    assert inside(axes.figure)
    assert len(panel(barriers.draw, successive).get_lines()) == 7


def test_losses_are_no_percentages_and_a_diverged_curve_is_left_out():
    lines = [line("data orders", error="train loss"), line("ticket and dense", error="train loss", errors=[None] * 3)]
    (found,) = barriers.panels(rewound(instability=lines))
    axes = panel(barriers.draw, found)
    assert axes.get_ylabel() == "train loss"
    assert [y for _, y in axes.get_lines()[0].get_xydata()] == pytest.approx([0.1, 0.11, 0.1])


def test_the_panel_that_stands_for_all_is_the_last_rounds_own_point():
    lines = [line("data orders", number, to=to) for number in (1, 2) for to in (0, 10)]
    result = rewound(instability=lines)
    assert barriers.panels(result)[barriers.lead(result)][0].round == 2
    assert barriers.panels(result)[barriers.lead(result)][0].to == 0
