import itertools
import os
import subprocess
import sys

import matplotlib
import pytest

from escapedim.figures import endings, scales, style
from escapedim.figures.style import LOOKS, look, new_figure, saved, styled
from tests.figures.conftest import luminance


def test_looks_are_told_apart_in_grey_by_marker_line_and_hatch():
    for parts in ([one.marker for one in LOOKS], [str(one.line) for one in LOOKS], [one.hatch for one in LOOKS]):
        assert len(set(parts)) == len(LOOKS)
    arms = [one for name, one in style.ARMS.items() if name != "dense"]
    assert len({one.marker for one in arms}) == len({one.line for one in arms}) == len(arms)


def test_endings_are_told_apart_in_grey_by_hatch_or_brightness():
    for one, other in itertools.combinations(endings._LOOKS.values(), 2):
        assert one.hatch != other.hatch or abs(luminance(one.color) - luminance(other.color)) > 0.15


def test_lines_are_dark_enough_on_white():
    for one in LOOKS:
        assert 1.05 / (luminance(one.color) + 0.05) > 2


def test_more_things_than_looks_begin_again():
    assert look(len(LOOKS)) == look(0)


def simple():
    with styled():
        figure = new_figure(2, 1.5)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], label="a")
        style.legend_above(axes)
        style.title_above(axes, "title")
        return style.laid_out(figure)


@pytest.mark.parametrize("form", style.FORMATS)
def test_the_same_figure_gives_the_same_bytes(form):
    assert saved(simple(), form) == saved(simple(), form)


IMPORTED = """
import os
from escapedim.figures import style
with style.styled():
    pass
assert os.environ["MPLBACKEND"] == "module://{there}"
import matplotlib
assert matplotlib.rcParams["font.size"] != 77
assert (matplotlib.rcParams["backend"] == "module://json") == ("{there}" == "json")
"""


@pytest.mark.parametrize("there", ["not_there", "json"])
def test_neither_mplbackend_nor_a_file_in_the_current_folder_stops_a_command(tmp_path, there):
    (tmp_path / "matplotlibrc").write_text("font.size: 77\nbackend: module://evil\n")
    code = IMPORTED.replace("{there}", there)
    environment = {**os.environ, "MPLBACKEND": f"module://{there}"}
    assert (
        subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 0
    )


def test_dollars_are_dollars():
    with styled():
        figure = new_figure(2, 1.5)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0.0, 1.0], label="$x^2$")
        style.title_above(axes, "costs $5 and $6_a$ {")
        style.legend_above(axes)
        style.laid_out(figure)
    assert axes.get_title(loc="left") == "costs $5 and $6_a$ {"
    assert not any(text.get_parse_math() for text in (axes.title, *axes.get_legend().get_texts()))
    assert saved(figure, "svg")


def test_arrows_are_shapes_that_point_up_and_down():
    up, down = style.arrow(1), style.arrow(-1)
    assert (up.vertices[1] == [0, 1]).all()
    assert (down.vertices == up.vertices * [1, -1]).all()
    assert len(up.vertices) < 10  # and not letters that spell a formula


@pytest.mark.parametrize(
    ("values", "labels"),
    [((1e-3, 1.0), {"10⁻³", "10⁰"}), ((2e-3, 2.5e-2), {"10⁻²"}), ((2e3, 2.5e4), {"10⁴"})],
)
def test_powers_are_plain_letters(values, labels):
    with styled():
        figure = new_figure(2, 1.5)
        axes = figure.add_subplot()
        axes.plot([0, 1], values)
        scales.loss(axes, values, "loss")
        style.laid_out(figure)
    shown = {text.get_text() for text in axes.get_yticklabels() if text.get_text()}
    assert labels <= shown
    assert not any(letter in "".join(shown) for letter in "$\\{}^")


def test_formats_are_what_they_say_and_hold_no_dates():
    figure = simple()
    assert saved(figure, "png").startswith(b"\x89PNG")
    assert saved(figure, "pdf").startswith(b"%PDF")
    assert b"CreationDate" not in saved(figure, "pdf")
    svg = saved(figure, "svg")
    assert b"<svg" in svg
    assert b"<dc:date>" not in svg


@pytest.mark.parametrize("form", style.FORMATS)
def test_a_caption_of_any_letters_goes_into_the_file(form):
    data = saved(simple(), form, "bands: ± one standard error, ⌊n/r⌋")
    assert len(data) > len(saved(simple(), form))


def test_the_users_settings_neither_enter_nor_are_lost():
    with styled():
        assert matplotlib.rcParams["font.size"] == 8
        assert matplotlib.rcParams["axes.facecolor"] == "white"
        assert matplotlib.rcParams["pdf.fonttype"] == 42
    assert matplotlib.rcParams["font.size"] == 30


def test_a_png_has_three_hundred_dots_an_inch():
    import io

    from matplotlib.image import imread

    assert imread(io.BytesIO(saved(simple(), "png"))).shape[:2] == (450, 600)
