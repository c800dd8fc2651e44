"""Success, endings, effective tickets: what is drawn against width."""

from itertools import pairwise

import pytest

from escapedim.figures import effective as tickets
from escapedim.figures import endings, success
from escapedim.records.comparison import Row
from tests.figures.conftest import inside, line, panel, tick_labels
from tests.reporting.compare_cases import comparison, effective
from tests.reporting.widen_cases import TEACHER_CONFIG, digits, rates, teacher, widen, width


def test_success_has_rates_with_wilson_intervals():
    result = teacher().result
    axes = panel(success.draw, success.points(result))
    container = axes.containers[0]
    assert [tuple(point) for point in container.lines[0].get_xydata()] == [
        (entry.width, pytest.approx(100 * entry.success_rate)) for entry in result.widths
    ]
    for entry, segment in zip(result.widths, container.lines[2][0].get_segments(), strict=True):
        assert [100 * bound for bound in entry.success_interval] == pytest.approx([segment[0][1], segment[1][1]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width (units)", "success rate (%)")
    assert "95 % Wilson intervals" in success.caption(success.points(result), result.success_criterion)
    assert inside(axes.figure)


def test_many_widths_have_a_logarithmic_axis_and_labels_that_do_not_touch():
    axes = panel(success.draw, success.points(digits().result))
    assert axes.get_xscale() == "log"
    renderer = axes.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_one_width_is_drawn_too():
    axes = panel(success.draw, success.points(rates({8: 78}).result))
    assert tick_labels(axes) == ["8"]
    assert inside(axes.figure)


def test_laws_have_curves_and_bands_of_success():
    found = comparison()
    points = success.observed(found.laws)
    axes = panel(success.draw, points, found.laws)
    assert line(axes, "exponential") == [
        (one.width, pytest.approx(100 * (1 - one.rate))) for one in found.laws.laws[0].predicted
    ]
    assert line(axes, "independent subsets (rejected)")
    band = axes.collections[0].get_paths()[0].vertices
    at_six = [y for x, y in band if x == 6]
    assert (min(at_six), max(at_six)) == pytest.approx((60, 70))
    assert "The exponential law is preferred" in success.caption(points, "", found.laws)


def test_laws_belong_to_the_widths_that_they_were_fitted_to():
    laws = comparison().laws
    assert success.fitted_to(laws, success.points(teacher().result)) is laws
    assert success.fitted_to(laws, success.points(digits().result)) is None


def test_endings_are_bars_of_a_hundred_percent():
    result = teacher().result
    axes = panel(endings.draw, result)
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
    assert heights["bad minimum"] == pytest.approx([34.3, 3.8, 0.1, 0.0])
    for number in range(4):
        assert sum(bars[number] for bars in heights.values()) == pytest.approx(100)
    assert tick_labels(axes) == ["6", "7", "8", "9"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width (units)", "members (%)")
    assert inside(axes.figure)


def test_one_ending_alone_is_named_and_not_drawn():
    assert endings.missing(digits().result) == "the ending of every member is 'undecided'"
    assert endings.missing(teacher().result) == ""
    none = widen([width(4, 0, 0, {})], config=TEACHER_CONFIG).result
    assert endings.missing(none) == "no width has members"


def test_effective_tickets_lie_between_their_predictions():
    found = Row.model_validate(effective())
    axes = panel(tickets.draw, found)
    assert line(axes, "measured") == [(6, 1.0), (7, 3.05), (8, 6.4)]
    assert line(axes, "tickets disjoint: ⌊n/r⌋") == [(6, 1), (7, 1), (8, 1), (9, 1)]
    assert line(axes, "all subsets independent: C(n,r)") == [(6, 1), (7, 7), (8, 28), (9, 84)]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == (
        "width (units)",
        "effective tickets N(n)",
        "log",
    )
    assert inside(axes.figure)


def test_effective_tickets_without_a_measurement_are_no_row():
    assert tickets.row([Row.model_validate(effective(measured=[]))]) is None
