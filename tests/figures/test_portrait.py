"""The way out of a bad minimum, drawn: what its panels hold, and that names of other figures stay as they were."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from escapedim.figures import portrait as drawing
from escapedim.figures.draw import figures
from escapedim.records.experiments import Portrait
from escapedim.reporting.material import Material, Source
from tests.figures.conftest import inside, line, panel
from tests.reporting.experiment_cases import certified
from tests.reporting.widen_cases import teacher


def made(points: int = 21) -> dict:
    """A saddle, f(a, b) = 1 + a² - b² + b⁴, and a path that leaves it."""
    old, added = np.linspace(-1, 1, points), np.linspace(-0.9, 0.9, points)
    path = np.linspace(0, 0.8, 9)
    return {
        "replicate": 3,
        "old_curvature": 2.0,
        "added_curvature": -2.0,
        "old": old.tolist(),
        "added": added.tolist(),
        "loss": [[1 + a * a - b * b + b**4 for a in old] for b in added],
        "path_step": list(range(9)),
        "path_old": (0.1 * path).tolist(),
        "path_added": path.tolist(),
        "path_loss": (1 - 1.2 * path).tolist(),
    }


def material(*widths: int) -> list[Material]:
    entries = [certified(width, 4, 3) | {"portrait": made()} for width in widths]
    summary = teacher()
    document = summary.model_dump(mode="json", by_alias=True)
    document["result"]["escape"] = entries
    return [Material((Source("widen", type(summary).model_validate(document)),))]


def seen() -> drawing.Seen:
    return drawing.Seen(Portrait.model_validate(made()), (6, 7))


def test_one_figure_for_each_width_in_three_panels():
    assert [one.name for one in figures(material(6))].count("portrait-6-to-7") == 1
    found = {one.name: one for one in figures(material(6, 7))}
    assert {"portrait-6-to-7", "portrait-7-to-8"} <= set(found)
    figure = found["portrait-6-to-7"].draw()
    assert [axes.name for axes in figure.axes] == ["3d", "rectilinear", "rectilinear"]
    assert inside(figure)
    assert "runs below the surface" in found["portrait-6-to-7"].caption


def test_slices_are_the_middle_row_and_column():
    axes = panel(drawing.draw_old, seen())
    assert line(axes, "loss along the softest old direction")[0] == pytest.approx((-1, 2))
    axes = panel(drawing.draw_added, seen())
    found = line(axes, "loss along the added direction")
    assert found[len(found) // 2] == pytest.approx((0, 1))
    assert min(loss for _, loss in found) == pytest.approx(0.75, abs=0.01)
    assert line(axes, "path of the widened network")[-1] == pytest.approx((0.8, 1 - 1.2 * 0.8))
    assert axes.get_ylim()[0] < 0.04


def test_the_surface_is_drawn_as_high_as_the_path_falls():
    portrait = seen().portrait
    assert drawing._top(portrait) == pytest.approx(2 - (1 - 1.2 * 0.8))
    added, old, loss = drawing._finer(portrait)
    assert loss[len(loss) // 4, len(loss) // 3] == pytest.approx(
        1 + old[len(loss) // 4, 0] ** 2 - added[0, len(loss) // 3] ** 2 + added[0, len(loss) // 3] ** 4, abs=1e-4
    )


@pytest.mark.parametrize(
    "change",
    [{"old": [0.0]}, {"loss": [[1.0]]}, {"path_loss": [1.0]}, {"path_step": [], "path_old": []}, {"old": [math.nan]}],
)
def test_tables_that_do_not_fit_are_refused(change):
    with pytest.raises(ValidationError):
        Portrait.model_validate(made() | change)
