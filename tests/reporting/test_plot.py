import pytest
from hypothesis import given
from hypothesis import strategies as st

from escapedim.reporting.plot import MARKERS, Axis, Bars, Series, line_plot


def plot(series, **more):
    return line_plot(series, **{"width": 40, "height": 5, "x_label": "x", "y_label": "y", **more})


def test_a_known_plot_cell_by_cell():
    series = [
        Series("ticket", [(100, 4), (10, 4), (1, 2)], "o"),
        Series("reinit", [(100, 4), (10, 2), (1, 0)], "x"),
    ]
    lines = line_plot(
        series,
        width=30,
        height=5,
        x_label="density in %",
        y_label="accuracy",
        log_x=True,
        reverse_x=True,
        reference=("dense", 3),
    )
    assert lines == [
        "accuracy",
        "4 ┤ o            o",
        "  │ - - - - - - - - - - - - -",
        "2 ┤              x           o",
        "  │",
        "0 ┤                          x",
        "  └─┬────────┬───┬──┬────┬───┬",
        "    100     20  10  5    2   1",
        "           density in %",
        "o ticket   x reinit",
        "- - dense",
    ]


@pytest.mark.parametrize(
    ("densities", "width", "labels"),
    [
        ([100, 80.2, 33.3, 11.22], 80, "100 70 50 30 20 11.2"),
        ([100, 80.2, 33.3, 19.5], 80, "100 70 50 30 19.5"),  # 20 would touch it
        ([100, 80.2, 50], 80, "100 90 80 70 60 50"),  # 50 is a round number itself
        ([100, 51.3], 30, "100 80 70 60 51.3"),
        ([100, 0.01234], 60, "100 20 10 5 2 1 0.5 0.2 0.1 0.0123"),
        ([0.13], 40, "0.18 0.13 0.10"),
    ],
)
def test_the_last_point_is_labelled_and_round_numbers_make_room_for_it(densities, width, labels):
    series = [Series("ticket", [(density, density) for density in densities], "o")]
    rule, foot = plot(series, width=width, log_x=True, reverse_x=True)[6:8]
    assert foot.split() == labels.split()
    assert rule.count("┬") == len(labels.split())
    assert max(len(rule), len(foot)) <= width


def test_the_last_point_of_a_rising_axis_is_the_largest():
    foot = plot([Series("ticket", [(0.0, 1.0), (9.7, 2.0)], "o")], width=60)[7]
    assert foot.split() == ["0", "2", "4", "6", "8", "9.7"]


def test_the_first_series_keeps_a_shared_cell():
    first, second = Series("ticket", [(1, 1)], "o"), Series("random", [(1, 1)], "^")
    assert "o" in "".join(plot([first, second])[1:6])
    assert "^" not in "".join(plot([first, second])[1:6])
    assert "^" in "".join(plot([second, first])[1:6])


@pytest.mark.parametrize(
    "points",
    [
        [(1.0, 0.5)],
        [(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)],
        [(2.0, 0.1), (2.0, 0.9)],
        [(1.0, 0.0), (2.0, 0.0)],
    ],
    ids=["one point", "equal y", "equal x", "all zero"],
)
def test_degenerate_ranges_still_show_every_point(points):
    body = "".join(plot([Series("ticket", points, "o")], log_x=True)[1:6])
    assert body.count("o") == len(points)


def test_missing_values_are_left_out():
    points = [(None, 1.0), (1.0, None), (0.0, 1.0), (1.0, float("nan")), (10.0, 2.0)]
    lines = plot([Series("ticket", points, "o"), Series("reinit", [(1.0, None)], "x")], log_x=True)
    assert "".join(lines[1:6]).count("o") == 1
    assert lines[-1] == "o ticket"


@pytest.mark.parametrize("series", [[], [Series("ticket", [], "o")], [Series("ticket", [(1.0, None)], "o")]])
def test_no_data_is_said(series):
    assert plot(series, y_label="accuracy") == ["accuracy: no values to plot."]


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis(0, 100, 20), ["0", "20", "40", "60", "80", "100"]),
        (Axis(94.2, 98.1, 20), ["95", "96", "97", "98"]),
        (Axis(0.05, 0.31, 20), ["0.1", "0.2", "0.3"]),
        (Axis(0, 2, 20, log=True), ["1", "2", "5", "10", "20", "50", "100"]),
        (Axis(-5, 0, 20, log=True), ["1e-05", "0.0001", "0.001", "0.01", "0.1", "1"]),
    ],
)
def test_ticks_are_round_numbers(axis, labels):
    assert [label for _, label in axis.ticks(5)] == labels


def test_an_axis_between_two_round_numbers_has_more_than_one_label():
    assert [label for _, label in Axis(91.5, 99.8, 11).ticks(4)] == ["92", "94", "96", "98"]


def test_an_axis_puts_its_ends_into_the_outer_cells():
    rising, falling = Axis.over([1, 100], 11, log=True), Axis.over([1, 100], 11, log=True, reverse=True)
    assert [rising.cell(value) for value in (1, 10, 100)] == [0, 5, 10]
    assert [falling.cell(value) for value in (1, 10, 100)] == [10, 5, 0]


def test_markers_differ_by_shape_and_leave_the_marks_of_tables_alone():
    assert len(set(MARKERS)) == len(MARKERS)
    assert not set(MARKERS) & set("*=-D")


value = st.none() | st.floats(-1e9, 1e9)


@given(
    st.lists(st.tuples(st.none() | st.floats(0, 1e3), value), max_size=12),
    st.integers(30, 130),
    st.integers(3, 25),
    st.booleans(),
    st.booleans(),
    st.none() | st.floats(-1e3, 1e3),
)
def test_any_plot_keeps_its_width_and_height(points, width, height, log_x, reverse_x, reference):
    lines = line_plot(
        [Series("ticket", points, "o"), Series("reinit", points[::2], "x")],
        width=width,
        height=height,
        x_label="x",
        y_label="y",
        log_x=log_x,
        reverse_x=reverse_x,
        reference=None if reference is None else ("dense", reference),
    )
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 or len(lines) >= height + 5


# Error bars, labels and range


def test_error_bars_run_through_the_marker_and_are_named_below():
    series = [Series("rate", [(1, 2), (3, 4)], "o", Bars("interval", [(1, 1, 4), (3, 4, 4)]))]
    assert line_plot(series, width=30, height=4, x_label="width", y_label="rate", x_ticks=[1, 3]) == [
        "rate",
        "4 ┤ |                        o",
        "3 ┤ |",
        "2 ┤ o",
        "1 ┤ |",
        "  └─┬────────────────────────┬",
        "    1                        3",
        "              width",
        "o rate   | interval",
    ]


def test_markers_lie_over_the_bars_of_all_series():
    first = Series("a", [(1, 0), (1, 4)], "o", Bars("interval", [(1, 0, 4)]))
    second = Series("b", [(1, 2)], "x", Bars("interval", [(1, 0, 4)]))
    lines = plot([first, second])
    assert [line[-1] for line in lines[1:6]] == ["o", "|", "x", "|", "o"]
    assert lines[-1] == "o a   x b   | interval"


@pytest.mark.parametrize("span", [(None, 0, 1), (2, None, 1), (2, 0, None), (0.0, 0, 1), (2, 0, float("inf"))])
def test_a_bar_without_one_of_its_coordinates_is_left_out(span):
    lines = plot([Series("a", [(2, 0.5), (9, 0.6)], "o", Bars("interval", [span]))], log_x=True)
    assert "|" not in "".join(lines)


def test_a_bar_alone_is_drawn():
    assert sum("|" in line for line in plot([Series("a", [], "o", Bars("interval", [(2, 0, 1)]))])) == 6


def test_chosen_values_label_the_axis_where_there_is_room():
    series = [Series("a", [(width, 1.0) for width in (2, 3, 4, 64)], "o")]
    assert plot(series, x_ticks=[0, 2, 3, 4, 64, 99])[7].split() == ["2", "64"]


def test_the_y_axis_holds_the_range_asked_for():
    lines = plot([Series("a", [(1, 40), (2, 60)], "o")], y_range=(0, 100))
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["100", "50", "0"]


@given(st.lists(st.tuples(st.integers(1, 1000), value, value, value), max_size=12), st.integers(30, 130), st.booleans())
def test_any_error_bars_keep_the_width(marks, width, log_x):
    points = [(x, y) for x, y, _, _ in marks]
    bars = Bars("interval", [(x, low, high) for x, _, low, high in marks])
    lines = plot([Series("a", points, "o", bars)], width=width, log_x=log_x, x_ticks=[x for x, _ in points])
    assert max(map(len, lines)) <= width
